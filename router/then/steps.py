"""The steps of `assign`, as a rule writes them: whom to ask first, whom next, and how long each has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from router.assignment.steps import By
from router.spans import WrittenSpan
from router.then.base import Mention, Written

Skill = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=60)]


class AssignStep(Written):
    """One step: the owner, a team, anyone with a skill and a language, a person, or the supervisor.

    `{owner: true}`, `{team: sales, by: round_robin}`, `{skill: contracts, language: contact}`,
    `{person: lea@example.org}`, `{supervisor: true}`, each with `within`.
    """

    owner: Literal[True] | None = Field(
        None, description="true: the user who looks after the contact, or the deputy"
    )
    team: str | None = Field(None, max_length=200, description="the members of a team")
    skill: Skill | None = Field(
        None, description="only people with this skill; without team, of the whole house"
    )
    language: Annotated[str, StringConstraints(pattern=r"^([a-z]{2}|contact)$")] | None = Field(
        None, description="only people who speak it: a code such as fr, or contact for the contact's own"
    )
    by: By | None = Field(
        None,
        description="how one of them is chosen: anybody (all see it, the first has it; so for a team), round_robin, "
        "least_loaded (so for a skill), or weighted (by the weight of each member)",
    )
    person: str | None = Field(None, max_length=320, description="a user, by mail address, or the deputy")
    supervisor: Literal[True] | None = Field(
        None, description="true: the team's manager, else any manager, else an administrator"
    )
    within: WrittenSpan | None = Field(
        None, description="time to decide before the next step is asked; left out: decide_within"
    )

    @model_validator(mode="after")
    def _one_target(self) -> AssignStep:
        several = self.team is not None or self.skill is not None or self.language is not None
        targets = (self.owner, several or None, self.person, self.supervisor)
        if sum(target is not None for target in targets) != 1:
            raise ValueError(
                "a step asks one target: owner, team (with skill or language), skill, language, person or supervisor"
            )
        if self.by is not None and not several:
            raise ValueError("by chooses among several people; write it with team, skill or language")
        if self.by is By.ANYBODY and self.team is None:
            raise ValueError("anybody goes with a team; choose round_robin or least_loaded for a skill")
        if self.by is By.ANYBODY and (self.skill or self.language):
            raise ValueError("the whole team sees it with anybody; choose round_robin or least_loaded")
        if self.within is not None and not self.within.length:
            raise ValueError("within: give some time, such as 2 working hours")
        return self

    @property
    def choice(self) -> By:
        """How one of several is chosen."""
        if self.by is not None:
            return self.by
        return By.LEAST_LOADED if self.skill or self.language else By.ANYBODY

    def mentions(self, number: int) -> Iterator[Mention]:
        """The team and the person."""
        if self.team is not None:
            yield Mention("team", self.team, (number, "team"))
        if self.person is not None:
            yield Mention("person", self.person, (number, "person"))
