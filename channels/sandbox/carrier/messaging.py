"""Messages of ours on their way: accepted or refused, queued for their sender, sent, delivered or not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from phonenumbers import NumberParseException, is_possible_number, parse

from channels.sandbox.carrier.courier import Courier, Unanswered
from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.mischief import (
    MAGIC_GOOD_SENDER,
    MAGIC_SENDERS,
    MAGIC_SMS,
    OF_MESSAGES,
    Occasion,
    Rule,
    Trick,
)
from channels.sandbox.carrier.moves import MESSAGE_FINAL, may_message_move
from channels.sandbox.carrier.records import API_VERSION, Account, Media, Message, Service, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sms.segments import count

#: States that are told by callback.
TOLD: Final = frozenset({"queued", "sent", "delivered", "undelivered", "failed", "canceled"})
BODY_LIMIT: Final = 1600  #: characters
MEDIA_LIMIT: Final = 10
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 _&+-]{2,11}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody asks the carrier to send. `sender` or `service_sid` is needed."""

    to: str
    body: str = ""
    sender: str = ""
    service_sid: str = ""
    media_urls: Sequence[str] = ()
    status_callback: str = ""
    validity: int = 36000
    send_at: datetime | None = None
    direction: str = "outbound-api"


@dataclass(slots=True)
class Messaging:
    """Takes messages and carries them. Each is one task until its state is final."""

    exchange: Exchange
    courier: Courier
    _free_at: dict[str, float] = field(default_factory=dict)

    def accept(self, account: Account, draft: Draft) -> Message:
        """Take a message; the rest happens by itself. Raises Refusal."""
        memory, now = self.exchange.memory, self.exchange.now()
        service = self._find_service(account, draft.service_sid)
        _check_recipient(draft.to)
        sender = self._choose_sender(account, draft, service)
        if not draft.body and not draft.media_urls:
            raise Refusal(21602)
        if len(draft.body) > BODY_LIMIT:
            raise Refusal(21617)
        if len(draft.media_urls) > MEDIA_LIMIT:
            raise Refusal(21623)
        if draft.status_callback and not draft.status_callback.startswith(("http://", "https://")):
            raise Refusal(21609, draft.status_callback)
        occasion = Occasion("messages", "POST", draft.to, sender, draft.body)
        fate = next(iter(self.exchange.mischief.choose(OF_MESSAGES, occasion)), None)
        opted_out = (draft.service_sid or sender, draft.to) in memory.opted_out
        if opted_out or (fate is not None and fate.trick is Trick.OPTED_OUT):
            raise Refusal(21610)
        if self._waiting(sender) > self.exchange.settings.queue_limit:
            raise Refusal(21611)
        message = Message(
            sid=make_sid("MM" if draft.media_urls else "SM"),
            account_sid=account.sid,
            from_="" if draft.send_at else sender,
            to=draft.to,
            body=draft.body,
            direction=draft.direction,
            status="scheduled" if draft.send_at else "accepted" if service else "queued",
            created=now,
            updated=now,
            segments=max(1, count(draft.body).segments),
            service_sid=draft.service_sid,
            status_callback=draft.status_callback or (service.status_callback if service else ""),
            validity=draft.validity,
            send_at=draft.send_at,
            media_urls=tuple(draft.media_urls),
        )
        memory.add_message(message)
        self.exchange.spawn(self._carry(message, sender, fate), f"message {message.sid}")
        return message

    def cancel(self, message: Message) -> None:
        """Withdraw a message that was not sent yet. Raises Refusal."""
        if message.status not in ("scheduled", "accepted", "queued"):
            raise Refusal(30409)
        self._move(message, "canceled")

    def redact(self, message: Message) -> None:
        """Empty the text of a finished message. Raises Refusal."""
        if message.status not in MESSAGE_FINAL and message.status != "sent":
            raise Refusal(20009)
        message.body = ""
        message.updated = self.exchange.now()

    def delete(self, message: Message) -> None:
        """Forget a finished message. Raises Refusal."""
        if message.status not in MESSAGE_FINAL and message.status != "sent":
            raise Refusal(20009)
        self.exchange.memory.forget_message(message.sid)

    # --- refusing --------------------------------------------------------------------------------------------

    def _find_service(self, account: Account, sid: str) -> Service | None:
        if not sid:
            return None
        service = self.exchange.memory.services.get(sid)
        if service is None or service.account_sid != account.sid:
            raise Refusal(21701, sid)
        if not service.senders:
            raise Refusal(21703)
        return service

    def _choose_sender(self, account: Account, draft: Draft, service: Service | None) -> str:
        sender = draft.sender
        if not sender:
            if service is None:
                raise Refusal(21603)
            service.sent += 1
            return service.senders[(service.sent - 1) % len(service.senders)]
        if sender in MAGIC_SENDERS:
            raise Refusal(MAGIC_SENDERS[sender], sender)
        number = self.exchange.memory.find_number(sender)
        owned = number is not None and number.account_sid == account.sid
        if owned or sender == MAGIC_GOOD_SENDER or (service is not None and sender in service.senders):
            return sender
        if _ALPHANUMERIC.fullmatch(sender) and not sender.startswith("+"):
            return sender
        raise Refusal(21606 if _E164.fullmatch(sender) else 21212, sender)

    # --- carrying --------------------------------------------------------------------------------------------

    async def _carry(self, message: Message, sender: str, fate: Rule | None) -> None:
        exchange = self.exchange
        pace = exchange.settings.pace
        if message.send_at is not None:
            await exchange.sleep(max(0.0, (message.send_at - exchange.now()).total_seconds()))
            message.from_ = sender
        if message.status in ("accepted", "scheduled") and not self._move(message, "queued"):
            return
        elif message.status == "queued" and not message.service_sid:
            self._tell(message)
        wait = self._take_turn(sender)
        await exchange.sleep(min(wait, message.validity))
        if wait > message.validity:
            self._move(message, "failed", 30036)
            return
        if not await self._fetch_media(message):
            self._move(message, "failed", 11200)
            return
        if fate is not None and fate.trick is Trick.FAILED:
            self._move(message, "failed", fate.code or 30008)
            return
        if not self._move(message, "sending"):
            return
        await exchange.sleep(pace)
        message.sent_at = exchange.now()
        message.price = f"{-exchange.settings.price_per_segment * message.segments:.5f}"
        if not self._move(message, "sent"):
            return
        await exchange.sleep(pace)
        if fate is not None and fate.trick is Trick.UNDELIVERED:
            self._move(message, "undelivered", fate.code or 30003)
            return
        message.arrived = exchange.now()
        if fate is None or fate.trick is not Trick.STUCK:
            self._move(message, "delivered")
        exchange.changed()

    def _waiting(self, sender: str) -> float:
        wait = self._free_at.get(sender, 0.0) - asyncio.get_running_loop().time()
        return max(0.0, wait / self.exchange.settings.second) * self.exchange.settings.messages_per_second

    def _take_turn(self, sender: str) -> float:
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at.get(sender, 0.0))
        self._free_at[sender] = start + self.exchange.real(1 / self.exchange.settings.messages_per_second)
        return (start - now) / self.exchange.settings.second

    async def _fetch_media(self, message: Message) -> bool:
        for url in message.media_urls:
            try:
                answer = await self.courier.fetch(url)
            except Unanswered:
                return False
            if answer.status != 200:
                return False
            self.attach(message, answer.content_type, answer.content)
        return True

    def attach(self, message: Message, content_type: str, content: bytes) -> Media:
        """Add a picture or file to a message."""
        sid = make_sid("ME")
        media = Media(sid, message.account_sid, message.sid, content_type, content, self.exchange.now())
        message.media.append(media)
        self.exchange.memory.media[sid] = media
        return media

    def _move(self, message: Message, status: str, error_code: int | None = None) -> bool:
        if message.sid not in self.exchange.memory.messages or not may_message_move(message.status, status):
            return False
        message.status = status
        message.error_code = error_code
        message.updated = self.exchange.now()
        self._tell(message)
        return True

    def _tell(self, message: Message) -> None:
        if message.status not in TOLD:
            return
        occasion = Occasion("messages", "", message.to, message.from_, message.body, message.status)
        self.courier.tell(
            message.account_sid,
            message.status_callback,
            describe_status(message),
            occasion,
            about=message.sid,
            final=message.status in MESSAGE_FINAL,
        )


def describe_status(message: Message) -> Mapping[str, str]:
    """The form of a status callback, in the provider's names."""
    params = {
        "MessageSid": message.sid,
        "MessageStatus": message.status,
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "AccountSid": message.account_sid,
        "From": message.from_,
        "To": message.to,
        "ApiVersion": API_VERSION,
    }
    if message.service_sid:
        params["MessagingServiceSid"] = message.service_sid
    if message.error_code:
        params["ErrorCode"] = str(message.error_code)
    if message.status in ("delivered", "undelivered"):
        params["RawDlrDoneDate"] = message.updated.strftime("%y%m%d%H%M")
    return params


def _check_recipient(to: str) -> None:
    if not to:
        raise Refusal(21604)
    if to in MAGIC_SMS:
        raise Refusal(MAGIC_SMS[to], to)
    try:
        if _E164.fullmatch(to) and is_possible_number(parse(to)):
            return
    except NumberParseException:
        pass
    raise Refusal(21211, to)
