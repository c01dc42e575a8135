"""The actions `assign` and `escalate`: who has the event's conversation, and who answers when that does not help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.events import EventType
from router.then.base import Mention, Order, Written


class AssignConversation(Order):
    """Give the event's conversation to somebody: the first of those written here who is there and active.

    Conversations of confidential queues go to people of their team only.
    """

    owner: Literal[True] | None = Field(None, description="true: the user who looks after the contact")
    person: str | None = Field(None, max_length=320, description="a user, by mail address")
    team: str | None = Field(
        None, max_length=200, description="the member of this team who has the fewest open conversations"
    )
    nobody: Literal[True] | None = Field(None, description="true: take it from whoever has it")

    @model_validator(mode="after")
    def _somebody(self) -> AssignConversation:
        if self.nobody and (self.owner or self.person or self.team):
            raise ValueError("write either nobody, or somebody")
        if not (self.nobody or self.owner or self.person or self.team):
            raise ValueError("write who gets it: owner: true, person: anna@example.org, team: sales")
        return self

    def mentions(self) -> Iterator[Mention]:
        """The person and the team."""
        if self.person is not None:
            yield Mention("person", self.person, ("person",))
        if self.team is not None:
            yield Mention("team", self.team, ("team",))


def _whom(value: Any) -> Any:
    if value in ("owner", "nobody"):
        return {value: True}
    return {"person": value} if isinstance(value, str) else value


class AssignAction(Written):
    """The action `assign`; `owner`, `nobody` or a mail address will do."""

    assign: Annotated[AssignConversation, BeforeValidator(_whom)]


class Escalate(Order):
    """Pass the event's task on to a supervisor, as when its time ran out. An event without a task: its conversation goes
    to the supervisor of its queue's team, with high priority at least.
    """

    to: str | None = Field(
        None,
        max_length=320,
        description="a user, by mail address; left out, the team's manager, else any manager",
    )

    def mentions(self) -> Iterator[Mention]:
        """The person."""
        if self.to is not None:
            yield Mention("person", self.to, ("to",))

    def causes(self) -> frozenset[EventType]:
        """The task passes on, or the conversation changes."""
        return frozenset({EventType.TASK_ESCALATED, EventType.CONVERSATION_ASSIGNED, EventType.CHANGED})

    def changes(self) -> frozenset[str]:
        """The field as its Changed event names it."""
        return frozenset({"conversation.priority"})


def _to(value: Any) -> Any:
    if value is True:
        return {}
    return {"to": value} if isinstance(value, str) else value


class EscalateAction(Written):
    """The action `escalate`; `true` or a mail address will do."""

    escalate: Annotated[Escalate, BeforeValidator(_to)]
