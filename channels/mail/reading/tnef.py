"""winmail.dat, the container of Outlook and Exchange (TNEF, [MS-OXTNEF]): its files, and the text it hides.

Every length in it is checked against what is there; the sum of what is taken out is limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.mail.reading import mapi
from channels.mail.reading.charsets import codec
from channels.mail.reading.limits import TNEF_BYTES
from channels.mail.reading.unpacking import unpack_rtf

SIGNATURE = b"\x78\x9f\x3e\x22"

_OEM_CODEPAGE = 0x9007
_SUBJECT = 0x8004
_BODY = 0x800C
_MESSAGE_PROPERTIES = 0x9003
_ATTACHMENT_STARTS = 0x9002
_ATTACHMENT_TITLE = 0x8010
_ATTACHMENT_DATA = 0x800F
_ATTACHMENT_PROPERTIES = 0x9005
_NESTED = 5
_FILES = 500


class BadTnef(ValueError):
    """These bytes are no TNEF, or end in the middle of it."""


@dataclass(slots=True)
class File:
    """A file in the container."""

    name: str = ""
    media_type: str = ""
    content_id: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Container:
    """What was in a winmail.dat. `rtf` is unpacked; `html` still has its own charset."""

    text: str = ""
    html: bytes = b""
    rtf: bytes = b""
    files: list[File] = field(default_factory=list)
    whole: bool = True  #: False when it ends too early, or is too large


def read_tnef(data: bytes, *, depth: int = 0) -> Container:
    """Read a winmail.dat. Raises BadTnef when it is none; takes what can be read of a damaged one."""
    if not data.startswith(SIGNATURE):
        raise BadTnef("no TNEF signature")
    container = Container()
    codepage = "cp1252"
    position, left = 6, TNEF_BYTES
    while position + 9 <= len(data):
        name = int.from_bytes(data[position + 1 : position + 3], "little")
        length = int.from_bytes(data[position + 5 : position + 9], "little")
        start = position + 9
        left -= length
        if start + length > len(data) or left < 0:
            container.whole = False
            break
        position = start + length + 2  # a checksum follows, which nobody relies on
        value = data[start : start + length]
        if name == _OEM_CODEPAGE:
            number = int.from_bytes(value[:4], "little")
            codepage = codec(f"cp{number}") or codec(str(number)) or codepage
        elif name == _BODY:
            container.text = _text(value, codepage)
        elif name == _MESSAGE_PROPERTIES:
            _take_message(container, value, codepage)
        elif name == _ATTACHMENT_STARTS and len(container.files) < _FILES:
            container.files.append(File())
        elif container.files and name == _ATTACHMENT_TITLE:
            container.files[-1].name = container.files[-1].name or _text(value, codepage)
        elif container.files and name == _ATTACHMENT_DATA:
            container.files[-1].content = value
        elif container.files and name == _ATTACHMENT_PROPERTIES:
            _take_file(container, value, codepage, depth)
    container.whole = container.whole and position > 6
    container.files = [file for file in container.files if file.content]
    return container


def _text(value: bytes, codepage: str) -> str:
    return value.split(b"\x00")[0].decode(codepage, "replace")


def _take_message(container: Container, value: bytes, codepage: str) -> None:
    properties = mapi.read_properties(value, codepage)
    if isinstance(text := properties.get(mapi.BODY), str):
        container.text = text
    html = properties.get(mapi.HTML)
    if isinstance(html, bytes):
        container.html = html
    elif isinstance(html, str):
        container.html = html.encode("utf-8", "replace")
    if isinstance(rtf := properties.get(mapi.RTF), bytes):
        container.rtf = unpack_rtf(rtf)


def _take_file(container: Container, value: bytes, codepage: str, depth: int) -> None:
    file = container.files[-1]
    properties = mapi.read_properties(value, codepage)
    for key in (mapi.LONG_NAME, mapi.SHORT_NAME, mapi.DISPLAY_NAME):
        name = properties.get(key)
        if isinstance(name, str) and name:
            file.name = name
            break
    if isinstance(media_type := properties.get(mapi.MIME_TAG), str):
        file.media_type = media_type.lower().strip()
    if isinstance(content_id := properties.get(mapi.CONTENT_ID), str):
        file.content_id = content_id.strip("<> ")
    data = properties.get(mapi.DATA)
    if isinstance(data, bytes) and not file.content:
        file.content = data
        nested = data[16:]  # an object starts with the id of its interface
        if nested.startswith(SIGNATURE) and depth < _NESTED:
            inner = read_tnef(nested, depth=depth + 1)
            if inner.text:
                file.content, file.media_type = inner.text.encode(), "text/plain"
                file.name = (file.name or "message") + ".txt"
            else:
                container.files.pop()
            container.files.extend(inner.files[: max(_FILES - len(container.files), 0)])
