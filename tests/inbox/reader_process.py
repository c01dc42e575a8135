"""A process that reads mails until it is killed: `python -m tests.inbox.reader_process DATABASE_URL FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from inbox.reading_settings import ReadingSettings
from storage.pool import open_pool
from tests.inbox.post import open_post_room

SETTINGS = ReadingSettings(batch=4, lease=1.5, retry_after=0.1, attempts=20)


async def main(url: str, folder: Path) -> None:
    """Read, and say so for each turn."""
    pool = await open_pool(url, max_size=4)
    async with open_post_room(pool, folder, SETTINGS) as post:
        while True:
            count = await post.reader.read_due()
            print(count, flush=True)
            await asyncio.sleep(0 if count else 0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
