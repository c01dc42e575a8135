"""Who is offered a task next: steps that widen, absences, capacity, skills, and no return to who declined."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.assignment.offering import Need, Rota, next_offer
from router.assignment.people import Away, Person
from router.assignment.steps import By, Step, Who, end_with_a_person, read_steps
from router.working_time import read_calendar

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday, 10:00 in Paris
PARIS = read_calendar(
    {"mon": [["09:00", "12:30"], ["14:00", "18:00"]], "tue": [["09:00", "18:00"]]}, "Europe/Paris"
)
SALES, SUPPORT = 7, 8
CLAIRE, PAUL, LEA, MONA, ADAM = 1, 2, 3, 4, 5
TURNS = Step(Who.TEAM, team_id=SALES, by=By.ROUND_ROBIN)
WIDENING = end_with_a_person(
    [Step(Who.OWNER), TURNS, Step(Who.ANYONE, skill="contracts", by=By.LEAST_LOADED)]
)


def rota(**changes: Person) -> Rota:
    """Claire and Paul sell, Lea supports, Mona manages sales, Adam administers."""
    people = {
        "claire": Person(CLAIRE, weights={SALES: 1}, calendar=PARIS),
        "paul": Person(PAUL, weights={SALES: 1}, calendar=PARIS),
        "lea": Person(
            LEA, weights={SUPPORT: 1}, skills=frozenset({"contracts"}), languages=frozenset({"fr"})
        ),
        "mona": Person(MONA, supervises=True, manages=True, weights={SALES: 0}),
        "adam": Person(ADAM, supervises=True),
    } | changes
    return Rota({person.id: person for person in people.values()})


def away(deputy: int | None = None) -> Person:
    """Claire, on leave this week."""
    leave = Away(NOW - timedelta(days=1), NOW + timedelta(days=6), deputy)
    return Person(CLAIRE, weights={SALES: 1}, calendar=PARIS, absences=(leave,))


def walk(steps: tuple[Step, ...], need: Need, people: Rota) -> list[int | None]:
    """Who is asked, one after the other, when everybody declines."""
    found: list[int | None] = []
    start = 0
    while len(found) < 20:
        offer = next_offer(steps, start, need, people, NOW)
        assert offer is not None
        found.append(offer.person_id)
        if offer.last:
            return found
        need = replace(need, asked=need.asked | ({offer.person_id} if offer.person_id else set()))
        start = offer.step if offer.person_id is not None else offer.step + 1
    raise AssertionError("it never ends")


def test_targets_widen_from_the_owner_to_the_team_to_the_skilled_to_a_supervisor() -> None:
    assert walk(WIDENING, Need(owner_id=PAUL, team_id=SALES), rota()) == [PAUL, CLAIRE, LEA, MONA]


def test_a_contact_without_an_owner_begins_with_the_team() -> None:
    offer = next_offer(WIDENING, 0, Need(team_id=SALES), rota(), NOW)
    assert offer is not None
    assert (offer.step, offer.person_id, offer.team_id, offer.last) == (1, CLAIRE, SALES, False)


def test_a_team_without_a_choice_is_asked_as_a_whole() -> None:
    offer = next_offer([Step(Who.TEAM, team_id=SALES)], 0, Need(), rota(), NOW)
    assert offer is not None
    assert (offer.person_id, offer.team_id) == (None, SALES)


def test_an_absent_owner_is_answered_for_by_the_deputy() -> None:
    offer = next_offer(WIDENING, 0, Need(owner_id=CLAIRE), rota(claire=away(LEA)), NOW)
    assert offer is not None
    assert (offer.person_id, offer.deputy_of) == (LEA, CLAIRE)


def test_without_a_deputy_the_next_step_is_asked() -> None:
    offer = next_offer(WIDENING, 0, Need(owner_id=CLAIRE, team_id=SALES), rota(claire=away()), NOW)
    assert offer is not None
    assert (offer.step, offer.person_id) == (1, PAUL)


def test_deputies_who_are_away_hand_on_and_never_in_circles() -> None:
    paul = Person(PAUL, absences=(Away(NOW, NOW + timedelta(days=1), LEA),))
    offer = next_offer(WIDENING, 0, Need(owner_id=CLAIRE), rota(claire=away(PAUL), paul=paul), NOW)
    assert offer is not None
    assert (offer.person_id, offer.deputy_of) == (LEA, CLAIRE)
    paul = replace(paul, weights={SALES: 1}, absences=(Away(NOW, NOW + timedelta(days=1), CLAIRE),))
    offer = next_offer(WIDENING, 0, Need(owner_id=CLAIRE), rota(claire=away(PAUL), paul=paul), NOW)
    assert offer is not None
    assert offer.person_id == LEA  # nobody of the team is there either


def test_leave_that_begins_before_the_next_working_hour_counts_already() -> None:
    monday_evening = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
    leave = Away(datetime(2026, 3, 3, 0, 0, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC), LEA)
    claire = Person(CLAIRE, calendar=PARIS, absences=(leave,))
    assert claire.away(monday_evening) is leave
    assert claire.away(NOW) is None


def test_who_is_at_the_desk_goes_before_who_is_not() -> None:
    people = rota(claire=Person(CLAIRE, weights={SALES: 1}, calendar=PARIS, present=False))
    offers = [next_offer([TURNS], 0, Need(), people, NOW) for _ in range(3)]
    assert [offer and offer.person_id for offer in offers] == [PAUL, PAUL, PAUL]


def test_out_of_hours_the_turn_goes_on_among_all() -> None:
    sunday = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    people = rota()
    offers = [next_offer([TURNS], 0, Need(), people, sunday) for _ in range(4)]
    assert Counter(offer and offer.person_id for offer in offers) == {CLAIRE: 2, PAUL: 2}


def test_a_full_person_is_passed_over_and_a_full_team_widens() -> None:
    full = Person(CLAIRE, weights={SALES: 1}, capacity={"voice": 2}, load={"voice": 2, "all": 2})
    people = rota(claire=full)
    need = Need(owner_id=CLAIRE, team_id=SALES, channel="voice")
    first = next_offer(WIDENING, 0, need, people, NOW)
    assert first is not None
    assert first.person_id == PAUL
    people = rota(claire=full, paul=Person(PAUL, weights={SALES: 1}, capacity={"all": 0}))
    widened = next_offer(WIDENING, 0, need, people, NOW)
    assert widened is not None
    assert (widened.step, widened.person_id) == (2, LEA)
    other = next_offer(WIDENING, 0, replace(need, channel="mail"), people, NOW)
    assert other is not None
    assert other.person_id == CLAIRE  # full of calls, not of mail


def test_skill_and_language_are_both_needed() -> None:
    step = Step(Who.ANYONE, skill="contracts", language="contact", by=By.LEAST_LOADED)
    french = next_offer([step], 0, Need(language="fr"), rota(), NOW)
    assert french is not None
    assert french.person_id == LEA
    assert next_offer([step], 0, Need(language="de"), rota(), NOW) is None
    unknown = next_offer([step], 0, Need(), rota(), NOW)
    assert unknown is not None  # a contact without a language is anybody's
    assert next_offer([replace(step, skill="law")], 0, Need(), rota(), NOW) is None


def test_the_least_loaded_is_asked_and_equals_in_turn() -> None:
    step = Step(Who.TEAM, team_id=SALES, by=By.LEAST_LOADED)
    people = rota(claire=Person(CLAIRE, weights={SALES: 1}, load={"other": 2}))
    got = [next_offer([step], 0, Need(), people, NOW) for _ in range(6)]
    assert [offer and offer.person_id for offer in got] == [PAUL, PAUL, CLAIRE, PAUL, CLAIRE, PAUL]


def test_a_member_of_weight_zero_is_not_assigned() -> None:
    got = [next_offer([TURNS], 0, Need(), rota(), NOW) for _ in range(4)]
    assert MONA not in {offer and offer.person_id for offer in got}


def test_the_last_step_finds_a_person_even_when_all_are_away() -> None:
    leave = (Away(NOW, NOW + timedelta(days=1)),)
    people = rota(
        mona=Person(MONA, supervises=True, manages=True, absences=leave),
        adam=Person(ADAM, supervises=True, absences=leave),
    )
    offer = next_offer(end_with_a_person([]), 0, Need(asked=frozenset({MONA, ADAM})), people, NOW)
    assert offer is not None
    assert (offer.person_id, offer.last) == (MONA, True)


def test_a_named_last_person_who_declined_leaves_it_to_a_supervisor() -> None:
    steps = end_with_a_person([Step(Who.PERSON, person_id=LEA)])
    assert len(steps) == 1
    offer = next_offer(steps, 0, Need(asked=frozenset({LEA}), team_id=SALES), rota(), NOW)
    assert offer is not None
    assert (offer.person_id, offer.last) == (MONA, True)


def test_steps_are_kept_as_plain_data() -> None:
    assert read_steps([step.written() for step in WIDENING]) == WIDENING
    assert WIDENING[-1].written() == {"who": "supervisor"}


persons = st.builds(
    Person,
    id=st.just(0),
    supervises=st.booleans(),
    manages=st.booleans(),
    weights=st.dictionaries(st.sampled_from([SALES, SUPPORT]), st.integers(0, 3)),
    skills=st.frozensets(st.sampled_from(["contracts", "law"])),
    capacity=st.dictionaries(st.sampled_from(["all", "voice"]), st.integers(0, 2)),
    present=st.booleans(),
    absences=st.lists(
        st.builds(
            Away, st.just(NOW - timedelta(days=1)), st.just(NOW + timedelta(days=1)), st.integers(1, 6)
        ),
        max_size=1,
    ).map(tuple),
)
some_steps = st.lists(
    st.one_of(
        st.just(Step(Who.OWNER)),
        st.builds(Step, st.just(Who.TEAM), team_id=st.sampled_from([SALES, SUPPORT]), by=st.sampled_from(By)),
        st.builds(
            Step,
            st.just(Who.ANYONE),
            skill=st.sampled_from(["contracts", "law"]),
            by=st.sampled_from([By.ROUND_ROBIN, By.LEAST_LOADED]),
        ),
        st.builds(Step, st.just(Who.PERSON), person_id=st.integers(1, 6)),
    ),
    max_size=4,
)


@given(st.lists(persons, min_size=1, max_size=6), some_steps, st.integers(1, 6))
def test_whoever_declines_is_not_asked_again_and_it_ends_with_a_person(
    drawn: list[Person], steps: list[Step], owner: int
) -> None:
    people = {number: replace(person, id=number, load={}) for number, person in enumerate(drawn, 1)}
    people[9] = Person(9, supervises=True)  # a house has an administrator
    asked = walk(end_with_a_person(steps), Need(owner_id=owner, team_id=SALES, channel="voice"), Rota(people))
    assert asked[-1] is not None
    named = [person for person in asked[:-1] if person is not None]
    assert len(named) == len(set(named))
