"""What holds for every mail that was read, whatever its bytes: checked by the property tests and by the fuzzer."""

from __future__ import annotations

from collections.abc import Iterator

from channels.mail.mime import read
from channels.mail.parsed import Mailbox, ParsedMail
from channels.mail.reading import limits
from channels.mail.reading.defects import Defect
from channels.mail.reading.tree import read_tree

_WORDS = frozenset(defect.value for defect in Defect)


def check(raw: bytes) -> ParsedMail:
    """Read the mail and its whole tree; raises AssertionError, or whatever reading raises."""
    mail = read(raw)
    for text in _texts(mail):
        assert "\x00" not in text, "a database takes no NUL"
        text.encode("utf-8")  # nor halves of surrogate pairs
    for box in _boxes(mail):
        local, at, domain = box.address.rpartition("@")
        assert local, box
        assert at, box
        assert domain == domain.lower(), box
        assert len(box.address) <= 400, box
        assert "\n" not in box.name + box.address, box
    for item in mail.attachments:
        assert item.name, item.part
        assert len(item.name) <= limits.NAME_LENGTH, item.name
        assert not set(item.name) & set('/\\\x00\n\r<>:"|?*'), item.name
        assert item.name not in (".", ".."), item.name
        assert item.media_type == item.media_type.lower(), item.media_type
        assert "/" in item.media_type, item.media_type
    assert len(mail.attachments) <= 200 * limits.PARTS
    assert "\r" not in mail.text + mail.html
    assert mail.date is None or mail.date.utcoffset() is not None
    assert set(mail.defects) <= _WORDS
    assert len(set(mail.defects)) == len(mail.defects)
    tree = read_tree(raw)
    for leaf in tree.leaves():
        assert leaf.start <= leaf.end <= len(leaf.buffer)
        assert leaf.number.count(".") < limits.DEPTH
        leaf.content(set())
    return mail


def _boxes(mail: ParsedMail) -> Iterator[Mailbox]:
    if mail.sender:
        yield mail.sender
    yield from (*mail.to, *mail.cc, *mail.bcc, *mail.reply_to)


def _texts(mail: ParsedMail) -> Iterator[str]:
    yield from (mail.subject, mail.text, mail.html, mail.message_id, *mail.in_reply_to, *mail.references)
    for name, value in mail.headers:
        yield from (name, value)
    for item in mail.attachments:
        yield from (item.name, item.media_type, item.content_id, item.part)
