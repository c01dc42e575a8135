"""The other side of each kind of channel, for the contract tests: a real server, and one that misbehaves.

A new kind of channel adds its counterpart to `COUNTERPARTS`; the contract fails for channels without one. A channel
whose other side differs from that of its kind is in `BY_NAME`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from channels.base import Channel, Received
from channels.mail.settings import Timeouts
from channels.sandbox.door import SandboxDoor
from domain.messages import ChannelKind, DeliveryState, Outbound
from tests.channels.mails import make_message
from tests.channels.scripted import SILENCE, Answer, Cut, Pause, ScriptedServer
from tests.channels.sms import provider as sms
from tests.channels.sms.texts import key_of, make_text
from tests.channels.voice.calls import make_call
from tests.channels.voice.provider import CallProvider


@dataclass
class Counterpart:
    """What the contract needs to know about a running other side."""

    settings: dict[str, Any]
    arrived: Callable[[], list[int]]  # keys of the messages that were taken, once per arrival


@dataclass(frozen=True)
class Mischief:
    """A way to misbehave and the states that it may lead to."""

    name: str
    running: Callable[[], contextlib.AbstractAsyncContextManager[Counterpart]]
    states: frozenset[DeliveryState]


@dataclass(frozen=True)
class Kind:
    """All that the contract needs for a kind of channel."""

    running: Callable[[], contextlib.AbstractAsyncContextManager[Counterpart]]
    make_message: Callable[[int], Outbound]
    injections: tuple[Outbound, ...]
    mischiefs: tuple[Mischief, ...] = field(default=())


_PATIENCE = {"greeting": "greeting", "MAIL": "mail", "RCPT": "rcpt", "DATA": "data", "content": "dot"}


def _mail_settings(port: int, silent_step: str = "") -> dict[str, Any]:
    """Short of patience only where the server will be silent: machines that run tests are slow at times."""
    patience = {_PATIENCE.get(silent_step, "command"): 0.3} if silent_step else {}
    timeouts = Timeouts.model_validate({"quit": 0.2, "grace": 0.3, **patience})
    return {"host": "127.0.0.1", "port": port, "encryption": "never", "connections": 3, "timeouts": timeouts}


def _key(raw: bytes) -> int:
    return int(raw.partition(b"Message-ID: <")[2].partition(b"@")[0])


@contextlib.asynccontextmanager
async def _run_door() -> AsyncIterator[Counterpart]:
    """aiosmtpd, by way of the test mailbox, which keeps what it got."""
    stored: list[Received] = []

    async def store(received: Received) -> None:
        stored.append(received)

    door = SandboxDoor(store)
    await door.start()
    try:
        yield Counterpart(_mail_settings(door.port), lambda: [_key(received.raw) for received in stored])
    finally:
        await door.stop()


def _misbehave(step: str, answer: Answer, *, once: bool) -> Callable[[], Any]:
    @contextlib.asynccontextmanager
    async def run() -> AsyncIterator[Counterpart]:
        async with ScriptedServer().running() as server:
            if once:
                server.say(step, answer)
            else:
                server.always[step] = answer
            settings = _mail_settings(server.port, step if answer is SILENCE else "")
            yield Counterpart(settings, lambda: [_key(mail[2]) for mail in server.mails])

    return run


def _mail_mischiefs() -> tuple[Mischief, ...]:
    answers: dict[str, Answer] = {
        "cut": Cut(),
        "reset": Cut(reset=True),
        "silence": SILENCE,
        "slow reply": Pause(0.1, b"451 4.3.0 later\r\n"),
        "garbage": b"what?\r\n",
        "421": b"421 4.3.2 closing\r\n",
        "4xx": b"450 4.2.1 later\r\n",
        "5xx": b"550 5.1.1 no\r\n",
    }
    mischiefs = []
    for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "RSET"):
        for name, answer in answers.items():
            states = {DeliveryState.SENT, DeliveryState.DEFERRED}
            if step == "content" and name in ("cut", "reset", "silence", "garbage"):
                states.add(DeliveryState.UNCERTAIN)
            if name == "5xx" and step in ("MAIL", "RCPT", "DATA", "content"):
                states.add(DeliveryState.REJECTED)
            for once in (True, False):
                title = f"{name} to {step} {'once' if once else 'always'}"
                mischiefs.append(Mischief(title, _misbehave(step, answer, once=once), frozenset(states)))
    return tuple(mischiefs)


def _provider_settings(running: sms.Provider, *, plain: bool) -> dict[str, Any]:
    settings = running.settings()
    if not plain:
        return settings
    kept = {name: settings[name] for name in ("rate", "timeouts")}
    return {"url": f"{running.url}/plain", "error_path": "code", "reasons": {"21610": "opted_out"}, **kept}


def _run_provider(
    *scripts: sms.Script, always: sms.Script = sms.TAKE, make: type[sms.Provider], plain: bool = False
) -> Callable[[], Any]:
    @contextlib.asynccontextmanager
    async def run() -> AsyncIterator[Counterpart]:
        async with make(always=always).running() as running:
            running.script.extend(scripts)
            settings = _provider_settings(running, plain=plain)
            yield Counterpart(settings, lambda: [key_of(message["to"]) for message in running.messages])

    return run


def _provider_mischiefs(make: type[sms.Provider], *, plain: bool = False) -> tuple[Mischief, ...]:
    sent, deferred = DeliveryState.SENT, DeliveryState.DEFERRED
    rejected, uncertain = DeliveryState.REJECTED, DeliveryState.UNCERTAIN
    answers = {
        "cut before it is taken": (sms.CUT_BEFORE, uncertain),
        "cut after it is taken": (sms.CUT_AFTER, uncertain),
        "silence": (sms.SILENCE, uncertain),
        "garbage": (sms.GARBAGE, uncertain),
        "429 with a time": (sms.BUSY, deferred),
        "500": (sms.BROKEN, uncertain),
        "502": (sms.GATEWAY, uncertain),
        "503 with a time": (sms.AWAY, deferred),
        "400": (sms.refusal(21211), rejected),
        "opted out": (sms.refusal(21610), rejected),
        "401": (sms.refusal(20003, 401), deferred),
        "redirect": (sms.Script(status=302, takes=False, body=b""), deferred),
    }
    mischiefs = []
    for name, (script, state) in answers.items():
        states = frozenset({sent, state})
        once = _run_provider(script, make=make, plain=plain)
        mischiefs.append(Mischief(f"{name} once", once, states))
        always = _run_provider(always=script, make=make, plain=plain)
        mischiefs.append(Mischief(f"{name} always", always, frozenset({state})))
    return tuple(mischiefs)


def _sms_kind(*, plain: bool) -> Kind:
    return Kind(
        running=_run_provider(make=sms.Provider, plain=plain),
        make_message=make_text,
        injections=(
            *(make_text(1, recipient=number) for number in ("", "+33", "+33612345678\r\nX: y", "0612345678")),
            *(make_text(1, sender=name) for name in ("", "Far too long a name", "+33&To=+336", "MG12")),
            make_text(1, content=b"\xff\xfe"),
            make_text(1, content=b"a\0b"),
            make_text(1, content=b" \n"),
            make_text(1, content=b"x" * 1601),
        ),
        mischiefs=_provider_mischiefs(sms.Provider, plain=plain),
    )


def _voice_kind() -> Kind:
    return Kind(
        running=_run_provider(make=CallProvider),
        make_message=make_call,
        injections=(
            *(make_call(1, recipient=number) for number in ("", "+33", "+33612345678\r\nX: y", "0612345678")),
            *(make_call(1, recipient=name) for name in ("client:", "client:a\nb", "sip:a@b", "clients")),
            *(make_call(1, sender=number) for number in ("", "Clytie", "+33&To=+336", "anonymous")),
            *(make_call(1, options={name: "file:///etc/passwd"}) for name in ("url", "status", "fallback")),
            make_call(1, options={"url": "https://hub.example/\nx"}),
            make_call(1, content=b"\xff\xfe"),
            make_call(1, content=b"a\0b"),
            make_call(1, content=b" \n\x01"),
            make_call(1, content=b"x" * 4001),
        ),
        mischiefs=_provider_mischiefs(CallProvider),
    )


_BREAKOUTS = (
    "a@example.com>\r\nRCPT TO:<b@example.com",
    "a@example.com\nDATA",
    "a b@example.com",
    "a\0@example.com",
)

COUNTERPARTS: dict[ChannelKind, Kind] = {
    ChannelKind.MAIL: Kind(
        running=_run_door,
        make_message=make_message,
        injections=(
            *(make_message(1, recipient=breakout) for breakout in _BREAKOUTS),
            *(make_message(1, sender=breakout) for breakout in _BREAKOUTS),
            make_message(1, content=b"Subject: x\r\n\r\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\n"),
            make_message(1, content=b"Subject: x\r\n\r\nwithout end\r\n"),
        ),
        mischiefs=_mail_mischiefs(),
    ),
    ChannelKind.SMS: _sms_kind(plain=False),
    ChannelKind.VOICE: _voice_kind(),
}

BY_NAME: dict[str, Kind] = {"sms_http": _sms_kind(plain=True)}


def counterpart_of(channel: type[Channel]) -> Kind:
    """The other side of a channel. Raises KeyError for a kind without one."""
    return BY_NAME.get(channel.name) or COUNTERPARTS[channel.kind]
