"""A caller's way through a line, as pure steps: languages, menus, ringing, hold, voicemail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.voice.settings import Announce
from domain.calls import CallState, Gather, Record, Redirect, Reject, Ring, Say
from inbox.calls.announcement import must_announce
from inbox.lines.menus import Line
from inbox.lines.position import Mode, Position
from inbox.lines.ringing import Reach, Rep
from inbox.lines.scene import Heard, Next, Scene
from inbox.lines.speaking import match_language
from inbox.lines.stepping import begin, take_step
from tests.inbox.lines import ANA, MENU_LINE, NOW, RING_LINE, line_of, reach_of, scene_of, team, texts, verbs

SILENCE = Heard()


def walk(line: Line, scene: Scene, *heard: Heard) -> Next:
    """Begin, and take a step for each thing heard; positions are kept as JSON in between."""
    step = begin(line, scene)
    for one in heard:
        position = Position.model_validate_json(step.position.model_dump_json(exclude_defaults=True))
        step = take_step(line, position, one, scene)
    return step


def ring_of(step: Next) -> Ring:
    assert isinstance(step.document[-1], Ring), verbs(step)
    return step.document[-1]


# --- the beginning ---------------------------------------------------------------------------------------------


def test_a_known_language_is_not_asked_for() -> None:
    step = walk(line_of(MENU_LINE), scene_of(language="fr"))
    assert texts(step.document) == ["Bienvenue", "Ventes 1 ou assistance 2"]
    assert step.position.state is CallState.MENU


def test_an_unknown_caller_chooses_a_language_each_said_in_itself() -> None:
    asked = walk(line_of(MENU_LINE), scene_of(language=""))
    assert isinstance(asked.document[0], Gather)
    prompt = [one for one in asked.document[0].prompt if isinstance(one, Say)]
    assert [one.language for one in prompt] == ["fr-FR", "en-GB"]
    assert "tapez 1" in prompt[0].text
    assert "press 2" in prompt[1].text
    assert texts(walk(line_of(MENU_LINE), scene_of(language=""), Heard("2")).document)[0] == "Welcome"


@pytest.mark.parametrize("answer", [SILENCE, Heard("7")])
def test_whoever_chooses_no_language_gets_the_first_one(answer: Heard) -> None:
    assert walk(line_of(MENU_LINE), scene_of(language="de"), answer).position.mode is Mode.LANGUAGE
    assert walk(line_of(MENU_LINE), scene_of(language="de"), answer, answer).position.language == "fr"


def test_a_language_without_its_country_will_do() -> None:
    line = line_of(MENU_LINE)
    assert [match_language(line, one) for one in ("fr-CA", "en-US", "de", "")] == ["fr", "en", "", ""]


def test_blocked_and_hidden_callers_are_rejected_where_the_line_says_so() -> None:
    blocked = begin(line_of(RING_LINE, blocked=("+3363998*",)), scene_of())
    assert blocked.document == (Reject(),)
    assert blocked.position.state is CallState.ENDED
    assert begin(line_of(RING_LINE, anonymous="reject"), scene_of(caller="")).document == (Reject(),)
    assert verbs(begin(line_of(RING_LINE), scene_of(caller="")))[-1] != "Reject"


def test_a_closed_line_says_so_and_takes_a_message() -> None:
    step = walk(line_of(MENU_LINE), scene_of(is_open=False))
    assert texts(step.document)[:2] == ["Welcome", "Closed"]
    assert step.position.state is CallState.VOICEMAIL
    plain = walk(line_of(RING_LINE), scene_of(is_open=False))
    assert texts(plain.document)[0] == "We are closed at the moment."
    assert "Record" in verbs(plain)


# --- menus -----------------------------------------------------------------------------------------------------


def test_an_invalid_key_is_said_so_and_the_question_comes_again() -> None:
    step = walk(line_of(MENU_LINE), scene_of(), Heard("8"))
    assert texts(step.document) == ["Sorry, that is not one of the choices.", "Sales 1 or support 2"]
    silent = walk(line_of(MENU_LINE), scene_of(), SILENCE)
    assert texts(silent.document) == ["Sales 1 or support 2"]


def test_after_the_last_try_the_default_goes_on() -> None:
    scene = scene_of(reach=reach_of(1))
    step = walk(line_of(MENU_LINE), scene, Heard("8"), SILENCE, Heard("*"))
    assert [target.number for target in ring_of(step).targets] == ["+33639970001"]


@pytest.mark.parametrize("words", ["Je voudrais les ventes, merci.", "COMMERCIAL"])
def test_a_choice_may_be_spoken(words: str) -> None:
    scene = scene_of(language="fr", reach=reach_of(3, queue="Sales"))
    step = walk(line_of(MENU_LINE), scene, Heard(speech=words))
    assert step.position.queue == "Sales"
    assert step.position.ringing == (3,)


def test_words_that_mean_nothing_are_an_invalid_choice() -> None:
    step = walk(line_of(MENU_LINE), scene_of(), Heard(speech="bananas"))
    assert texts(step.document)[0].startswith("Sorry")


def test_a_question_listens_for_words_only_where_there_are_some() -> None:
    asked = walk(line_of(MENU_LINE), scene_of()).document[-2]
    assert isinstance(asked, Gather)
    assert (asked.speech, asked.hints, asked.digits) == (True, ("sales",), 1)
    assert asked.action == "/step"


def test_menus_that_lead_back_to_themselves_come_to_an_end() -> None:
    line, scene = line_of(MENU_LINE), scene_of()
    step, said = begin(line, scene), 0
    while step.position.mode is Mode.MENU:
        step = take_step(line, step.position, Heard("3"), scene)
        said += 1
        assert said < 100
    assert step.position.mode is Mode.VOICEMAIL


# --- ringing ---------------------------------------------------------------------------------------------------


def test_the_owner_is_rung_first_and_then_the_team_one_by_one() -> None:
    scene = scene_of(reach=reach_of(1, 2, owner=Rep(9, "client:eva")))
    line = line_of(RING_LINE)
    order = [walk(line, scene, *[SILENCE] * tries).position.ringing for tries in range(3)]
    assert order == [(9,), (1,), (2,)]
    assert walk(line, scene, *[SILENCE] * 3).position.state is CallState.VOICEMAIL


@pytest.mark.parametrize(
    ("caller", "shown"),
    [(ANA, ANA), ("+12", ""), ("+12345678901234567", ""), ("sip:ana@pbx.example", ""), ("", "")],
)
def test_a_number_that_is_none_is_not_shown_to_whoever_is_rung(caller: str, shown: str) -> None:
    assert ring_of(begin(line_of(RING_LINE), scene_of(caller=caller, reach=reach_of(1)))).caller_id == shown


def test_nobody_on_another_call_is_rung() -> None:
    scene = scene_of(reach=reach_of(1, 2, busy=(1,), owner=Rep(9, "client:eva", is_free=False)))
    assert walk(line_of(RING_LINE), scene).position.ringing == (2,)


def test_an_owner_who_is_in_the_team_is_rung_once() -> None:
    scene = scene_of(reach=reach_of(1, 9, owner=Rep(9, "client:eva")))
    assert walk(line_of(RING_LINE), scene, SILENCE, SILENCE).position.state is CallState.VOICEMAIL


def test_together_rings_ten_at_most_and_each_is_whispered_to() -> None:
    line = line_of(RING_LINE.replace("open: ring", "open: {ring: {together: true, seconds: 30}}"))
    ring = ring_of(walk(line, scene_of(reach=reach_of(*range(1, 15)))))
    assert len(ring.targets) == 10
    assert (ring.targets[1].whisper, ring.targets[1].status) == ("/whisper/2", "/rang/2")
    assert (ring.seconds, ring.caller_id, ring.recorded) == (30, "+33639980001", "")


def test_people_may_be_named_in_their_order() -> None:
    line = line_of(
        RING_LINE.replace("open: ring", "open: {ring: {people: [b@x.example, a@x.example, c@x.example]}}")
    )
    people = dict(zip(("a@x.example", "b@x.example"), team(1, 2), strict=True))
    scene = scene_of(reach=Reach(people=people))
    assert [walk(line, scene, *[SILENCE] * tries).position.ringing for tries in range(2)] == [(2,), (1,)]


def test_when_the_talk_is_over_the_call_is_too() -> None:
    step = walk(line_of(RING_LINE), scene_of(reach=reach_of(1, 2)), Heard(answered=True))
    assert verbs(step) == ["Hangup"]
    assert step.position.state is CallState.ENDED


# --- recording -------------------------------------------------------------------------------------------------


def test_a_recorded_talk_is_announced_once_before_anybody_answers() -> None:
    line, scene = line_of(RING_LINE, record=True), scene_of(reach=reach_of(1, 2))
    first = walk(line, scene)
    assert "This call is recorded." in texts(first.document)
    assert ring_of(first).recorded == "/talk"
    assert "This call is recorded." not in texts(walk(line, scene, SILENCE).document)
    silent = walk(line, replace(scene, announce=False))
    assert "This call is recorded." not in texts(silent.document)


@pytest.mark.parametrize(
    ("rule", "ours", "theirs", "told"),
    [
        (Announce.ALWAYS, "+6433000001", "+6433000002", True),
        (Announce.WHERE_REQUIRED, "+6433000001", "+6433000002", False),
        (Announce.WHERE_REQUIRED, "+6433000001", "+33199000001", True),
        (Announce.WHERE_REQUIRED, "+33199000001", "", True),
        (Announce.NEVER, "+33199000001", "", False),
    ],
)
def test_recording_is_announced_where_one_of_both_laws_asks_for_it(
    rule: Announce, ours: str, theirs: str, told: bool
) -> None:
    assert must_announce(rule, ours, theirs) is told


# --- hold and voicemail ----------------------------------------------------------------------------------------


def held(*heard: Heard, **changes: object) -> Next:
    return walk(
        line_of(MENU_LINE), scene_of(**{"reach": reach_of(1, 2, busy=(1, 2)), **changes}), Heard("2"), *heard
    )


def test_a_caller_waits_while_everybody_is_on_the_phone() -> None:
    step = held(reach=reach_of(1, 2, busy=(1, 2), ahead={"Support": 2}))
    assert step.position.state is CallState.WAITING
    assert texts(step.document) == [
        "Please hold. Somebody will be with you as soon as possible.",
        "You are number 3 in line.",
        "To leave a message instead, press 9.",
        "/music",
    ]
    assert isinstance(step.document[-1], Redirect)


def test_nobody_waits_when_nobody_works() -> None:
    assert held(reach=Reach()).position.state is CallState.VOICEMAIL


def test_the_phones_ring_again_after_each_round() -> None:
    waiting = held()
    scene = scene_of(reach=reach_of(1, 2, busy=(1,)))
    step = take_step(line_of(MENU_LINE), waiting.position, SILENCE, scene)
    assert step.position.ringing == (2,)


def test_whoever_waits_longest_is_first() -> None:
    waiting = held()
    behind = scene_of(reach=reach_of(1, 2, busy=(1,), ahead={"Support": 1}))
    assert take_step(line_of(MENU_LINE), waiting.position, SILENCE, behind).position.mode is Mode.HOLD


def test_a_key_leads_out_of_the_hold_to_a_message() -> None:
    step = held(Heard("9"))
    assert step.position.state is CallState.VOICEMAIL
    assert held(Heard("1")).position.mode is Mode.HOLD


def test_the_hold_ends_after_its_longest_time() -> None:
    late = scene_of(reach=reach_of(1, busy=(1,)), now=NOW + timedelta(seconds=60))
    step = take_step(line_of(MENU_LINE), held().position, SILENCE, late)
    record = next(verb for verb in step.document if isinstance(verb, Record))
    assert (record.longest, record.action, record.recorded, record.transcribed) == (
        30, "/left", "/voicemail", "/transcript",
    )  # fmt: skip


def test_only_what_the_provider_understands_is_written_down() -> None:
    line, english = line_of(RING_LINE, languages=("fr", "en")), scene_of(is_open=False, written=("en",))
    told = [walk(line, replace(english, language=one)).document[-2] for one in ("en", "fr")]
    assert [verb.transcribed for verb in told if isinstance(verb, Record)] == ["/transcript", ""]


def test_a_message_is_thanked_for_and_silence_is_not() -> None:
    scene = scene_of(is_open=False)
    assert texts(walk(line_of(RING_LINE), scene, Heard(left=True)).document)[0].startswith("Thank you.")
    assert texts(walk(line_of(RING_LINE), scene, SILENCE).document) == ["Thank you for calling. Goodbye."]


# --- whatever people do ----------------------------------------------------------------------------------------

_HEARD = st.builds(
    Heard,
    keys=st.sampled_from(["", "1", "2", "3", "9", "*", "55", "#"]),
    speech=st.sampled_from(["", "sales", "no"]),
    answered=st.booleans(),
)
_REACH = st.builds(
    lambda users, busy, ahead: reach_of(*users, busy=tuple(busy), ahead={"Support": ahead}),
    st.lists(st.integers(1, 5), unique=True),
    st.lists(st.integers(1, 5)),
    st.integers(0, 3),
)


@settings(max_examples=200)
@given(st.data())
def test_every_call_comes_to_an_end_whatever_people_do(data: st.DataObject) -> None:
    line = line_of(MENU_LINE)
    scene = scene_of(language=data.draw(st.sampled_from(["", "fr", "en"])), is_open=data.draw(st.booleans()))
    step = begin(line, scene)
    for number in range(400):
        if step.position.mode is Mode.OVER:
            break
        assert step.document
        last = step.document[-1]
        assert isinstance(last, Redirect | Ring)
        busy = {rep.user_id for rep in scene.reach.queues.get("Support", ()) if not rep.is_free}
        assert not busy & set(step.position.ringing)
        scene = replace(scene, now=NOW + timedelta(seconds=10 * number), reach=data.draw(_REACH))
        step = take_step(line, step.position, data.draw(_HEARD), scene)
    assert step.position.mode is Mode.OVER
