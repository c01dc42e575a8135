"""Find the mails in what a person hands over: an mbox, a Maildir, a folder of .eml files, one mail, or a stream.

Nothing is held but the mail at hand. Whatever cannot be read becomes a problem with its place, and the next mail comes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from domain.errors import InvalidInput
from inbox.arrival.mbox import split_mbox, starts_mbox

STDIN: Final = "-"
_HEAD: Final = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A mail, or why it could not be read.

    `place` is where it lies, for people; `key` the same, as unchanging as can be, for the cursor. `done`: how far
    along its end is, in bytes for a file and in files for a folder. `meta`: what the file tells beside the mail.
    """

    place: str
    key: str
    done: int
    raw: bytes = b""
    problem: str = ""
    meta: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailFiles:
    """A source of mails. `total` is what `done` ends at; None when nobody knows."""

    mails: Iterator[Found]
    total: int | None


def open_mail_files(path: str, stdin: BinaryIO, limit: int) -> MailFiles:
    """The mails at `path`, those of `stdin` for “-”; one of more than `limit` bytes is a problem.

    Raises InvalidInput for a path that leads nowhere, or to a folder without mails.
    """
    if path == STDIN:
        return MailFiles(_read_stream(stdin, "standard input", "-", limit), None)
    place = Path(path)
    if place.is_dir():
        folders = _find_maildirs(place)
        files = _list_maildirs(folders) if folders else _list_mails(place)
        if not files and not folders:
            raise InvalidInput(
                "FILE",
                f"{place} is neither a Maildir (it has no folder “cur”) nor a folder with .eml files.",
                "Name the folder that holds cur and new, or the mbox file itself.",
            )
        return MailFiles(_read_files(files, place.resolve(), limit), len(files))
    try:
        file = place.open("rb")
        size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InvalidInput(
            "FILE", f"{place} cannot be read ({error.strerror}).", "Check the path."
        ) from error
    return MailFiles(_read_stream(file, str(place), str(place.resolve()), limit), size)


def _read_stream(stream: BinaryIO, name: str, key: str, limit: int) -> Iterator[Found]:
    """An mbox, or a single mail."""
    with stream:
        try:
            head = stream.read(_HEAD)
            reader = io.BufferedReader(_Joined(head, stream))  # type: ignore[type-var]
            if not starts_mbox(head):
                raw = reader.read(limit + 1)
                yield _single(name, f"{key}/0", len(raw), raw, limit)
                return
            for mail in split_mbox(reader.read1, limit):
                place = f"{name}, at byte {mail.offset}"
                meta = {"from_line": mail.from_line.decode("utf-8", "replace")[:500]}
                if mail.content is None:
                    yield Found(place, "", mail.after, problem=_too_large(limit))
                else:
                    yield Found(place, f"{key}/{mail.offset}", mail.after, mail.content, meta=meta)
        except OSError as error:
            yield Found(
                name, "", 0, problem=f"reading failed ({error.strerror}); what follows was not taken in"
            )


def _read_files(files: list[Path], root: Path, limit: int) -> Iterator[Found]:
    for number, file in enumerate(files, 1):
        # In a Maildir the name before the colon stays when flags change, and when a mail moves from new to cur.
        folder = file.parent.parent if file.parent.name in ("cur", "new") else file.parent
        key = f"{root}/{folder.relative_to(root) if folder != root else ''}/{file.name.split(':2,')[0]}"
        try:
            with file.open("rb") as stream:
                raw = stream.read(limit + 1)
        except FileNotFoundError:
            moved = _moved(file)
            if moved is None:
                continue  # deleted meanwhile, by whoever uses the Maildir
            raw = moved
        except OSError as error:
            yield Found(str(file), "", number, problem=f"cannot be read ({error.strerror})")
            continue
        yield _single(str(file), key, number, raw, limit)


def _moved(file: Path) -> bytes | None:
    """A mail whose flags changed since its folder was listed: under its new name."""
    unique = file.name.split(":2,")[0]
    for found in (file.parent.parent / "cur").glob(f"{_escape(unique)}*"):
        try:
            return found.read_bytes()
        except OSError:
            continue
    return None


def _escape(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def _single(place: str, key: str, done: int, raw: bytes, limit: int) -> Found:
    if len(raw) > limit:
        return Found(place, "", done, problem=_too_large(limit))
    if not raw.strip():
        return Found(place, "", done, problem="is empty")
    return Found(place, key, done, raw)


def _too_large(limit: int) -> str:
    return f"is larger than {limit:,} bytes; a higher --limit takes it in"


def _find_maildirs(place: Path) -> list[Path]:
    """The Maildir at `place`, and the folders inside it (Maildir++ names them with a dot)."""
    return sorted(cur.parent for cur in place.rglob("cur") if cur.is_dir())


def _list_maildirs(folders: list[Path]) -> list[Path]:
    files = []
    for folder in folders:
        for part in ("cur", "new"):
            if (folder / part).is_dir():
                files += sorted(file for file in (folder / part).iterdir() if not file.name.startswith("."))
    return files


def _list_mails(place: Path) -> list[Path]:
    """The .eml files, which some programs write in capitals."""
    return sorted(file for file in place.rglob("*") if file.suffix.lower() == ".eml")


class _Joined(io.RawIOBase):
    """What was read already, then the rest of the stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece: bytes | memoryview = self._head[: len(buffer)]
        if piece:
            self._head = self._head[len(piece) :]
        else:
            piece = self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
