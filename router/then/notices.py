"""The action `notify`: people who work here are told something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from router.then.base import Mention, Order, Template, Written

LONGEST_NOTICE: Final = 1000
By = Literal["console", "mail", "sms"]


class Notify(Order):
    """Tell people who work here, all of those written here, each once: in the console, by mail or by SMS.

    About what is confidential only those are told who may see it. By SMS goes to those who have a phone number.
    """

    text: str = Field(min_length=1, max_length=LONGEST_NOTICE, description="what they are told, with fields")
    owner: Literal[True] | None = Field(None, description="true: the user who looks after the contact")
    assignee: Literal[True] | None = Field(
        None, description="true: whoever has the event's task, or else its conversation"
    )
    person: str | None = Field(None, max_length=320, description="a user, by mail address")
    team: str | None = Field(None, max_length=200, description="everybody of this team")
    by: Annotated[
        tuple[By, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = Field(("console",), min_length=1, description="console, mail or sms, or a list of them")

    @model_validator(mode="after")
    def _somebody(self) -> Notify:
        if not (self.owner or self.assignee or self.person or self.team):
            raise ValueError(
                "write who is told: owner: true, assignee: true, person: anna@example.org, team: sales"
            )
        return self

    def templates(self) -> Mapping[str, Template]:
        """What they are told."""
        return {"text": Template(self.text, LONGEST_NOTICE)}

    def mentions(self) -> Iterator[Mention]:
        """The person and the team."""
        if self.person is not None:
            yield Mention("person", self.person, ("person",))
        if self.team is not None:
            yield Mention("team", self.team, ("team",))


class NotifyAction(Written):
    """The action `notify`."""

    notify: Notify
