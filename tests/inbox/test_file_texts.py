"""What files say is read for the rules, within bounds; a hostile file costs its text and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from channels.mail.parsed import Attachment
from inbox.mails import file_texts
from inbox.mails.file_texts import FileTexts
from inbox.mails.process import Enveloped, ReadingProcess
from inbox.mails.understanding import Understood
from inbox.reading_settings import ReadingSettings
from storage.pool import Pool
from tests.inbox.papers import (
    assemble,
    write_bomb,
    write_circular_pdf,
    write_pdf,
    write_pdf_of_stream,
    write_slow_pdf,
)
from tests.inbox.post import PostRoom, open_post_room, write_mail


def _file(content: bytes, media_type: str = "application/pdf", name: str = "letter.pdf") -> Attachment:
    return Attachment("2", name, media_type, content)


def _read(*files: Attachment) -> FileTexts:
    texts = FileTexts()
    texts.read(files)
    return texts


def test_a_pdf_is_read_page_by_page() -> None:
    paper = write_pdf("Madame,\nje vous présente ma démission.", "Fait à Lyon, le 4 mai 2026")
    assert _read(_file(paper)).text == "Madame,\nje vous présente ma démission.\n\nFait à Lyon, le 4 mai 2026"


def test_a_pdf_is_known_by_its_first_bytes_whatever_its_type_says() -> None:
    assert _read(_file(write_pdf("I resign."), "application/octet-stream", "scan")).text == "I resign."


def test_a_text_file_is_read_in_the_charset_it_is_in() -> None:
    files = (
        _file("ma démission".encode(), "text/plain", "a.txt"),
        _file("ma démission".encode("cp1252"), "text/plain", "b.txt"),
    )
    assert _read(*files).text == "ma démission\n\nma démission"


def test_a_mail_that_is_forwarded_as_a_file_is_read_with_its_files() -> None:
    inner = write_mail(subject="Departure", text="See enclosed.", files=[("l.pdf", write_pdf("I resign."))])
    assert _read(_file(inner, "message/rfc822", "m.eml")).text == "Departure\n\nSee enclosed.\n\nI resign."


def test_mails_in_mails_in_mails_are_not_opened() -> None:
    inner = write_mail(subject="Inner", text="I resign.")
    outer = write_mail(subject="Outer").replace(b"\n\nWhere", b"\nContent-Type: message/rfc822\n\nWhere")
    nested = _file(outer + b"\n" + inner, "message/rfc822", "m.eml")
    texts = FileTexts()
    texts.read([nested], within=True)
    assert texts.text == ""


def test_pictures_and_programs_are_not_opened() -> None:
    assert _read(_file(b"\x89PNG", "image/png", "a.png"), _file(b"MZ", "application/exe", "a.exe")).text == ""


def test_a_file_that_only_claims_to_be_a_pdf_costs_its_text_alone() -> None:
    texts = _read(_file(b"%PDF-1.7 and nothing else"), _file(write_pdf("I resign.")))
    assert (texts.text, texts.defects) == ("I resign.", {"file_unreadable"})


def test_more_files_pages_and_characters_than_the_bounds_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_texts, "MOST_FILES", 2)
    monkeypatch.setattr(file_texts, "MOST_PAGES", 1)
    texts = _read(*[_file(write_pdf(f"{number}", "more")) for number in range(3)])
    assert (texts.text, texts.defects) == ("0\n\n1", {"files_cut"})
    cut = FileTexts(left=10)
    cut.read([_file(b"x" * 100, "text/plain", "a.txt"), _file(b"y", "text/plain", "b.txt")])
    assert (cut.text, cut.defects) == ("x" * 10, {"files_cut"})


@pytest.mark.parametrize(
    "paper",
    [
        write_circular_pdf(),
        assemble([b"<< /Type /Catalog /Pages 9 0 R >>"]),
        write_pdf_of_stream(b"BT /F1 12 Tf (I resign.) Tj", compressed=False)[:-60],
        write_pdf_of_stream(b"(" * 100_000),
        write_pdf_of_stream(b"[" * 100_000),
        write_pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"),
    ],
    ids=["circular", "nothing", "torn", "brackets", "arrays", "own-child"],
)
def test_a_broken_or_hostile_pdf_raises_nothing(paper: bytes) -> None:
    texts = _read(_file(paper), _file(b"after it", "text/plain", "b.txt"))
    assert texts.text.endswith("after it")


def _process(folder: Path, **settings: Any) -> ReadingProcess:
    return ReadingProcess(folder / "blobs", ReadingSettings(**settings))


async def _understand(process: ReadingProcess, *mails: bytes) -> list[Any]:
    try:
        return list(await process.understand([Enveloped(mail, "", ()) for mail in mails]))
    finally:
        await process.close()


async def test_a_bomb_is_left_packed_and_the_mail_is_read(tmp_path: Path) -> None:
    mail = write_mail(text="Please find enclosed.", files=[("bomb.pdf", write_bomb())])
    [found] = await _understand(_process(tmp_path), mail)
    assert isinstance(found, Understood)
    assert (found.new_text, "file_unreadable" in found.defects) == ("Please find enclosed.", True)


async def test_a_pdf_that_takes_too_long_is_cut_and_the_mail_and_the_next_are_read(tmp_path: Path) -> None:
    slow = write_mail(files=[("first.txt", b"I resign."), ("slow.pdf", write_slow_pdf())])
    first, second = await _understand(_process(tmp_path, files_seconds=0.5), slow, write_mail(text="Next"))
    assert isinstance(first, Understood)
    assert isinstance(second, Understood)
    assert (first.files_text, first.defects) == ("I resign.", ("files_cut",))
    assert second.new_text == "Next"


async def test_files_are_left_closed_when_the_settings_say_so(tmp_path: Path) -> None:
    mail = write_mail(files=[("letter.pdf", write_pdf("I resign."))])
    [found] = await _understand(_process(tmp_path, files_seconds=0), mail)
    assert isinstance(found, Understood)
    assert found.files_text == ""


class _Fragile(ReadingProcess):
    """A process that dies over every file that says so."""

    command = (
        sys.executable,
        "-c",
        "import os, sys, inbox.mails.file_texts as f\n"
        "f.pages_of = lambda content, most: os.abort() if b'DIE' in content else iter(())\n"
        "from inbox.mails.process import main\nmain(sys.argv[1])\n",
    )


async def test_a_file_that_kills_the_process_leaves_the_mail_readable(tmp_path: Path) -> None:
    process = _Fragile(tmp_path / "blobs", ReadingSettings())
    deadly = write_mail(text="Enclosed.", files=[("letter.pdf", b"%PDF-DIE")])
    first, second = await _understand(process, deadly, write_mail(text="Next"))
    assert isinstance(first, Understood)
    assert isinstance(second, Understood)
    assert (first.new_text, first.files_text, second.new_text) == ("Enclosed.", "", "Next")


async def test_what_rules_need_of_a_mail_is_stored_with_it(pool: Pool, tmp_path: Path) -> None:
    async with open_post_room(pool, tmp_path) as post:
        raw = write_mail(
            text="Bonjour, vous trouverez la lettre ci-jointe.",
            files=[("lettre.pdf", write_pdf("Je vous présente ma démission."))],
            List_Id="Staff <staff.hub.example>",
            X_Priority="1",
            Received="from a by b",
        )
        message = await post.receive(raw)
        content: Any = await pool.fetchrow(
            "SELECT * FROM message_contents WHERE message_id = $1", message["id"]
        )
        assert (content["language"], content["files_text"]) == ("fr", "Je vous présente ma démission.")
        headers = await pool.fetchval("SELECT headers FROM mail_facts WHERE message_id = $1", message["id"])
        assert headers["list-id"] == "Staff <staff.hub.example>"
        assert headers["x-priority"] == "1"
        assert not {"received", "content-type"} & set(headers)


async def test_the_language_of_an_empty_mail_is_that_of_its_files(post: PostRoom) -> None:
    paper = write_pdf("I hereby resign from my position as of the end of the month.")
    message = await post.receive(write_mail(subject="", text="", files=[("letter.pdf", paper)]))
    language = await post.pool.fetchval(
        "SELECT language FROM message_contents WHERE message_id = $1", message["id"]
    )
    assert language == "en"
