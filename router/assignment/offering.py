"""To whom a task is offered next. Pure: steps, people and what was answered go in, the next offer comes out.

A step that finds nobody is passed over. An offer never returns to somebody who declined it or let it run out, except
that the last step always finds a person. Whoever is absent is answered for by the deputy, where the step means one
person; a team simply goes on without the absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.tasks import OTHER_CHANNEL
from router.assignment.people import Person
from router.assignment.steps import CONTACTS_LANGUAGE, By, Step, Who
from router.assignment.turns import pass_turn

_LONGEST_CHAIN = 8  # deputies of deputies


@dataclass(frozen=True, slots=True)
class Need:
    """What a task looks for. `asked` are people who declined it or did not answer in time."""

    owner_id: int | None = None
    team_id: int | None = None
    language: str | None = None
    channel: str = OTHER_CHANNEL
    asked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer before it is made: the step's number, the person (None: the whole team), the team.

    `deputy_of` is who would have got it; `last` when no further step follows but this person.
    """

    step: int
    person_id: int | None
    team_id: int | None
    deputy_of: int | None = None
    last: bool = False


@dataclass(slots=True)
class Rota:
    """Everybody who may be asked, and the clocks of turns by scope. Choosing counts the task and passes the turn.

    `passed` names the scopes in which somebody had a turn.
    """

    people: Mapping[int, Person] = field(default_factory=dict)
    clocks: dict[str, dict[int, int]] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def stands_in(self, person_id: int | None, need: Need, now: datetime) -> tuple[int, int | None] | None:
        """The person, or who answers for that person today, with whom it was meant for; None when there is nobody."""
        meant, seen = person_id, set[int]()
        while person_id is not None and person_id not in seen and len(seen) < _LONGEST_CHAIN:
            seen.add(person_id)
            person = self.people.get(person_id)
            if person is None:
                return None
            away = person.away(now)
            if away is None:
                if person_id in need.asked:
                    return None
                return person_id, meant if person_id != meant else None
            person_id = away.deputy_id
        return None


def next_offer(steps: Sequence[Step], start: int, need: Need, rota: Rota, now: datetime) -> Offer | None:
    """The first offer that can be made from step number `start` on; None when the steps are over."""
    for number in range(start, len(steps)):
        offer = _offer(steps[number], number, need, rota, now, last=number == len(steps) - 1)
        if offer is not None:
            if offer.person_id is not None:
                rota.people[offer.person_id].take(need.channel)
            return offer
    return None


def _offer(step: Step, number: int, need: Need, rota: Rota, now: datetime, *, last: bool) -> Offer | None:
    team_id = step.team_id or need.team_id
    if step.who is Who.SUPERVISOR:
        return _ask_supervisor(number, team_id, need, rota, now)
    if step.who in (Who.OWNER, Who.PERSON):
        named = need.owner_id if step.who is Who.OWNER else step.person_id
        found = rota.stands_in(named, need, now)
        room = step.who is Who.PERSON or found is None or rota.people[found[0]].has_room(need.channel)
        if found is not None and room:
            return Offer(number, found[0], team_id, deputy_of=found[1], last=last)
        # the last step is a person, whatever the calendar says; without that person, a supervisor
        return _ask_supervisor(number, team_id, need, rota, now) if last else None
    able = [person for person in rota.people.values() if _is_able(person, step, need)]
    there = [person for person in able if person.away(now) is None and person.id not in need.asked]
    if step.by is By.ANYBODY:
        return Offer(number, None, team_id) if there else None
    ready = [person for person in there if person.has_room(need.channel) and person.present]
    # out of hours nobody is at work: then it waits for whoever comes first in turn
    chosen = choose(step, [person for person in ready if person.works(now)] or ready, rota, need.channel)
    return None if chosen is None else Offer(number, chosen, team_id)


def _is_able(person: Person, step: Step, need: Need) -> bool:
    if step.team_id is not None and step.team_id not in person.weights:
        return False
    if step.by is not By.ANYBODY and step.team_id is not None and not person.weights[step.team_id]:
        return False
    if step.skill is not None and step.skill not in person.skills:
        return False
    language = need.language if step.language == CONTACTS_LANGUAGE else step.language
    return language is None or language in person.languages


def choose(step: Step, candidates: Collection[Person], rota: Rota, channel: str) -> int | None:
    """One of the candidates, as the step says; the turn is passed on."""
    if not candidates:
        return None
    weights = {
        person.id: person.weights.get(step.team_id or 0, 1) if step.by is By.WEIGHTED else 1
        for person in candidates
    }
    if step.by is By.LEAST_LOADED:
        lightest = min(person.load.get(channel, 0) for person in candidates)
        weights = {person.id: 1 for person in candidates if person.load.get(channel, 0) == lightest}
    rota.passed.add(step.scope)
    return pass_turn(rota.clocks.setdefault(step.scope, {}), weights)


def _ask_supervisor(number: int, team_id: int | None, need: Need, rota: Rota, now: datetime) -> Offer | None:
    """The team's manager, else any manager, else an administrator; who is there and was not asked comes first."""
    ranked = sorted(
        (person for person in rota.people.values() if person.supervises),
        key=lambda person: (
            not (person.manages and team_id in person.weights),
            not person.manages,
            person.id,
        ),
    )
    found = _first(ranked, need, rota, now)
    if found is None and ranked:
        unasked = [person for person in ranked if person.id not in need.asked]
        found = (unasked or ranked)[0].id, None
    return None if found is None else Offer(number, found[0], team_id, deputy_of=found[1], last=True)


def _first(ranked: Iterable[Person], need: Need, rota: Rota, now: datetime) -> tuple[int, int | None] | None:
    for person in ranked:
        if person.id in need.asked:
            continue
        found = rota.stands_in(person.id, need, now)
        if found is not None:
            return found
    return None
