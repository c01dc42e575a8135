"""Who was behind a hit: each case is a little story of one message, in seconds after its delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import EventType, Verdict
from tracking.settings import TrackingSettings
from tracking.verdicts import Mail, Reason, SeenHit, judge_message

DELIVERED = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
SETTINGS = TrackingSettings()
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
HUMAN, MACHINE, UNSURE = Verdict.HUMAN, Verdict.MACHINE, Verdict.UNSURE
OPEN, CLICK, DOWNLOAD = EventType.OPENED, EventType.CLICKED, EventType.DOWNLOADED

Told = tuple[EventType, float, dict[str, object]]


def at(kind: EventType, seconds: float, **facts: object) -> Told:
    """A hit so many seconds after delivery."""
    return kind, seconds, facts


def judge(*told: Told, mail: Mail | None = None) -> list[tuple[Verdict, set[Reason]]]:
    """The judgements in the order of the story."""
    hits = [
        SeenHit(
            number,
            kind,
            DELIVERED + timedelta(seconds=seconds),
            **{"address": "192.0.2.1", "agent": BROWSER, "link_no": 1 if kind is CLICK else None} | facts,  # type: ignore[arg-type]
        )
        for number, (kind, seconds, facts) in enumerate(told)
    ]
    judged = judge_message(hits, mail or Mail(DELIVERED, links=5), SETTINGS)
    return [(judged[number].verdict, set(judged[number].reasons)) for number in range(len(hits))]


STORIES = {
    "an open an hour later is human": ([at(OPEN, 3600)], [HUMAN]),
    "a click an hour later is human, though pictures are blocked": ([at(CLICK, 3600)], [HUMAN]),
    "an open and a click after it are human": ([at(OPEN, 300), at(CLICK, 320)], [HUMAN, HUMAN]),
    "a download after an open is human": ([at(OPEN, 300), at(DOWNLOAD, 320)], [HUMAN, HUMAN]),
    "two links read one after the other are human": (
        [at(OPEN, 300), at(CLICK, 310), at(CLICK, 400, link_no=2)],
        [HUMAN, HUMAN, HUMAN],
    ),
    "the same link clicked three times at once is still a person": (
        [at(OPEN, 300), at(CLICK, 310), at(CLICK, 310.2), at(CLICK, 310.4)],
        [HUMAN, HUMAN, HUMAN, HUMAN],
    ),
    "a click within seconds of delivery is automatic": ([at(CLICK, 2)], [MACHINE]),
    "a download within seconds of delivery is automatic": ([at(DOWNLOAD, 2)], [MACHINE]),
    "a click before the delivery's result was written is automatic": ([at(CLICK, -0.2)], [MACHINE]),
    "a click by HEAD is automatic whenever it comes": (
        [at(CLICK, 9999, noted=frozenset({Reason.HEAD}))],
        [MACHINE],
    ),
    "an open announced as a prefetch is automatic": (
        [at(OPEN, 9999, noted=frozenset({Reason.PREFETCH}))],
        [MACHINE],
    ),
    "three links within five seconds are a burst, hours after delivery": (
        [at(CLICK, 7200), at(CLICK, 7201, link_no=2), at(CLICK, 7202, link_no=3)],
        [MACHINE, MACHINE, MACHINE],
    ),
    "a burst from three addresses is a burst": (
        [
            at(CLICK, 7200, address="192.0.2.1"),
            at(CLICK, 7201, link_no=2, address="192.0.2.2"),
            at(CLICK, 7202, link_no=3, address="192.0.2.3"),
        ],
        [MACHINE, MACHINE, MACHINE],
    ),
    "a person's click an hour after the scanner's burst is human": (
        [
            at(CLICK, 1),
            at(CLICK, 1.1, link_no=2),
            at(CLICK, 1.2, link_no=3),
            at(OPEN, 3600, address="192.0.2.9"),
            at(CLICK, 3660, address="192.0.2.9"),
        ],
        [MACHINE, MACHINE, MACHINE, HUMAN, HUMAN],
    ),
    "an open within seconds, and nothing more, is unclear": ([at(OPEN, 2)], [UNSURE]),
    "an open within seconds becomes human by a click later": ([at(OPEN, 2), at(CLICK, 190)], [HUMAN, HUMAN]),
    "a pixel fetched within seconds vouches for no click soon after": (
        [at(OPEN, 2), at(CLICK, 12)],
        [UNSURE, UNSURE],
    ),
    "a proxy that fetches ahead vouches for no click soon after": (
        [at(OPEN, 20, agent=APPLE), at(CLICK, 32)],
        [UNSURE, UNSURE],
    ),
    "an agent that calls itself a program vouches for no click soon after": (
        [at(OPEN, 20, agent="curl/8.5.0"), at(CLICK, 32)],
        [UNSURE, UNSURE],
    ),
    "a pixel fetched beside an automatic hit vouches for no click soon after": (
        [at(CLICK, 30, noted=frozenset({Reason.HEAD})), at(OPEN, 31), at(CLICK, 45)],
        [MACHINE, UNSURE, UNSURE],
    ),
    "one address that walks the links soon after delivery is automatic": (
        [at(OPEN, 2)] + [at(CLICK, 11 + 8 * n, link_no=n) for n in range(1, 6)],
        [MACHINE] * 6,
    ),
    "a pixel fetched on such a walk is unclear, and vouches for nobody": (
        [at(OPEN, 15)] + [at(CLICK, 19 + 8 * n, link_no=n) for n in range(1, 5)],
        [UNSURE] + [MACHINE] * 4,
    ),
    "three people who share the mail soon after delivery do not walk": (
        [at(OPEN, 20)] + [at(CLICK, 20 + 10 * n, link_no=n, address=f"192.0.2.{n}") for n in range(1, 4)],
        [HUMAN] * 4,
    ),
    "one address that walks all links an hour later is automatic": (
        [at(OPEN, 3590)] + [at(CLICK, 3600 + 8 * n, link_no=n) for n in range(1, 6)],
        [UNSURE] + [MACHINE] * 5,
    ),
    "somebody who follows most links an hour later is human": (
        [at(OPEN, 3590)] + [at(CLICK, 3600 + 8 * n, link_no=n) for n in range(1, 5)],
        [HUMAN] * 5,
    ),
    "an open within seconds by an image proxy is automatic": ([at(OPEN, 1, agent=GMAIL)], [MACHINE]),
    "the same image proxy an hour later shows the mail to a person": (
        [at(OPEN, 3600, agent=GMAIL)],
        [HUMAN],
    ),
    "a proxy that fetches ahead is unclear whenever it comes": ([at(OPEN, 3600, agent=APPLE)], [UNSURE]),
    "a proxy that fetches ahead within seconds is automatic": ([at(OPEN, 3, agent=APPLE)], [MACHINE]),
    "an open by such a proxy becomes human by a click": (
        [at(OPEN, 3, agent=APPLE), at(CLICK, 600)],
        [HUMAN, HUMAN],
    ),
    "a click soon after delivery without an open is unclear": ([at(CLICK, 60)], [UNSURE]),
    "a click soon after delivery with an open before it is human": (
        [at(OPEN, 40), at(CLICK, 60)],
        [HUMAN, HUMAN],
    ),
    "an agent that calls itself a program is unclear": ([at(CLICK, 3600, agent="curl/8.5.0")], [UNSURE]),
    "a request without an agent is unclear": ([at(OPEN, 3600, agent=None)], [UNSURE]),
    "such an agent and no open before are two doubts": (
        [at(CLICK, 60, agent="python-requests/2.32")],
        [MACHINE],
    ),
    "HEAD, then GET from the same place, never opened: unclear": (
        [at(CLICK, 3600, noted=frozenset({Reason.HEAD})), at(CLICK, 3600.5)],
        [MACHINE, UNSURE],
    ),
    "HEAD, then GET from the same place soon after delivery: automatic": (
        [at(CLICK, 60, noted=frozenset({Reason.HEAD})), at(CLICK, 60.5)],
        [MACHINE, MACHINE],
    ),
    "a virus scanner's HEAD beside a click after an open leaves the click human": (
        [at(OPEN, 3500), at(CLICK, 3600, noted=frozenset({Reason.HEAD})), at(CLICK, 3600.5)],
        [HUMAN, MACHINE, HUMAN],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story_of_hits(story: str) -> None:
    told, expected = STORIES[story]
    assert [verdict for verdict, _ in judge(*told)] == expected


def test_all_links_of_a_short_mail_at_once_are_a_burst() -> None:
    pair = at(CLICK, 3600), at(CLICK, 3601, link_no=2)
    assert [v for v, _ in judge(*pair, mail=Mail(DELIVERED, links=2))] == [MACHINE, MACHINE]
    assert [v for v, _ in judge(*pair, mail=Mail(DELIVERED, links=3))] == [HUMAN, HUMAN]


def test_whoever_follows_an_invisible_link_is_a_machine() -> None:
    [(verdict, reasons)] = judge(at(CLICK, 9999, link_no=4), mail=Mail(DELIVERED, 5, frozenset({4})))
    assert (verdict, reasons) == (MACHINE, {Reason.INVISIBLE_LINK})


UNKNOWN = (UNSURE, {Reason.UNKNOWN_DELIVERY})


def test_while_nobody_knows_when_the_mail_arrived_nothing_is_human() -> None:
    assert judge(at(CLICK, 1), mail=Mail(None, 5)) == [UNKNOWN]
    assert judge(at(OPEN, 300), at(CLICK, 320), mail=Mail(None, 5)) == [UNKNOWN, UNKNOWN]


def test_a_machine_is_a_machine_whenever_the_mail_arrived() -> None:
    assert judge(at(CLICK, 1, noted=frozenset({Reason.HEAD})), mail=Mail(None, 5))[0][0] is MACHINE


def test_an_unknown_time_makes_no_machine_of_one_doubt() -> None:
    assert judge(at(OPEN, 300, agent=APPLE), mail=Mail(None, 5)) == [(UNSURE, {Reason.IMAGE_PROXY})]


def test_long_after_the_mail_must_have_arrived_a_hit_is_judged_as_any_other() -> None:
    mail = Mail(None, 5, delivered_by=DELIVERED)
    assert judge(at(CLICK, 60), mail=mail) == [UNKNOWN]
    assert judge(at(CLICK, 3600), mail=mail) == [(HUMAN, {Reason.ORDINARY})]
    assert judge(at(OPEN, 60), at(CLICK, 3600), mail=mail) == [
        (HUMAN, {Reason.FOLLOWED_BY_CLICK}),
        (HUMAN, {Reason.ORDINARY}),
    ]


def test_a_delivery_that_was_confirmed_long_after_the_hit_says_nothing_about_time() -> None:
    assert judge(at(OPEN, -3600), at(CLICK, -3500)) == [UNKNOWN, UNKNOWN]


def test_a_later_burst_changes_the_verdict_on_the_click_that_began_it() -> None:
    first = at(CLICK, 3600)
    assert judge(first)[0][0] is HUMAN
    assert judge(first, at(CLICK, 3602, link_no=2), at(CLICK, 3604, link_no=3))[0] == (
        MACHINE,
        {Reason.BURST},
    )


def test_every_judgement_gives_its_reasons() -> None:
    for told, _ in STORIES.values():
        assert all(reasons for _, reasons in judge(*told))


hits = st.lists(
    st.builds(
        SeenHit,
        event_id=st.integers(1, 10**9),
        type=st.sampled_from([OPEN, CLICK, DOWNLOAD]),
        arrived_at=st.floats(-100, 4000).map(lambda seconds: DELIVERED + timedelta(seconds=seconds)),
        link_no=st.none() | st.integers(1, 5),
        address=st.none() | st.sampled_from(["192.0.2.1", "192.0.2.2"]),
        agent=st.none() | st.sampled_from([BROWSER, APPLE, GMAIL, "curl/8"]),
        noted=st.sampled_from([frozenset(), frozenset({Reason.HEAD})]),
    ),
    unique_by=lambda hit: hit.event_id,
    max_size=20,
)


@given(hits, st.randoms())
def test_the_order_in_which_hits_are_read_does_not_matter(seen: list[SeenHit], chance: object) -> None:
    mail = Mail(DELIVERED, 5)
    shuffled = sorted(seen, key=lambda hit: chance.random())  # type: ignore[attr-defined]
    assert judge_message(seen, mail, SETTINGS) == judge_message(shuffled, mail, SETTINGS)


@given(hits)
def test_head_is_never_human_and_a_hit_is_judged_exactly_once(seen: list[SeenHit]) -> None:
    judged = judge_message(seen, Mail(DELIVERED, 5), SETTINGS)
    assert set(judged) == {hit.event_id for hit in seen}
    assert all(judged[hit.event_id].verdict is MACHINE for hit in seen if Reason.HEAD in hit.noted)
