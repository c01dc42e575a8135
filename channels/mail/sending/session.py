"""One SMTP connection: an asyncio protocol that pulls messages from a queue and writes them back to back.

With PIPELINING the next message's MAIL, RCPT and DATA travel in the same write as the end of the message
before them ("past the dot", RFC 2920 3.1), so that a message costs one round trip. No task, future or timer
is made per message: replies drive a small state machine, and the pool looks at `deadline` now and then.

Where a message is decides what a lost connection means for it (outcomes.judge_silence):
`ahead` its commands may be written, its content not; `wire` its content is being written, and `dot_left`
tells whether the end of it was handed to the transport.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from channels.mail.sending import steps
from channels.mail.sending.dialogue import Dialogue
from channels.mail.sending.outcomes import Phase, judge_refusal, judge_silence
from channels.mail.sending.queue import Job
from channels.mail.sending.wire import (
    BROKEN,
    Features,
    Refusal,
    reply_text,
    split_lines,
    transaction,
)
from channels.mail.settings import Timeouts
from domain.messages import DeliveryState

#: Content above this many bytes is written in blocks, so that a slow server holds up our memory as little
#: as possible, and a connection lost half-way is known to be lost before the end.
BLOCK: Final = 65536

_SENT: Final = DeliveryState.SENT
_DEFERRED: Final = DeliveryState.DEFERRED
_REJECTED: Final = DeliveryState.REJECTED


class Keeper(Protocol):
    """What a session asks of its pool."""

    def next_job(self) -> Job | None:
        """Hand over the next message, or None when there is none now."""
        ...

    def give_back(self, job: Job) -> None:
        """Queue a message again: nothing of its content was written, and the session did work before."""
        ...

    def rest(self, session: Session) -> None:
        """The session has nothing to do and is open."""
        ...

    def part(self, session: Session) -> None:
        """The session is over; its messages are settled or given back."""
        ...


class Session(Dialogue):
    """A connection to one server. `deadline` is in the loop's time; past it the pool calls `expire`."""

    def __init__(self, keeper: Keeper, timeouts: Timeouts, messages: int) -> None:
        super().__init__()
        self._keeper = keeper
        self._left = messages  # how many more this connection may carry
        self._waits = steps.waits(timeouts)
        self._step = steps.OPENING
        self._commands = b""  # the group of `ahead`
        self._lines: Iterator[bytes] = iter(())  # its lines not yet written, without PIPELINING
        self._soiled = False  # a transaction may be open on the server: RSET comes first
        self._failed = False  # `ahead` is settled already, its group's other replies are still coming
        self._rcpt_failed = False
        self._poured = 0  # bytes of `wire` written so far
        self._paused = False
        self._rested = False
        self.ready = False  # opened, encrypted and logged in
        self.features = Features()
        self.ahead: Job | None = None
        self.wire: Job | None = None
        self.dot_left = False
        self.settled = 0
        self.sent = 0
        self.deadline = float("inf")

    # --- asyncio.Protocol ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with whatever came."""
        if self._step == steps.OPENING:
            super().data_received(data)
            return
        for code, text in self._parser.feed(data):
            self._advance(code, text)
        self._set_deadline()

    def pause_writing(self) -> None:
        """Called by asyncio when the transport's buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Called by asyncio when the transport's buffer has room again."""
        self._paused = False
        if self._step == steps.POURING:
            self._pour()
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio once, however the connection ended."""
        farewell, step = self.farewell, self._step
        self._step = steps.GONE
        super().connection_lost(exc)
        if step == steps.OPENING:
            return  # the coroutine that opens it is told by its waiter, or by `start`
        if step in (steps.HUNG_UP, steps.QUIT):
            self.farewell = farewell
        else:
            self._let_go()
        self._keeper.part(self)

    # --- the pool's side ----------------------------------------------------------------------------

    def start(self, features: Features) -> None:
        """The connection is open and, where wanted, encrypted and logged in: carry messages."""
        if self._step == steps.GONE:
            self._keeper.part(self)
            return
        self.features = features
        self._take_turn()
        self._set_deadline()

    def wake(self) -> None:
        """There is work again; nothing happens when the session does not rest any more."""
        if self._step == steps.IDLE:
            self._take_turn()
            self._set_deadline()

    def expire(self) -> None:
        """The deadline has passed: a resting session says goodbye, any other one is cut off."""
        if self._step == steps.IDLE:
            self.quit()
        elif self._step == steps.QUIT:
            self.hang_up("", "")
        else:
            self.hang_up("timeout", "the server did not answer in time")

    def quit(self) -> None:
        """End a session in good order; only when no message is in its hands."""
        if self._step in (steps.QUIT, steps.HUNG_UP, steps.GONE) or self.transport is None:
            return
        self._step = steps.QUIT
        self._set_deadline()
        self.transport.write(b"QUIT\r\n")

    def hang_up(self, reason: str, words: str) -> None:
        """Cut the connection now; the messages in its hands end with this reason."""
        if self._step in (steps.HUNG_UP, steps.GONE):
            return
        self._step = steps.HUNG_UP
        self.farewell = (reason, words)
        self._let_go()
        if self.transport is not None:
            self.transport.abort()

    def withdraw(self, batch: object) -> None:
        """Give up this batch's messages whose end is not written yet; the connection ends when it must."""
        if self.ahead is not None and self.ahead[1] is batch:
            message, its_batch = self.ahead
            self._failed, self.ahead = True, None
            its_batch.settle(message, _DEFERRED, "", "interrupted")
        if self.wire is not None and self.wire[1] is batch and not self.dot_left:
            self.hang_up("interrupted", "")

    # --- the dialogue -------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        """Nothing is outstanding: begin the next message, or rest, or part when this was the last."""
        transport = self.transport
        if transport is None:
            return
        if not self._reserve():
            if self._left > 0:
                self._step = steps.IDLE
                self._rested = True
                self._keeper.rest(self)
            else:
                self.quit()
            return
        self._step = steps.RSET if self._soiled else steps.MAIL
        if self.features.pipelining:
            transport.write(b"RSET\r\n" + self._commands if self._soiled else self._commands)
        else:
            self._lines = iter(split_lines(self._commands))
            transport.write(b"RSET\r\n" if self._soiled else next(self._lines))

    def _reserve(self) -> bool:
        """Put the next message that this server can take into `ahead`; settle those it cannot."""
        while self._left > 0 and (job := self._keeper.next_job()) is not None:
            try:
                self._commands = transaction(job[0], self.features)
            except Refusal as refusal:
                self.settled += 1
                job[1].settle(job[0], _REJECTED, refusal.sentence, refusal.reason)
                continue
            self.ahead = job
            self._failed = self._rcpt_failed = False
            self._left -= 1
            return True
        return False

    def _advance(self, code: int, text: bytes) -> None:
        """A reply came: see steps.py."""
        step = self._step
        if code == BROKEN:
            self.hang_up("protocol_error", reply_text(code, text))
        elif step == steps.DOT:
            self._end_message(code, text)
        elif step == steps.MAIL:
            self._step = steps.RCPT
            if code // 100 != 2:
                self._refuse(Phase.MAIL, code, text)
            self._write_next_line()
        elif step == steps.RCPT:
            self._step = steps.DATA
            if code // 100 != 2:
                self._rcpt_failed = True
                self._refuse(Phase.RCPT, code, text)
            self._write_next_line()
        elif step == steps.DATA:
            self._begin_content(code, text)
        elif step == steps.RSET:
            if code // 100 != 2:
                self.hang_up("protocol_error", reply_text(code, text))
                return
            self._soiled = False
            self._step = steps.MAIL
            self._write_next_line()
        elif step == steps.LONE_DOT:
            self._after_failure()
        elif step == steps.POURING:
            self._interrupted_by(code, text)
        elif step in (steps.IDLE, steps.QUIT):
            self._step = steps.QUIT  # nothing was asked: 421, or an answer to QUIT
            if self.transport is not None:
                self.transport.close()

    def _write_next_line(self) -> None:
        """Without PIPELINING: write the next command, or leave the rest of a failed group unsaid."""
        if self.features.pipelining or self.transport is None or self._step == steps.HUNG_UP:
            return
        if self._failed:
            self._after_failure()
        else:
            self.transport.write(next(self._lines))

    def _refuse(self, phase: Phase, code: int, text: bytes) -> None:
        """A command of `ahead` was refused. 421 ends the session; others leave it usable."""
        if code == 421 and self._seasoned:
            self.hang_up("unavailable", reply_text(code, text))  # the message may try another connection
            return
        if self.ahead is not None:
            message, batch = self.ahead
            self.ahead = None
            self._failed = True
            self.settled += 1
            state, reason = judge_refusal(phase, code, text)
            batch.settle(message, state, reply_text(code, text), reason)
        if code == 421:
            self.hang_up("unavailable", reply_text(code, text))

    def _begin_content(self, code: int, text: bytes) -> None:
        """The reply to DATA."""
        transport = self.transport
        if transport is None:
            return
        if code != 354:
            if code // 100 not in (4, 5):
                self.hang_up("protocol_error", reply_text(code, text))
                return
            self._refuse(Phase.DATA, code, text)
            self._after_failure()
            return
        job = self.ahead
        if job is None:
            if self._rcpt_failed:
                # RFC 2920 3.1: no recipient, 354 all the same: end the data at once, nothing is delivered.
                self._step = steps.LONE_DOT
                transport.write(b".\r\n")
            else:
                # The message was withdrawn, or MAIL failed and RCPT did not: an end would deliver an empty one.
                self.hang_up("interrupted", "")
            return
        self.ahead = None
        self.wire = job
        self.dot_left = False
        content = job[0].content
        if len(content) > BLOCK:
            self._poured = 0
            self._step = steps.POURING
            self._pour()
            return
        self._write_end(content)

    def _pour(self) -> None:
        """Write a long content block by block while the transport takes it."""
        if self.wire is None or self.transport is None:
            return
        content = self.wire[0].content
        while not self._paused:
            block = content[self._poured : self._poured + BLOCK]
            self._poured += len(block)
            if self._poured == len(content):
                self._write_end(block)
                return
            self.transport.write(block)

    def _write_end(self, block: bytes) -> None:
        """Write the end of `wire`, and with PIPELINING the next message's commands behind it."""
        assert self.transport is not None
        self._step = steps.DOT
        self.dot_left = True
        if self.features.pipelining and self._reserve():
            self.transport.write(block + self._commands)
        else:
            self.transport.write(block)

    def _end_message(self, code: int, text: bytes) -> None:
        """The reply to the final dot."""
        assert self.wire is not None
        message, batch = self.wire
        kind = code // 100
        if kind == 2:
            self.wire = None
            self.settled += 1
            self.sent += 1
            batch.settle(message, _SENT, reply_text(code, text))
        elif kind in (4, 5):
            self.wire = None
            self.settled += 1
            state, reason = judge_refusal(Phase.DOT, code, text)
            batch.settle(message, state, reply_text(code, text), reason)
            if code == 421:
                self.hang_up("unavailable", reply_text(code, text))
                return
        else:
            self.hang_up("protocol_error", reply_text(code, text))
            return
        if self._commands_written():
            self._step = steps.MAIL
        else:
            self._take_turn()

    def _commands_written(self) -> bool:
        """Whether a group went past the dot, be its message withdrawn since or not."""
        return self.ahead is not None or self._failed

    def _after_failure(self) -> None:
        """A transaction failed and all its replies are here: the next one begins with RSET."""
        if self._step == steps.HUNG_UP:
            return
        self._failed = False
        self._soiled = True
        self._take_turn()

    def _interrupted_by(self, code: int, text: bytes) -> None:
        """The server spoke before the end of the content: it will not take it. The connection ends."""
        if self.wire is None:
            return
        message, batch = self.wire
        self.wire = None
        self.settled += 1
        state, reason = judge_refusal(Phase.DATA, code, text)
        batch.settle(message, state, reply_text(code, text), reason)
        self.hang_up("protocol_error", reply_text(code, text))

    # --- endings ------------------------------------------------------------------------------------

    @property
    def _seasoned(self) -> bool:
        """Whether this connection worked before, so that a message lost with it may try a fresh one.

        Each session that gives a message back has settled another or waited without work before: no
        message goes round for ever.
        """
        return self.settled > 0 or self._rested

    def _let_go(self) -> None:
        """Settle or give back what is in our hands; the connection is of no more use."""
        reason, words = self.farewell
        if self.wire is not None:
            message, batch = self.wire
            self.wire = None
            self.settled += 1
            batch.settle(message, judge_silence(dot_left=self.dot_left), words, reason)
        if self.ahead is not None:
            job, self.ahead = self.ahead, None
            if self._seasoned and reason != "interrupted":
                self._keeper.give_back(job)
            else:
                self.settled += 1
                job[1].settle(job[0], _DEFERRED, words, reason)

    def _set_deadline(self) -> None:
        self.deadline = self._loop.time() + self._waits[self._step]
