"""winmail.dat: its files and its text come out; damaged and hostile ones stay attachments."""

from __future__ import annotations

import struct

import pytest

from channels.mail.mime import parse
from channels.mail.reading import mapi
from channels.mail.reading.rtf import rtf_to_text
from channels.mail.reading.tnef import SIGNATURE, BadTnef, read_tnef
from channels.mail.reading.unpacking import unpack_rtf
from tests.channels.odd_mails import TEXT, in_base64, multipart

# The two examples of [MS-OXRTFCP] section 4.
HELLO = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
OVERLAP = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


def attribute(level: int, name: int, value: bytes) -> bytes:
    checksum = sum(value) & 0xFFFF
    return struct.pack("<BHHI", level, name, 0, len(value)) + value + struct.pack("<H", checksum)


def prop(kind: int, name: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, name, 1, len(value)) + value + b"\x00" * (-len(value) % 4)


def properties(*items: bytes) -> bytes:
    return struct.pack("<I", len(items)) + b"".join(items)


def winmail(*attributes: bytes) -> bytes:
    codepage = attribute(1, 0x9007, struct.pack("<II", 1252, 0))
    return SIGNATURE + b"\x01\x00" + codepage + b"".join(attributes)


def file(title: bytes, content: bytes, *extra: bytes) -> bytes:
    out = (
        attribute(2, 0x9002, b"\x00" * 14)
        + attribute(2, 0x8010, title + b"\x00")
        + attribute(2, 0x800F, content)
    )
    return out + (attribute(2, 0x9005, properties(*extra)) if extra else b"")


def around(content: bytes, text: str = "") -> bytes:
    part = f"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n{in_base64(content)}"
    return multipart("mixed", TEXT + text, part)


def test_files_come_out_with_their_long_names_and_types() -> None:
    long_name = prop(0x1F, mapi.LONG_NAME, "Übersicht 2024.xlsx\x00".encode("utf-16-le"))
    media_type = prop(0x1E, mapi.MIME_TAG, b"application/vnd.ms-excel\x00")
    read = parse(
        around(winmail(file(b"UBERSI~1.XLS", b"cells", long_name, media_type), file(b"a.png", b"PNG")), "see")
    )
    found = [(item.part, item.name, item.media_type, item.content) for item in read.attachments]
    assert found == [
        ("1.2.1", "Übersicht 2024.xlsx", "application/vnd.ms-excel", b"cells"),
        ("1.2.2", "a.png", "image/png", b"PNG"),
    ]
    assert (read.text, read.defects) == ("see", ())


def test_its_text_stands_in_for_a_mail_without_any() -> None:
    message = attribute(1, 0x9003, properties(prop(0x1E, mapi.BODY, b"caf\xe9\x00")))
    assert parse(around(winmail(message))).text == "café"
    assert parse(around(winmail(message), "outside")).text == "outside"


def test_its_html_is_taken_and_rich_text_when_there_is_none() -> None:
    html = attribute(1, 0x9003, properties(prop(0x102, mapi.HTML, "<p>é</p>".encode())))
    assert parse(around(winmail(html))).html == "<p>é</p>"
    rich = attribute(1, 0x9003, properties(prop(0x102, mapi.RTF, HELLO)))
    assert parse(around(winmail(rich))).text == "hello world"


def test_a_mail_within_gives_its_text_and_its_files() -> None:
    inner = winmail(attribute(1, 0x800C, b"inner text\x00"), file(b"deep.txt", b"deep"))
    data = prop(0x0D, mapi.DATA, b"\x00" * 16 + inner)
    outer = winmail(attribute(2, 0x9002, b"") + attribute(2, 0x9005, properties(data)))
    found = [(item.name, item.content) for item in parse(around(outer)).attachments]
    assert found == [("message.txt", b"inner text"), ("deep.txt", b"deep")]


@pytest.mark.parametrize("content", [b"", b"no container", SIGNATURE, SIGNATURE + b"\x01\x00" + b"\xff" * 40])
def test_what_is_no_container_stays_an_attachment_and_is_told(content: bytes) -> None:
    read = parse(around(content))
    assert [(item.name, item.content) for item in read.attachments] == [("winmail.dat", content)]
    assert read.defects == ("winmail.dat not understood",)


def test_a_container_with_nothing_to_take_out_stays_an_attachment() -> None:
    read = parse(around(winmail(attribute(1, 0x9003, properties(prop(0x1E, 0x0C1A, b"Ann\x00")))), "see"))
    assert [item.name for item in read.attachments] == ["winmail.dat"]
    assert read.defects == ()


def test_a_container_cut_anywhere_gives_what_came_before() -> None:
    whole = winmail(
        file(b"a.txt", b"first"), file(b"b.txt", b"second", prop(0x1E, mapi.LONG_NAME, b"b.txt\x00"))
    )
    for cut in range(len(SIGNATURE), len(whole)):
        assert len(read_tnef(whole[:cut]).files) <= 2
    with pytest.raises(BadTnef):
        read_tnef(whole[:3])


def test_compressed_rich_text_is_unpacked_as_the_specification_shows() -> None:
    assert unpack_rtf(HELLO) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpack_rtf(OVERLAP) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_compressed_rich_text_cut_anywhere_gives_a_beginning() -> None:
    for cut in range(len(HELLO)):
        assert unpack_rtf(HELLO).startswith(unpack_rtf(HELLO[:cut]))


def test_html_hidden_in_rich_text_is_found() -> None:
    rich = (
        rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}}{\*\htmltag19 <html>}\htmlrtf \lang1033 "
        rb"\htmlrtf0 {\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Hello \'e9{\*\htmltag84 <b>}\htmlrtf {\b \htmlrtf0 World"
        rb"{\*\htmltag92 </b>}\htmlrtf }\htmlrtf0 \htmlrtf\par}\htmlrtf0{\*\htmltag72 </p>}{\*\htmltag27 </html>}}"
    )
    assert rtf_to_text(rich) == ("", "<html><p>Hello é<b>World</b></p></html>")


def test_rich_text_with_nul_gives_text_without() -> None:
    assert rtf_to_text(b"{\\rtf1 a\x00b\\u0?\\u-10240?}")[0] == "ab"


def test_rich_text_changes_charset_with_its_fonts() -> None:
    rich = rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 A;}{\f1\fcharset128 B;}}\f0\'cf\'f0\'e8 \f1\'82\'a0}"
    assert rtf_to_text(rich) == ("При あ", "")
