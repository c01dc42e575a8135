"""A process that reads short messages until it is killed: `python -m tests.inbox.sms_reader_process DATABASE_URL FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from domain.clock import SystemClock
from inbox.reading_settings import ReadingSettings, TextAnswerSettings
from inbox.texts.reading import SmsReader
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import open_pool

SETTINGS = ReadingSettings(batch=4, lease=1.5, retry_after=0.1, attempts=20)
ANSWERS = TextAnswerSettings(provider_answers=False, per_correspondent=100, per_hour=100_000)


async def main(url: str, folder: Path) -> None:
    """Read, and say so for each turn."""
    pool = await open_pool(url, max_size=4)
    reader = SmsReader(pool, BlobStore(folder / "blobs"), SystemClock(), Announcer(pool), SETTINGS, ANSWERS)
    while True:
        count = await reader.read_due()
        print(count, flush=True)
        await asyncio.sleep(0 if count else 0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
