"""SMTP on the wire: replies read from bytes in any chunks, commands written so that nothing can be injected.

Pure functions and one parser, no sockets. Sources: RFC 5321 (SMTP), 2920 (PIPELINING), 1870 (SIZE),
6152 (8BITMIME), 6531 (SMTPUTF8), 4954 (AUTH).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from domain.messages import Outbound

#: A server's reply: its code, 200 to 599, and its text without codes, lines joined by a line feed.
#: Code 0 (`BROKEN`) means that what came is no SMTP; the text says why and nothing follows.
Reply = tuple[int, bytes]

BROKEN: Final = 0
LINE_LIMIT: Final = 4096  #: bytes; RFC 5321 allows 512, some servers write more
REPLY_LIMIT: Final = 65536  #: bytes of one reply with all its lines

_CODES: Final = {str(code).encode(): code for code in range(200, 600)}
# Blanks, controls and angle brackets would end the path or the line that the address stands in.
_UNSAFE: Final = re.compile("[\x00-\x20\x7f-\xa0<>\u2028\u2029\ud800-\udfff]")
# A line that holds one dot, under every line end that any server is known to accept ("SMTP smuggling").
_LONE_DOT: Final = re.compile(rb"\.[\r\n](?<=[\r\n]\..)", re.DOTALL)
_END: Final = b"\r\n.\r\n"


class ReplyParser:
    """Cuts a stream of bytes into replies; any way to chunk the stream gives the same replies."""

    __slots__ = ("_broken", "_code", "_lines", "_rest", "_size")

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = 0
        self._size = 0
        self._broken = False

    @property
    def pending(self) -> bool:
        """Whether part of a reply has come."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """Take the next bytes and return the replies that they complete, in order."""
        replies: list[Reply] = []
        if self._broken:
            return replies
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\n")
        rest = self._rest = lines.pop()
        for line in lines:
            if line[-1:] == b"\r":
                line = line[:-1]
            code = _CODES.get(line[:3])
            if code is None or len(line) > LINE_LIMIT:
                return self._break(replies, line)
            mark = line[3:4]
            if mark == b" " or not mark:
                if not self._lines:
                    replies.append((code, line[4:]))
                elif code == self._code:
                    self._lines.append(line[4:])
                    replies.append((code, b"\n".join(self._lines)))
                    self._lines = []
                else:
                    return self._break(replies, line)
            elif mark == b"-" and (not self._lines or code == self._code):
                self._size = self._size + len(line) if self._lines else len(line)
                self._code = code
                self._lines.append(line[4:])
                if self._size > REPLY_LIMIT:
                    return self._break(replies, line)
            else:
                return self._break(replies, line)
        if len(rest) > LINE_LIMIT + 1:
            return self._break(replies, rest)
        return replies

    def _break(self, replies: list[Reply], line: bytes) -> list[Reply]:
        self._broken = True
        self._rest = b""
        self._lines = []
        if len(line) > LINE_LIMIT:
            replies.append((BROKEN, b"a line of the server's reply is too long"))
        elif self._size > REPLY_LIMIT:
            replies.append((BROKEN, b"the server's reply is too long"))
        else:
            replies.append((BROKEN, b"the server's reply is no SMTP: " + line[:80]))
        return replies


def reply_text(code: int, text: bytes) -> str:
    """A reply as people and the database may read it: one line, at most 500 characters, no controls."""
    words = text.decode("utf-8", "replace")
    if not words.isprintable():
        words = "".join(letter if letter.isprintable() else " " for letter in words)
    return f"{code} {words}"[:500] if code else words[:500]


@dataclass(frozen=True, slots=True)
class Features:
    """What a server offered in its answer to EHLO. `size`: None when not offered, 0 for no fixed limit."""

    pipelining: bool = False
    eightbit: bool = False
    utf8: bool = False
    starttls: bool = False
    size: int | None = None
    auth: frozenset[str] = frozenset()

    @classmethod
    def from_ehlo(cls, text: bytes) -> Features:
        """Read the text of a 250 reply to EHLO; its first line is the server's name."""
        words: dict[str, list[str]] = {}
        for line in text.decode("ascii", "replace").upper().split("\n")[1:]:
            # Some old servers write AUTH=LOGIN instead of AUTH LOGIN.
            keyword, *parameters = line.replace("AUTH=", "AUTH ", 1).split() or [""]
            words.setdefault(keyword, []).extend(parameters)
        limit = words.get("SIZE")
        return cls(
            pipelining="PIPELINING" in words,
            eightbit="8BITMIME" in words,
            utf8="SMTPUTF8" in words,
            starttls="STARTTLS" in words,
            size=None if limit is None else int(limit[0]) if limit and limit[0].isdecimal() else 0,
            auth=frozenset(words.get("AUTH", ())),
        )


class Refusal(Exception):
    """A message that may not or cannot be written to this server; `reason` is a word of our vocabulary."""

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        self.sentence = sentence
        super().__init__(sentence)


def transaction(message: Outbound, features: Features) -> bytes:
    """MAIL, RCPT and DATA for a message, three lines, fit for a pipelined group (RFC 2920).

    Raises Refusal when an address could break out of its command, when the content could end early, and
    when the message needs what the server does not offer.
    """
    sender, recipient, content = message.sender, message.recipient, message.content
    if _UNSAFE.search(sender) or len(sender) > 254:
        raise Refusal(
            "address_invalid", "the sender's address holds blanks, brackets or controls, or is too long"
        )
    if _UNSAFE.search(recipient) or "@" not in recipient or len(recipient) > 254:
        raise Refusal(
            "address_invalid",
            "the recipient's address lacks an @, holds blanks, brackets or controls, or is too long",
        )
    if (
        not content.endswith(_END)
        or _LONE_DOT.search(content, 0, len(content) - 3)
        or content.startswith((b".\r", b".\n"))
    ):
        raise Refusal("content_invalid", "the content does not end with a lone dot, or holds one further up")
    parameters = ""
    if features.size is not None:
        if 0 < features.size < len(content):
            raise Refusal(
                "too_big", f"the server takes {features.size} bytes, the message has {len(content)}"
            )
        parameters = f" SIZE={len(content)}"
    if message.eightbit or not content.isascii():
        if not features.eightbit:
            raise Refusal("unsupported", "the message needs 8BITMIME, which the server does not offer")
        parameters += " BODY=8BITMIME"
    if message.utf8 or not (sender.isascii() and recipient.isascii()):
        if not features.utf8:
            raise Refusal("unsupported", "the message needs SMTPUTF8, which the server does not offer")
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{sender}>{parameters}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()


def split_lines(commands: bytes) -> Iterable[bytes]:
    """The single commands of a group, for servers without PIPELINING."""
    return commands.splitlines(keepends=True)
