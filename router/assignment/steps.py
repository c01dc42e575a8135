"""The steps by which a task looks for somebody: the owner, a team, anyone with a skill, a person, a supervisor.

Targets widen step by step, each with its time. Steps are kept with the task as plain data, with ids for names, so that a
later version of the rule changes nothing about tasks that are under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from router.spans import Span, parse_span


class Who(StrEnum):
    """Whom a step asks."""

    OWNER = "owner"  #: who looks after the contact
    TEAM = "team"  #: the members of a team
    ANYONE = "anyone"  #: whoever has the skill and the language
    PERSON = "person"  #: somebody by name
    SUPERVISOR = "supervisor"  #: the team's manager, else any manager, else an administrator


class By(StrEnum):
    """How a step chooses among several people."""

    ANYBODY = "anybody"  #: all of them see it, the first to accept has it
    ROUND_ROBIN = "round_robin"  #: each in turn
    LEAST_LOADED = "least_loaded"  #: who has the fewest open tasks
    WEIGHTED = "weighted"  #: in turn, more often for members with more weight


#: in a step's language: the one of the contact
CONTACTS_LANGUAGE: Final = "contact"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `within` is a span such as `2 working hours`; None: the task's own time to decide."""

    who: Who
    team_id: int | None = None
    person_id: int | None = None
    skill: str | None = None
    language: str | None = None
    by: By = By.ANYBODY
    within: str | None = None

    @property
    def scope(self) -> str:
        """The name under which turns are counted: people of another step have turns of their own."""
        parts = (("team", self.team_id), ("skill", self.skill), ("language", self.language))
        return ",".join(f"{name}={value}" for name, value in parts if value is not None)

    def span(self, otherwise: Span) -> Span:
        """How long the step has; `otherwise` when it does not say."""
        return otherwise if self.within is None else parse_span(self.within)

    def written(self) -> dict[str, Any]:
        """As JSON, without what is not said."""
        return {name: value for name, value in asdict(self).items() if value not in (None, By.ANYBODY)}


def read_steps(stored: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """What `Step.written` gave."""
    return tuple(
        Step(**{**one, "who": Who(one["who"]), "by": By(one.get("by", By.ANYBODY))}) for one in stored
    )


def end_with_a_person(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, with the supervisor at their end unless a person by name stands there: never silence."""
    if steps and steps[-1].who in (Who.SUPERVISOR, Who.PERSON):
        return tuple(steps)
    return (*steps, Step(Who.SUPERVISOR))
