"""The vocabulary of everything that happens: past participles, frozen, one line each.

An event is appended once and never changed. It holds ids and small facts; text, network addresses and
agents live in side tables that can be erased.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class EventType(StrEnum):
    """Each thing that can happen to a contact."""

    # Delivery
    QUEUED = "Queued"  #: written to the outbox
    SENT = "Sent"  #: accepted by the receiving server or the provider
    DELIVERED = "Delivered"  #: reported as arrived in the mailbox or on the handset
    DEFERRED = "Deferred"  #: refused for now, will be tried again
    BOUNCED = "Bounced"  #: accepted first, returned later
    REJECTED = "Rejected"  #: refused for good, or suppressed before sending
    FAILED = "Failed"  #: given up after all attempts, or broken on our side
    # Engagement
    OPENED = "Opened"  #: the pixel of a mail was fetched
    CLICKED = "Clicked"  #: a link of a message was followed
    DOWNLOADED = "Downloaded"  #: an asset was fetched
    VISITED = "Visited"  #: a page of ours was seen
    ANSWERED = "Answered"  #: a call was taken, or a message replied to
    # Inbound
    RECEIVED = "Received"  #: a message of the contact arrived
    AUTO_REPLIED = "AutoReplied"  #: an out-of-office or other automatic answer arrived
    FILTERED = "Filtered"  #: a message arrived and was taken for junk
    # Calls
    CALLED = "Called"  #: a call from or to the contact began; who took it is told by Answered
    CALL_ENDED = "CallEnded"  #: a call ended, with its result and length
    # Consent
    GRANTED = "Granted"  #: consent given for a purpose
    WITHDRAWN = "Withdrawn"  #: consent taken back for a purpose
    COMPLAINED = "Complained"  #: reported one of our messages as unwanted
    # Work
    TASK_OPENED = "TaskOpened"  #: a task about the contact was offered
    TASK_ACCEPTED = "TaskAccepted"  #: an assignee took the task on
    TASK_DECLINED = "TaskDeclined"  #: an assignee refused the task, with a reason
    TASK_RESCHEDULED = "TaskRescheduled"  #: the task was moved to a later time
    TASK_ESCALATED = "TaskEscalated"  #: a clock of the task ran out, or somebody asked for help
    TASK_DONE = "TaskDone"  #: the task was finished, with an outcome
    # Conversations
    CONVERSATION_ASSIGNED = "ConversationAssigned"  #: a conversation was given to a person, or to nobody
    CONVERSATION_MOVED = "ConversationMoved"  #: a conversation was moved to another queue
    CONVERSATION_CLOSED = "ConversationClosed"  #: a person said that nobody owes anything any more
    CONVERSATION_PARKED = "ConversationParked"  #: a person said that the contact owes the next word
    CONVERSATION_REOPENED = "ConversationReopened"  #: a person said that we owe an answer after all
    CONVERSATION_JUDGED = "ConversationJudged"  #: a person said whether a conversation is junk
    OVERLOOKED = "Overlooked"  #: nobody decided on a message of the contact within the limit of the settings
    WARNED = "Warned"  #: the time for what a queue promises is nearly over: promise, due
    BREACHED = "Breached"  #: what a queue promises was not kept: promise, due
    PLACED = "Placed"  #: a person decided which conversation a message belongs to
    # Cases
    CASE_OPENED = "CaseOpened"  #: a case of the contact was opened
    CASE_MOVED = "CaseMoved"  #: a case moved to another stage: old, new
    CASE_CHANGED = "CaseChanged"  #: title, owner, people or a field of a case changed: field, old, new
    CASE_CLOSED = "CaseClosed"  #: a case was closed
    CASE_REOPENED = "CaseReopened"  #: a closed case was opened again
    CASE_JOINED = "CaseJoined"  #: a conversation, task or message was put into a case
    CASE_LEFT = "CaseLeft"  #: a conversation, task or message was taken out of a case
    # Data
    CHANGED = "Changed"  #: a field of the contact changed: field, old, new
    # Time
    REACHED = "Reached"  #: a moment came that a rule waits for: so long before or after a date of the contact or case
    # Written by hand
    NOTED = "Noted"  #: a person noted a meeting, a letter, a fax, a chat or a visit


ENGAGEMENT: Final = frozenset({EventType.OPENED, EventType.CLICKED, EventType.DOWNLOADED, EventType.VISITED})


class Verdict(StrEnum):
    """Who was behind a hit (promise 7)."""

    HUMAN = "human"
    MACHINE = "machine"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before it is recorded. `key` makes it idempotent across the whole house."""

    type: EventType
    occurred_at: datetime
    contact_id: int | None = None
    message_id: int | None = None
    campaign_id: int | None = None
    conversation_id: int | None = None
    case_id: int | None = None
    task_id: int | None = None
    actor_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it was recorded."""

    id: int
    recorded_at: datetime
    type: EventType
    occurred_at: datetime
    contact_id: int | None
    message_id: int | None
    campaign_id: int | None
    conversation_id: int | None
    case_id: int | None
    task_id: int | None
    actor_id: int | None
    data: Mapping[str, Any]
