"""What every channel of requests does alike: batches, turns under the limits, the provider's rests.

A channel adds `_read`, what a message has to be, and `_post`: one request for it, and what the answer means.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from channels.http.dispatch import Dispatch, Flight
from channels.http.outcomes import Judgement, judge_silence, seconds_of
from channels.http.pace import Pace
from channels.http.session import WebSession, name_failure
from channels.http.settings import HttpSettings
from channels.reasons import Reason
from domain.errors import DeliveryError, UnsupportedFeature
from domain.messages import DeliveryState, Outbound, Outcome, Receipt

log = logging.getLogger(__name__)

#: Option of a message: when it may leave (time.monotonic), where somebody counts for all processes.
TURN = "turn"
#: Times that a message is offered again after 429, which was never processed.
_OFFERS = 5


class Posted:
    """What an answer came to: the provider's number of a message it took, or a judgement and its words."""

    __slots__ = ("judgement", "of_sender", "provider_id", "words")

    def __init__(
        self,
        words: str,
        *,
        provider_id: str = "",
        judgement: Judgement | None = None,
        of_sender: bool = False,
    ) -> None:
        """`of_sender`: too many messages of this one sender, others may go on."""
        self.words = words
        self.provider_id = provider_id
        self.of_sender = of_sender
        self.judgement = judgement or Judgement(DeliveryState.SENT, "")


class Unfit(Exception):
    """A message that no provider could take. `reason` is a word of ours, `str` the sentence for people."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason = reason
        super().__init__(words)


class Paced(Protocol):
    """A message that was read: whose rate it keeps, and how many places it takes there."""

    @property
    def paced_by(self) -> str:
        """A number, a name or a service."""
        ...

    @property
    def parts(self) -> int:
        """At least one."""
        ...


Item = TypeVar("Item", bound=Paced)


class Sending(ABC, Generic[Item]):
    """Sends messages by requests. Belongs to the event loop that first delivers."""

    #: What the reasons of its outcomes mean
    vocabulary: ClassVar[Mapping[str, Reason]]

    def __init__(self, settings: HttpSettings) -> None:
        waits = settings.timeouts
        self.web = WebSession(waits, settings.connections)
        self.pace = Pace(settings.rates, settings.rate, waits.turn, waits.rest)
        self._dispatch = Dispatch(self._attempt, settings.connections, waits.grace)
        self._longest_rest = waits.rest

    @abstractmethod
    def _read(self, message: Outbound) -> Item:
        """What a message says, as the provider takes it. Raises Unfit."""

    @abstractmethod
    async def _post(self, item: Item, flight: Flight) -> Posted:
        """Offer one message. May raise what WebSession.request raises."""

    def _unready(self) -> str:
        """Why nothing can be sent with these settings, in words; empty when something can."""
        return ""

    async def send(self, message: Outbound) -> Receipt:
        """Send one message. Raises DeliveryError, or UnsupportedFeature for an option that the channel lacks."""
        outcomes: list[Outcome] = []
        await self._dispatch.deliver([message], outcomes.append)
        (outcome,) = outcomes
        if outcome.state is DeliveryState.SENT:
            return Receipt(message.key, message.attempt, outcome.reply, outcome.provider_id)
        words = outcome.reply or self.vocabulary[outcome.reason].gloss
        if outcome.reason == "unsupported":
            raise UnsupportedFeature(words)
        raise DeliveryError(
            words,
            permanent=outcome.state is DeliveryState.REJECTED,
            uncertain=outcome.state is DeliveryState.UNCERTAIN,
        )

    async def deliver(self, batch: Sequence[Outbound], settle: Callable[[Outcome], None]) -> None:
        """Send many; see Dispatch.deliver for cancellation and for errors in `settle`."""
        await self._dispatch.deliver(batch, settle)

    async def close(self) -> None:
        """Interrupt what is under way, close the connections."""
        await self._dispatch.close()
        await self.web.close()

    async def _attempt(self, flight: Flight) -> Outcome:
        try:
            item = self._read(flight.message)
        except Unfit as unfit:
            return flight.outcome(DeliveryState.REJECTED, str(unfit), unfit.reason)
        if problem := self._unready():
            return flight.outcome(DeliveryState.DEFERRED, problem, "auth_failed", unreached=True)
        words = "no turn under the limits of this sender"
        if turn := flight.message.options.get(TURN):
            if await self.pace.keep(item.paced_by, float(turn)):
                return await self._offer(item, flight)
            return flight.outcome(DeliveryState.DEFERRED, words, "throttled")
        for _ in range(_OFFERS):
            if not await self.pace.wait(item.paced_by, item.parts):
                break
            outcome = await self._offer(item, flight)
            if outcome.reason != "throttled" or outcome.state is not DeliveryState.DEFERRED:
                return outcome
            words = outcome.reply
        return flight.outcome(DeliveryState.DEFERRED, words, "throttled")

    async def _offer(self, item: Item, flight: Flight) -> Outcome:
        """One request; a refusal for too many of them lets everybody rest."""
        flight.written = False
        try:
            posted = await self._post(item, flight)
        except Exception as error:
            reason, words, unreached = name_failure(error)
            if reason == "protocol_error":
                log.warning("offering message %s failed: %s", flight.message.key, words)
            state, reason = judge_silence(reason, written=flight.written)
            return flight.outcome(state, words, reason, unreached=unreached and not flight.written)
        state, reason = posted.judgement
        if state is DeliveryState.SENT:
            self.pace.taken(item.paced_by)
            return flight.outcome(state, posted.words, provider_id=posted.provider_id)
        if reason == "throttled" and state is DeliveryState.DEFERRED:
            flight.written = False
            asked = seconds_of(flight.retry_after, self._longest_rest)
            self.pace.rest(asked, item.paced_by if posted.of_sender else "")
        return flight.outcome(state, posted.words, reason)
