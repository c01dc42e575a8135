"""Conversations: the inbound and outbound messages of one exchange with a contact."""

from __future__ import annotations

from enum import StrEnum


class ConversationState(StrEnum):
    """Who has to act."""

    OPEN = "open"  #: we owe an answer
    WAITING = "waiting"  #: the contact owes an answer
    CLOSED = "closed"  #: nobody owes anything
