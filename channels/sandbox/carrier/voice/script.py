"""Follows TwiML step by step on one line: fetches a document, performs its verbs, goes where they lead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from channels.sandbox.carrier.courier import Unanswered
from channels.sandbox.carrier.twiml import (
    TwimlError,
    check_document,
    is_true,
    number_of,
    read_document,
    words_of,
)
from channels.sandbox.carrier.voice import dialling, gathering, queueing, recorded
from channels.sandbox.carrier.voice.line import Line, Source

if TYPE_CHECKING:
    from channels.sandbox.carrier.voice.switch import Switch

APOLOGY: Final = "We are sorry, an application error has occurred. Goodbye."
_DOCUMENTS: Final = 500  #: documents that one call may follow, against endless redirections
_PLAYED: Final = 3.0  #: seconds that a sound file is taken to last


class HangUp(Exception):  # an ending, not a fault
    """The document ends the call."""


class LeaveQueue(Exception):  # an ending, not a fault
    """The document takes the call out of its queue."""


class Script:
    """One line's way through documents. `told`: what is sent with each request in addition."""

    def __init__(self, switch: Switch, line: Line, told: Mapping[str, str] | None = None) -> None:
        self.switch = switch
        self.exchange = switch.exchange
        self.line = line
        self.base = ""  #: address of the document, for relative ones
        self.method = "POST"
        self.hung_up = False  #: a document said so
        self.ended = False  #: no more is to be performed: the call hangs up, or leaves its queue
        self._told = dict(told or {})

    async def run(self, source: Source) -> None:
        """Follow documents to the end; problems are said, as the provider says them."""
        try:
            await self.follow(source)
        except HangUp:
            self.hung_up = self.ended = True
        except LeaveQueue:
            self.ended = True

    def beside(self, line: Line, **told: str) -> Script:
        """Another script, of this line or of one that was dialled, at the same address. `told`: with each request."""
        other = Script(self.switch, line, told)
        other.base = self.base
        return other

    def hang_up(self) -> NoReturn:
        """End the call."""
        raise HangUp

    async def follow(self, source: Source | None) -> None:
        """Follow documents until there is none left. Raises HangUp, or LeaveQueue."""
        for _ in range(_DOCUMENTS):
            if source is None:
                return
            try:
                verbs = await self._load(source)
                source = await self.perform(verbs)
            except Unanswered as error:
                await self._fail(11200, str(error))
            except TwimlError as error:
                await self._fail(error.code, str(error))
        await self._fail(12200, f"More than {_DOCUMENTS} documents in one call.")

    async def perform(self, verbs: Iterable[Element]) -> Source | None:
        """Perform verbs in order; gives the next document as soon as one leads there."""
        table: Mapping[str, Callable[[Script, Element], Awaitable[Source | None]]] = {
            "Gather": gathering.gather,
            "Dial": dialling.dial,
            "Enqueue": queueing.enqueue,
            "Record": recorded.record,
            "Start": recorded.start,
            "Stop": recorded.stop,
        }
        for place, verb in enumerate(verbs):
            call = self.line.call
            if call.status == "ringing" and call.direction == "inbound":
                if verb.tag == "Reject" and place == 0:
                    self.switch.finish(self.line, "busy" if verb.get("reason") == "busy" else "no-answer")
                    raise HangUp
                if not (verb.tag == "Dial" and is_true(verb.get("answerOnBridge"))):
                    self.switch.connect(self.line)
            if verb.tag == "Redirect":
                return self.source(words_of(verb), verb.get("method", "POST"))
            if verb.tag in ("Hangup", "Reject"):
                raise HangUp
            if verb.tag == "Leave":
                raise LeaveQueue
            if verb.tag in table:
                source = await table[verb.tag](self, verb)
                if source is not None:
                    return source
            else:
                await self.prompt(verb)
        return None

    async def prompt(self, verb: Element) -> None:
        """Say, Play or Pause. Raises TwimlError for anything else."""
        words = words_of(verb)
        loop = int(number_of(verb, "loop", 1)) or 1000
        if verb.tag == "Say":
            for _ in range(loop):
                self.line.hear("said", words, verb.get("language", ""))
                await self.exchange.sleep(len(words.split()) / self.exchange.settings.words_per_second)
        elif verb.tag == "Play":
            for _ in range(loop):
                self.line.hear("played", urljoin(self.base, words) if words else verb.get("digits", ""))
                await self.exchange.sleep(_PLAYED)
        elif verb.tag == "Pause":
            await self.exchange.sleep(number_of(verb, "length", 1))
        else:
            raise TwimlError(12200, f"The test carrier does not know {verb.tag}.")

    def source(self, url: str, method: str, **params: str) -> Source:
        """Another document, named relative to this one; this one itself when the name is empty."""
        return Source(urljoin(self.base, url) if url else self.base, method.upper(), "", params)

    async def farewell(self, url: str | None, method: str, params: Mapping[str, str]) -> None:
        """Tell an action's address how things ended, when nobody is there any more to follow its answer."""
        if not url:
            return
        try:
            await self.switch.courier.ask(
                self.line.call.account_sid,
                urljoin(self.base, url),
                {**self.switch.describe(self.line), **params},
                method=method,
            )
        except Unanswered as error:
            self.exchange.complain(11200, self.line.call.sid, str(error))

    def part(self, url: str | None, method: str, params: Mapping[str, str]) -> None:
        """`farewell`, beside: for whoever is being interrupted."""
        self.exchange.spawn(self.farewell(url, method, params), f"farewell of {self.line.call.sid}")

    async def _load(self, source: Source) -> list[Element]:
        text = source.document
        if not text:
            params = {**self.switch.describe(self.line), **self._told, **source.params}
            self.base, answer = await self.switch.courier.ask_with_fallback(
                self.line.call.account_sid, (source.url, source.method), source.fallback, params
            )
            self.method = source.method
            if answer.content_type.startswith("audio/"):
                text = f"<Response><Play>{source.url.replace('&', '&amp;')}</Play></Response>"
            else:
                text = answer.text
        problems = check_document(text)
        for problem in problems:
            self.exchange.complain(12200, self.line.call.sid, problem)
        return read_document(text)

    async def _fail(self, code: int, problem: str) -> None:
        self.exchange.complain(code, self.line.call.sid, problem)
        if self.line.call.status == "ringing" and self.line.call.direction == "inbound":
            self.switch.connect(self.line)
        self.line.hear("said", APOLOGY, "en-US")
        await self.exchange.sleep(len(APOLOGY.split()) / self.exchange.settings.words_per_second)
        raise HangUp
