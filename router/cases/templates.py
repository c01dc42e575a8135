"""The model of a task template: several steps, who does each, what blocks what, which ones a second person checks.

    templates:
      - name: hiring
        title: {en: Hiring, fr: Recrutement}
        starts: true
        steps:
          - {name: screen, task: "Read the papers of {contact.name}", assign: {owner: true}}
          - {name: interview, kind: interview, task: "Meet {contact.name}", assign: {team: HR}, after: screen}
          - {name: offer, task: Write the contract, assign: {owner: true}, after: interview, check: {team: HR}}

A step becomes a task when every step that it comes after is done. Work on it is router/cases/steps.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from domain.tasks import Priority, TaskKind
from router.spans import WrittenSpan, parse_span
from router.then.base import LONGEST_NOTE, LONGEST_TITLE, Written

StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Who(Written):
    """Who gets a task of a case: its owner, a team, or a person."""

    owner: Literal[True] | None = Field(None, description="true: whoever looks after the case, else its team")
    team: str | None = Field(
        None, min_length=1, max_length=200, description="the people of a team, by its exact name"
    )
    person: str | None = Field(None, max_length=320, description="a person, by the address to sign in with")

    @model_validator(mode="after")
    def _one(self) -> Who:
        if sum(value is not None for value in (self.owner, self.team, self.person)) != 1:
            raise ValueError("write one of {owner: true}, {team: Sales} or {person: anna@example.com}")
        return self


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Step(Written):
    """One step of a template."""

    name: StepName = Field(description="small letters, digits and _; what other steps call it")
    task: str = Field(
        min_length=1,
        max_length=LONGEST_TITLE,
        description="what is to be done, in one line, with fields: {contact.name}, {case.title}",
    )
    description: str | None = Field(
        None, max_length=LONGEST_NOTE, description="what the assignee has to know, with fields"
    )
    kind: TaskKind = Field(TaskKind.TODO, description="what sort of work")
    priority: Priority = Field(Priority.NORMAL, description="low, normal, high or urgent")
    assign: Who = Field(description="who gets it")
    after: Annotated[tuple[StepName, ...], BeforeValidator(_listed)] = Field(
        (), max_length=30, description="the steps that have to be done before: a name or a list"
    )
    check: Who | None = Field(
        None, description="a second person says that it was done well; never whoever did it"
    )
    decide_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("4 working hours"), description="time to decide on it"
    )
    due_within: WrittenSpan = Field(
        default_factory=lambda: parse_span("2 working days"), description="time to have it done"
    )


class TaskTemplate(Written):
    """Work in several steps."""

    name: StepName = Field(description="small letters, digits and _; what rules and programs call it")
    title: Annotated[
        dict[str, Annotated[str, StringConstraints(min_length=1, max_length=100)]],
        BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
    ] = Field(default_factory=dict, description="what people read: a text, or {en: Hiring, fr: Recrutement}")
    starts: bool = Field(False, description="true: begins by itself when a case of the type is opened")
    steps: tuple[Step, ...] = Field(min_length=1, max_length=50, description="each with who does it")

    @model_validator(mode="after")
    def _no_circles(self) -> TaskTemplate:
        names = [step.name for step in self.steps]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled:
            raise ValueError(f"steps: {doubled} stands there twice; give each step a name of its own")
        for step in self.steps:
            missing = next((name for name in step.after if name not in names), None)
            if missing:
                raise ValueError(
                    f"steps: {step.name} comes after {missing}, which is no step of the template"
                )
        stuck = next(iter(self._stuck()), None)
        if stuck:
            raise ValueError(f"steps: {stuck} waits for itself; take a step out of after")
        return self

    def _stuck(self) -> Iterator[str]:
        done: set[str] = set()
        left = list(self.steps)
        while ready := [step for step in left if done.issuperset(step.after)]:
            done |= {step.name for step in ready}
            left = [step for step in left if step.name not in done]
        yield from (step.name for step in left)

    def said(self, language: str) -> str:
        """What people of a language read."""
        return (
            self.title.get(language)
            or self.title.get("en")
            or next(iter(self.title.values()), self.name.replace("_", " "))
        )
