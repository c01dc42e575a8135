"""The process that understands mails beside the one that stores them: it may be killed, and a core is its own.

Speaks over its standard streams, in frames: the length of a JSON head (4 bytes, big endian), the head, and behind it
a body of the length that the head names as `size`. In: a mail's envelope, with its bytes as the body. Out: for each,
in order, `ok` with what was understood as the body, or `problem` in words. The process ends when its input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, Final

from channels.mail.parsed import Attachment
from domain.errors import Unavailable
from inbox.mails.file_texts import FileTexts
from inbox.mails.understanding import Understood, from_json, to_json, understand
from inbox.reading_settings import ReadingSettings
from storage.blobs import BlobStore

log = logging.getLogger("clytie.inbox")

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Enveloped:
    """A mail to understand, in the envelope it came in."""

    raw: bytes
    sender: str | None
    recipients: Sequence[str]
    opens_files: bool = True  #: what its files say is read, too


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a mail could not be understood."""

    words: str
    certain: bool = True  #: trying again would not help


class ReadingProcess:
    """Hands mails to the process, and starts another one when it hangs or dies. Not for two callers at a time."""

    command: Sequence[str] = (sys.executable, "-m", "inbox.mails.process")

    def __init__(self, blobs: Path, settings: ReadingSettings, our_domains: Collection[str] = ()) -> None:
        self._blobs = blobs
        self._our_domains = sorted(our_domains)
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    async def understand(
        self, mails: Sequence[Enveloped], patience: float | None = None
    ) -> list[Understood | Problem]:
        """One answer for each mail, in order; fewer, but at least one, when they take longer than `patience` seconds.

        Never raises for a mail's sake: what hangs or kills the process is read once more with its files left closed, and is
        a Problem when it does that again. Raises Unavailable when the process cannot be started, or the disk takes no file.
        """
        mails = list(mails)
        clock = asyncio.get_running_loop().time
        until = None if patience is None else clock() + patience
        answers: list[Understood | Problem] = []
        while len(answers) < len(mails):
            process = await self._started()
            writing = asyncio.ensure_future(_write(process, mails[len(answers) :]))
            try:
                while len(answers) < len(mails):
                    if answers and until is not None and clock() > until:
                        await self.close()  # it goes on with mails that nobody will take its answers for
                        return answers
                    answers.append(await asyncio.wait_for(_read(process), self._patience))
            except TimeoutError:
                await self.close()
                if self._close_files(mails, len(answers)):
                    continue
                answers.append(Problem(f"Reading it took longer than {self._settings.seconds:g} s."))
            except (asyncio.IncompleteReadError, ConnectionError):
                status = await self._end()
                if self._close_files(mails, len(answers)):
                    continue
                words = f"The process that read it ended ({_name_status(status)})."
                answers.append(Problem(words, certain=False))
            except asyncio.CancelledError:
                await (
                    self.close()
                )  # answers that nobody waits for must not be taken for those of the next mails
                raise
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        return answers

    def _close_files(self, mails: list[Enveloped], place: int) -> bool:
        """Have a mail read without its files from now on; false when it was."""
        if not mails[place].opens_files:
            return False
        log.warning("a mail of %d bytes is read with its files closed", len(mails[place].raw))
        mails[place] = replace(mails[place], opens_files=False)
        return True

    @property
    def _patience(self) -> float:
        """The process ends a long reading by itself; this is for what does not listen, and for a busy machine."""
        return (self._settings.seconds + self._settings.files_seconds) * 3

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        order = {
            "blobs": str(self._blobs),
            "seconds": self._settings.seconds,
            "files_seconds": self._settings.files_seconds,
            "megabytes": self._settings.megabytes,
            "our_domains": self._our_domains,
        }
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            json.dumps(order),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
            start_new_session=True,  # a Ctrl-C is for the one that started it
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdout is not None
        try:
            await asyncio.wait_for(self._process.stdout.readexactly(1), _START_SECONDS)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise Unavailable("The process that understands mails cannot be started; see the log.") from error
        return self._process

    async def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()

    async def close(self) -> None:
        """End the process."""
        await self._end()


