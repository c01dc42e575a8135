"""The action `pause_marketing`: no campaign is sent to the contact meanwhile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.conditions import Duration
from domain.events import EventType
from router.then.base import Order, Written


class PauseMarketing(Order):
    """Send no campaign to the contact while the event's conversation or case is open, or for a time; the longer one
    counts when both are written. What a campaign would have sent meanwhile is not sent later. The contact's page
    shows the pause, and people lift it there.
    """

    while_: Literal["conversation", "case"] | None = Field(
        None, alias="while", description="conversation or case: as long as the event's is not closed"
    )
    for_: Duration | None = Field(None, alias="for", description="how long, such as 14d")

    @model_validator(mode="after")
    def _some_end(self) -> PauseMarketing:
        if self.while_ is None and self.for_ is None:
            raise ValueError("write until when: while: conversation, while: case, or for: 14d")
        return self

    def causes(self) -> frozenset[EventType]:
        """The pause is told as a change."""
        return frozenset({EventType.CHANGED})

    def changes(self) -> frozenset[str]:
        """The field as its Changed event names it."""
        return frozenset({"marketing_pause"})


class PauseMarketingAction(Written):
    """The action `pause_marketing`; a time such as 14d will do."""

    pause_marketing: Annotated[
        PauseMarketing, BeforeValidator(lambda value: {"for": value} if isinstance(value, str) else value)
    ]
