"""Messages from people to numbers of ours: kept, told to our address, answered as its document says.

STOP, START and HELP are answered by the carrier itself, as the provider does; our address hears of them all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.courier import Courier, Unanswered
from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.messaging import Draft, Messaging
from channels.sandbox.carrier.mischief import OF_CALLBACKS, Occasion, Trick
from channels.sandbox.carrier.records import API_VERSION, Message, Number, Service, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import account_uri, country_of
from channels.sandbox.carrier.twiml import TwimlError, read_document
from channels.sms.segments import count
from domain.errors import NotFound

#: The provider's own keywords; more can be set up there for a messaging service, never fewer.
KEYWORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "STOP"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "START"),
    **dict.fromkeys(("HELP", "INFO"), "HELP"),
}
_REPLIES: Final[Mapping[str, str]] = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
_REDIRECTS: Final = 10  #: documents that one message may lead through


@dataclass(slots=True)
class Inbound:
    """Takes what people send from their phones."""

    exchange: Exchange
    courier: Courier
    messaging: Messaging

    def receive(self, sender: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()) -> Message:
        """Take a message of a person; telling us about it happens by itself. Raises NotFound: no such number."""
        memory, now = self.exchange.memory, self.exchange.now()
        number = memory.find_number(to)
        if number is None:
            raise NotFound(f"{to} is not a number of the test carrier.")
        service = memory.find_service_of(to, number.account_sid)
        message = Message(
            sid=make_sid("MM" if media else "SM"),
            account_sid=number.account_sid,
            from_=sender,
            to=to,
            body=body,
            direction="inbound",
            status="received",
            created=now,
            updated=now,
            segments=max(1, count(body).segments),
            service_sid=service.sid if service else "",
            sent_at=now,
            price=f"{-self.exchange.settings.price_per_segment:.5f}",
        )
        for content_type, content in media:
            self.messaging.attach(message, content_type, content)
        memory.add_message(message)
        keyword = KEYWORDS.get(body.strip().upper(), "") if self.exchange.settings.opt_out else ""
        if keyword:
            self._heed(keyword, message)
        self.exchange.changed()
        self.exchange.spawn(self._tell(message, number, service, keyword), f"inbound {message.sid}")
        return message

    def _heed(self, keyword: str, message: Message) -> None:
        """Remember who wants no more, and answer; the answer to STOP passes although nothing else does."""
        opted_out = self.exchange.memory.opted_out
        key = (message.service_sid or message.to, message.from_)
        opted_out.discard(key)
        account = self.exchange.memory.accounts[message.account_sid]
        try:
            self.messaging.accept(
                account,
                Draft(
                    message.from_,
                    _REPLIES[keyword],
                    message.to,
                    message.service_sid,
                    direction="outbound-reply",
                ),
            )
        except Refusal:
            pass
        if keyword == "STOP":
            opted_out.add(key)

    async def _tell(self, message: Message, number: Number, service: Service | None, keyword: str) -> None:
        url, method = number.sms_url, number.sms_method
        if service is not None and service.inbound_url:
            url, method = service.inbound_url, "POST"
        if not url:
            return
        occasion = Occasion("inbound", "", message.to, message.from_, message.body, "received")
        tricks = {rule.trick: rule for rule in self.exchange.mischief.choose(OF_CALLBACKS, occasion)}
        if Trick.MISSING in tricks:
            return
        if Trick.LATE in tricks:
            await self.exchange.sleep(tricks[Trick.LATE].seconds)
        params = self._describe(message, keyword)
        if Trick.FORGED in tricks:
            await self._knock(message, url, params, method, forged=True)
            return
        if Trick.TWICE in tricks:
            await self._knock(message, url, params, method)
        for _ in range(_REDIRECTS):
            try:
                fallback = (number.sms_fallback_url, number.sms_fallback_method)
                base, answer = await self.courier.ask_with_fallback(
                    message.account_sid, (url, method), fallback, params
                )
                following = self._perform(message, answer.text, answer.content_type, base)
            except Unanswered as error:
                self.exchange.complain(11200, message.sid, str(error))
                return
            except TwimlError as error:
                self.exchange.complain(error.code, message.sid, str(error))
                return
            if following is None:
                return
            url, method = following
            await asyncio.sleep(0)

    async def _knock(
        self, message: Message, url: str, params: Mapping[str, str], method: str, *, forged: bool = False
    ) -> None:
        """Ask without heeding the answer."""
        try:
            await self.courier.ask(message.account_sid, url, params, method=method, forged=forged)
        except Unanswered:
            pass

    def _describe(self, message: Message, keyword: str) -> dict[str, str]:
        params = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "SmsMessageSid": message.sid,
            "SmsStatus": "received",
            "AccountSid": message.account_sid,
            "From": message.from_,
            "To": message.to,
            "Body": message.body,
            "NumMedia": str(len(message.media)),
            "FromCountry": country_of(message.from_),
            "ToCountry": country_of(message.to),
            "NumSegments": str(message.segments),
            "ApiVersion": API_VERSION,
        }
        if message.service_sid:
            params["MessagingServiceSid"] = message.service_sid
            if keyword:
                params["OptOutType"] = keyword
        for place, media in enumerate(message.media):
            path = account_uri(message.account_sid, f"/Messages/{message.sid}/Media/{media.sid}")
            params[f"MediaUrl{place}"] = self.exchange.url + path
            params[f"MediaContentType{place}"] = media.content_type
        return params

    def _perform(self, message: Message, text: str, content_type: str, base: str) -> tuple[str, str] | None:
        """Send the replies of a document. Gives where it redirects to. Raises TwimlError."""
        if not text.strip():
            return None
        if content_type == "text/plain":
            self._reply(message, Draft(message.from_, text, message.to, direction="outbound-reply"))
            return None
        for element in read_document(text):
            if element.tag == "Redirect":
                return urljoin(base, (element.text or "").strip()), element.get("method", "POST")
            if element.tag in ("Message", "Sms"):
                self._reply(message, _read_reply(element, message, base))
        return None

    def _reply(self, message: Message, draft: Draft) -> None:
        try:
            self.messaging.accept(self.exchange.memory.accounts[message.account_sid], draft)
        except Refusal:
            return  # as with the provider: the reply does not leave, and nobody is told


def _read_reply(element: Element, message: Message, base: str) -> Draft:
    body = "".join(part.text or "" for part in element.findall("Body")) or (element.text or "").strip()
    callback = element.get("statusCallback") or element.get("action") or ""
    return Draft(
        to=element.get("to", message.from_),
        body=body,
        sender=element.get("from", message.to),
        service_sid=message.service_sid,
        media_urls=[urljoin(base, (part.text or "").strip()) for part in element.findall("Media")],
        status_callback=urljoin(base, callback) if callback else "",
        direction="outbound-reply",
    )
