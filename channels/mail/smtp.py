"""Mail over SMTP: the channel itself. The dialogue is in session.py, connections in pool.py, servers in relays.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from pydantic import BaseModel

from channels.base import CallbackRequest, Capability, Received
from channels.mail.envelope import read_envelope
from channels.mail.oauth.tokens import TokenFactory
from channels.mail.sending.outcomes import REASONS
from channels.mail.sending.relays import Relays
from channels.mail.settings import MailSettings
from domain.errors import DeliveryError, UnsupportedFeature
from domain.events import NewEvent
from domain.messages import ChannelKind, DeliveryState, Outbound, Outcome, Receipt


class MailChannel:
    """Mail to the world through SMTP servers. Belongs to the event loop that first delivers."""

    name: ClassVar[str] = "mail"
    kind: ClassVar[ChannelKind] = ChannelKind.MAIL
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SEND, Capability.HTML, Capability.ATTACHMENTS, Capability.BULK}
    )
    settings_model: ClassVar[type[BaseModel]] = MailSettings

    def __init__(self, settings: MailSettings, tokens: TokenFactory | None = None) -> None:
        """`tokens` gives access tokens to relays that log in by OAuth."""
        self.settings = settings
        self.relays = Relays(settings.servers, tokens)

    async def send(self, message: Outbound) -> Receipt:
        """Deliver one message. Raises DeliveryError, or UnsupportedFeature when the server lacks one."""
        outcomes: list[Outcome] = []
        await self.relays.deliver([message], outcomes.append)
        (outcome,) = outcomes
        if outcome.state is DeliveryState.SENT:
            return Receipt(message.key, message.attempt, outcome.reply)
        words = outcome.reply or REASONS[outcome.reason]
        if outcome.reason == "unsupported":
            raise UnsupportedFeature(words)
        raise DeliveryError(
            words,
            permanent=outcome.state is DeliveryState.REJECTED,
            uncertain=outcome.state is DeliveryState.UNCERTAIN,
        )

    async def deliver(self, batch: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        """Deliver many; see Relays.deliver for cancellation and for errors in `settle`."""
        await self.relays.deliver(batch, settle)

    async def close(self) -> None:
        """Finish or interrupt what is under way, say QUIT, close every connection."""
        await self.relays.close()

    def parse_callback(self, request: CallbackRequest) -> list[NewEvent]:
        """SMTP servers do not call back; what they have to say later arrives as mail."""
        raise UnsupportedFeature("mail over SMTP has no callbacks")

    def parse_inbound(self, raw: bytes) -> Received:
        """The envelope of a stored mail, as far as its headers tell; never raises."""
        return read_envelope(raw)
