"""Everything the carrier knows, in the memory of the one process that runs it, and how things are found in it.

Not in the database: a provider's state is not ours, and must not be found by a join. A house that loses its carrier
is in the same position as with the real one: it asks, and gets 404.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from channels.sandbox.carrier.records import (
    Account,
    Call,
    CallQueue,
    Conference,
    Media,
    Message,
    Number,
    Recording,
    Service,
    Transcription,
)


@dataclass(slots=True)
class Memory:
    """All records by their identifiers, oldest first."""

    accounts: dict[str, Account] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    transcriptions: dict[str, Transcription] = field(default_factory=dict)
    queues: dict[str, CallQueue] = field(default_factory=dict)
    conferences: dict[str, Conference] = field(default_factory=dict)
    opted_out: set[tuple[str, str]] = field(default_factory=set)  #: (sender or service, recipient)
    _threads: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add_message(self, message: Message) -> None:
        """Remember a message, and whose it is."""
        self.messages[message.sid] = message
        self._threads[message.to].append(message.sid)
        if message.from_ != message.to:
            self._threads[message.from_].append(message.sid)

    def forget_message(self, sid: str) -> None:
        """Forget a message altogether."""
        message = self.messages.pop(sid)
        for media in message.media:
            self.media.pop(media.sid, None)
        for number in {message.to, message.from_}:
            self._threads[number].remove(sid)

    def messages_with(self, number: str) -> list[Message]:
        """All messages to or from a number, oldest first."""
        return [self.messages[sid] for sid in self._threads.get(number, ())]

    def find_number(self, phone_number: str) -> Number | None:
        """The account's number that is written like this, whichever account it is."""
        return next((number for number in self.numbers.values() if number.phone_number == phone_number), None)

    def find_service_of(self, sender: str, account_sid: str) -> Service | None:
        """The messaging service that holds a sender."""
        for service in self.services.values():
            if service.account_sid == account_sid and sender in service.senders:
                return service
        return None

    def find_queue(self, account_sid: str, name: str) -> CallQueue | None:
        """A queue by its name or identifier."""
        for queue in self.queues.values():
            if queue.account_sid == account_sid and name in (queue.friendly_name, queue.sid):
                return queue
        return None

    def find_conference(self, account_sid: str, name: str) -> Conference | None:
        """The conference of this name that has not ended."""
        for conference in reversed(self.conferences.values()):
            if conference.account_sid == account_sid and conference.friendly_name == name:
                return conference if conference.status != "completed" else None
        return None

    def may_use(self, login: str, account_sid: str) -> bool:
        """Whether the account that logged in may use the other: itself, or a subaccount of it."""
        account = self.accounts.get(account_sid)
        return account is not None and login in (account.sid, account.owner_sid)
