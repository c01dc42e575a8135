"""The switch: places calls, takes them, lets phones ring, connects, ends them, and tells of each change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from channels.sandbox.carrier.courier import Courier
from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.mischief import MAGIC_CALLS, MAGIC_GOOD_SENDER, OF_PHONES, Occasion, Trick
from channels.sandbox.carrier.moves import CALL_FINAL, may_call_move
from channels.sandbox.carrier.recordings import Recordings
from channels.sandbox.carrier.records import API_VERSION, Account, Call, Webhooks, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import country_of, show_date
from channels.sandbox.carrier.voice.conferences import Conferences
from channels.sandbox.carrier.voice.line import Line, Recorder, Source, first_of
from channels.sandbox.carrier.voice.queues import Queues
from channels.sandbox.carrier.voice.script import Script
from domain.errors import Conflict, NotFound

#: State → the event of a status callback that tells it.
EVENTS: Final[Mapping[str, str]] = {
    "initiated": "initiated",
    "ringing": "ringing",
    "in-progress": "answered",
    **dict.fromkeys(CALL_FINAL, "completed"),
}

#: Final state → the answer of the telephone network (SIP, RFC 3261), as a status callback tells it.
NETWORK_ANSWERS: Final[Mapping[str, str]] = {
    "completed": "200",
    "busy": "486",
    "no-answer": "487",
    "canceled": "487",
    "failed": "480",
}


class Switch:
    """Holds the lines of all calls. Calls that ended stay, so that their phones can show them."""

    def __init__(self, exchange: Exchange, courier: Courier, recordings: Recordings) -> None:
        self.exchange = exchange
        self.courier = courier
        self.recordings = recordings
        self.lines: dict[str, Line] = {}
        self.queues = Queues(exchange)
        self.conferences = Conferences(self)

    # --- beginning -------------------------------------------------------------------------------------------

    def place(self, account: Account, call: Call, *, record: bool = False) -> Line:
        """Call somebody on behalf of the account. Raises Refusal."""
        if call.to in MAGIC_CALLS:
            raise Refusal(MAGIC_CALLS[call.to], call.to)
        if not call.to.startswith(("+", "client:", "sip:")):
            raise Refusal(21217)
        if call.from_ == "+15005550001":
            raise Refusal(21212, call.from_)
        number = self.exchange.memory.find_number(call.from_)
        if number is not None and number.account_sid == account.sid:
            call.number_sid = number.sid
        elif call.from_ != MAGIC_GOOD_SENDER and not call.from_.startswith("client:"):
            raise Refusal(21210, call.from_)
        line = self._add(call, call.to)
        self.exchange.spawn(self._conduct(line, record), f"call {call.sid}")
        return line

    def dial(self, parent: Line, to: str, caller_id: str, ring_seconds: float, hooks: Webhooks) -> Line:
        """Call somebody to connect with `parent`; whoever asked rings and connects."""
        now = self.exchange.now()
        call = Call(
            sid=make_sid("CA"),
            account_sid=parent.call.account_sid,
            from_=caller_id,
            to=to,
            direction="outbound-dial",
            status="queued",
            created=now,
            updated=now,
            hooks=hooks,
            parent_sid=parent.call.sid,
            number_sid=parent.call.number_sid,
            ring_seconds=ring_seconds,
        )
        return self._add(call, to)

    def take(self, caller: str, to: str) -> Line:
        """Somebody calls a number of ours. Raises NotFound."""
        number = self.exchange.memory.find_number(to)
        if number is None:
            raise NotFound(f"{to} is not a number of the test carrier.")
        now = self.exchange.now()
        hooks = Webhooks(
            url=number.voice_url,
            method=number.voice_method,
            fallback_url=number.voice_fallback_url,
            fallback_method=number.voice_fallback_method,
            status_callback=number.status_callback,
            status_callback_method=number.status_callback_method,
        )
        call = Call(
            sid=make_sid("CA"),
            account_sid=number.account_sid,
            from_=caller,
            to=to,
            direction="inbound",
            status="ringing",
            created=now,
            updated=now,
            hooks=hooks,
            number_sid=number.sid,
        )
        line = self._add(call, caller)
        line.shown = True
        self.exchange.changed()
        self.exchange.spawn(self._receive(line), f"call {call.sid}")
        return line

    # --- what people and the interface do --------------------------------------------------------------------

    def find(self, call_sid: str) -> Line:
        """The line of a call. Raises NotFound."""
        line = self.lines.get(call_sid)
        if line is None:
            raise NotFound(f"There is no call {call_sid}.")
        return line

    def answer(self, line: Line) -> None:
        """The person takes the call. Raises Conflict when it does not ring."""
        if line.call.status != "ringing" or line.call.direction == "inbound":
            raise Conflict("This call does not ring.")
        self.connect(line)

    def connect(self, line: Line) -> None:
        """The call is answered, from either side."""
        if self.move(line, "in-progress"):
            line.answered_at = asyncio.get_running_loop().time()
            line.call.started = self.exchange.now()
            line.answered.set()

    def hang_up(self, line: Line) -> None:
        """The person ends the call, or declines it. Raises Conflict when it has ended."""
        call = line.call
        if call.status in CALL_FINAL:
            raise Conflict("This call has ended.")
        if call.status == "in-progress":
            self.finish(line, "completed")
        else:
            self.finish(line, "no-answer" if call.direction == "inbound" else "busy")

    def finish(self, line: Line, status: str) -> None:
        """End a call in this state, whatever it was doing; does nothing when it has ended."""
        call = line.call
        if call.status in CALL_FINAL:
            return
        elapsed = asyncio.get_running_loop().time() - line.answered_at if line.answered.is_set() else 0.0
        call.ended = self.exchange.now()
        call.duration = (
            max(1, round(elapsed / self.exchange.settings.second)) if line.answered.is_set() else 0
        )
        if status == "completed":
            self._price(call)
        if not self.move(line, status):
            self.move(line, "failed" if call.status != "in-progress" else "completed")
        line.listening = frozenset()
        line.ended.set()
        for recorder in [one for one in line.recorders if not one.own_only]:  # Record ends its own
            line.recorders.remove(recorder)
            self.recordings.end(recorder.recording, call)
        if line.script is not None:
            line.script.cancel()
        self.exchange.changed()

    def _price(self, call: Call) -> None:
        """Tell what a call cost, at once or after the time in the settings."""
        settings = self.exchange.settings
        price = f"{-settings.price_per_minute * -(-(call.duration or 0) // 60):.5f}"

        async def tell_later() -> None:
            await self.exchange.sleep(settings.price_after)
            call.price = price

        if settings.price_after:
            self.exchange.spawn(tell_later(), f"price of {call.sid}")
        else:
            call.price = price

    def redirect(self, line: Line, source: Source) -> None:
        """Let a call follow another document from now on. Raises Refusal when it is not in progress."""
        if line.call.status != "in-progress":
            raise Refusal(21220)
        if line.script is not None and not line.script.done():
            line.following = source
            line.script.cancel()
        else:
            line.left.set()
            self.exchange.spawn(self._converse(line, source), f"call {line.call.sid}")

    def move(self, line: Line, status: str) -> bool:
        """Change the state, if it may, and tell."""
        call = line.call
        if not may_call_move(call.status, status):
            return False
        call.status = status
        call.updated = self.exchange.now()
        event = EVENTS.get(status, "")
        if event in call.hooks.status_events:
            params = {
                **self.describe(line),
                "CallbackSource": "call-progress-events",
                "SequenceNumber": str(call.told),
                "Timestamp": show_date(call.updated) or "",
            }
            call.told += 1
            if status in CALL_FINAL:
                params["CallDuration"] = str(call.duration or 0)
                params["Duration"] = str(-(-(call.duration or 0) // 60))
                params["SipResponseCode"] = NETWORK_ANSWERS[status]
            self.courier.tell(
                call.account_sid,
                call.hooks.status_callback,
                params,
                Occasion("calls", "", call.to, call.from_, "", status),
                about=call.sid,
                method=call.hooks.status_callback_method,
                final=status in CALL_FINAL,
            )
        self.exchange.changed()
        return True

    def describe(self, line: Line) -> dict[str, str]:
        """What every request about a call tells, in the provider's names."""
        call = line.call
        params = {
            "CallSid": call.sid,
            "AccountSid": call.account_sid,
            "From": call.from_,
            "To": call.to,
            "Caller": call.from_,
            "Called": call.to,
            "CallStatus": call.status,
            "Direction": call.direction,
            "ApiVersion": API_VERSION,
            "FromCountry": country_of(call.from_),
            "ToCountry": country_of(call.to),
        }
        if call.parent_sid:
            params["ParentCallSid"] = call.parent_sid
        if call.answered_by:
            params["AnsweredBy"] = call.answered_by
        return params

    # --- ringing and talking ---------------------------------------------------------------------------------

    async def ring(self, line: Line) -> bool:
        """Let the phone ring until it is answered; False when it is not."""
        exchange, call = self.exchange, line.call
        rules = exchange.mischief.choose(OF_PHONES, Occasion("calls", "POST", call.to, call.from_))
        trick = rules[0].trick if rules else None
        await exchange.sleep(exchange.settings.pace)
        self.move(line, "initiated")
        await exchange.sleep(exchange.settings.pace)
        if trick is Trick.UNREACHABLE:
            self.finish(line, "failed")
        elif trick is Trick.BUSY:
            self.finish(line, "busy")
        if line.ended.is_set():
            return False
        line.shown = trick is not Trick.RINGS_OUT
        self.move(line, "ringing")
        if trick in (Trick.PICKS_UP, Trick.DECLINES):
            await exchange.sleep(exchange.settings.pace)
            if trick is Trick.PICKS_UP:
                self.connect(line)
            else:
                self.finish(line, "busy")
        if not await first_of(line.answered, line.ended, timeout=exchange.real(call.ring_seconds)):
            self.finish(line, "no-answer")
        return call.status == "in-progress"

    async def _conduct(self, line: Line, record: bool) -> None:
        """An outgoing call, from its beginning to its end."""
        if not await self.ring(line):
            return
        hooks = line.call.hooks
        if record:
            recording = self.recordings.begin(line.call, "OutboundAPI")
            line.recorders.append(Recorder(recording))
        source = Source(
            hooks.url, hooks.method, hooks.document, {}, (hooks.fallback_url, hooks.fallback_method)
        )
        await self._converse(line, source)

    async def _receive(self, line: Line) -> None:
        """An incoming call, from its beginning to its end."""
        hooks = line.call.hooks
        if not hooks.url:
            self.exchange.complain(11200, line.call.sid, f"{line.call.to} has no address to ask about calls")
            self.finish(line, "failed")
            return
        source = Source(hooks.url, hooks.method, "", {}, (hooks.fallback_url, hooks.fallback_method))
        await self._converse(line, source)

    async def _converse(self, line: Line, source: Source | None) -> None:
        """Follow documents until there is none left; then hang up."""
        limit = self.exchange.real(line.call.limit_seconds)
        deadline = asyncio.get_running_loop().call_later(limit, self.finish, line, "completed")
        try:
            while source is not None and not line.ended.is_set():
                line.script = asyncio.create_task(Script(self, line).run(source))
                await asyncio.wait([line.script])
                if not line.script.cancelled():
                    line.script.result()
                source, line.following = line.following, None
        finally:
            deadline.cancel()
            if line.script is not None:
                line.script.cancel()
            self.finish(line, "completed" if line.answered.is_set() else "no-answer")

    def _add(self, call: Call, person: str) -> Line:
        line = Line(call, person, self.exchange.now, self.exchange.changed)
        self.exchange.memory.calls[call.sid] = call
        self.lines[call.sid] = line
        self.exchange.changed()
        return line