async def _write(process: asyncio.subprocess.Process, mails: Sequence[Enveloped]) -> None:
    assert process.stdin is not None
    for mail in mails:
        head = {
            "sender": mail.sender,
            "recipients": list(mail.recipients),
            "size": len(mail.raw),
            "files": mail.opens_files,
        }
        process.stdin.write(_frame(head) + mail.raw)
        await process.stdin.drain()


async def _read(process: asyncio.subprocess.Process) -> Understood | Problem:
    assert process.stdout is not None
    size = int.from_bytes(await process.stdout.readexactly(4), "big")
    head = json.loads(await process.stdout.readexactly(size))
    if "problem" in head:
        return Problem(head["problem"])
    if "away" in head:
        raise Unavailable(head["away"])
    return from_json(await process.stdout.readexactly(head["size"]))


def _frame(head: dict[str, Any]) -> bytes:
    text = json.dumps(head).encode("ascii")
    return len(text).to_bytes(4, "big") + text


def _name_status(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


class _TooLong(BaseException):
    """The alarm rang. No Exception, so that no part of the reading takes it for one of its own."""


def _ring(number: int, frame: FrameType | None) -> None:
    raise _TooLong


def read_files_within(seconds: float, files: Sequence[Attachment]) -> FileTexts:
    """What files say, as far as so many seconds of processor time reach; an alarm that was set for the mail goes on."""
    texts = FileTexts()
    if not files or seconds <= 0:
        return texts
    left, _ = signal.setitimer(signal.ITIMER_PROF, seconds, seconds / 4)  # again, should a file swallow it
    try:
        texts.read(files)
    except _TooLong:
        signal.setitimer(signal.ITIMER_PROF, 0)
        texts.defects.add("files_cut")
    finally:
        signal.setitimer(signal.ITIMER_PROF, max(left, 0.1))
    return texts


def serve(
    source: BinaryIO,
    sink: BinaryIO,
    blobs: BlobStore,
    seconds: float,
    our_domains: Collection[str],
    files_seconds: float = 0,
) -> None:
    """Answer until the input ends. A mail has `seconds` of processor time, its files `files_seconds` more."""
    signal.signal(signal.SIGPROF, _ring)
    sink.write(b"!")
    sink.flush()
    while size := source.read(4):
        head = json.loads(source.read(int.from_bytes(size, "big")))
        raw = source.read(head["size"])
        body = b""
        try:
            signal.setitimer(signal.ITIMER_PROF, seconds)
            readable = files_seconds if head.get("files", True) else 0.0
            read_files = partial(read_files_within, readable)
            understood = understand(
                raw, head["sender"], head["recipients"], blobs.put, our_domains, read_files
            )
            body = to_json(understood)
            answer: dict[str, Any] = {"size": len(body)}
        except _TooLong:
            answer = {"problem": f"Reading it took longer than {seconds:g} s."}
        except MemoryError:
            answer = {"problem": "Reading it took more memory than a mail may take."}
        except OSError as error:
            answer = {
                "away": f"A file of a mail could not be kept: {error}"
            }  # the house's fault, not the mail's
        except Exception as error:
            log.exception("a mail of %d bytes could not be read", len(raw))
            answer = {"problem": f"{type(error).__name__}: {error}"[:500].replace("\0", "")}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(_frame(answer) + (body if "size" in answer else b""))
        sink.flush()


def main(order: str) -> None:
    """Run the process as it was ordered."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    wanted = json.loads(order)
    most = wanted["megabytes"] * 1_048_576
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    serve(
        sys.stdin.buffer,
        sys.stdout.buffer,
        BlobStore(Path(wanted["blobs"])),
        wanted["seconds"],
        frozenset(wanted["our_domains"]),
        wanted["files_seconds"],
    )


if __name__ == "__main__":
    main(sys.argv[1])
