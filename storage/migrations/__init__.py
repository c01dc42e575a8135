"""Bring a database to the schema of this version, with alembic; safe to call from several processes at once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from domain.errors import ConfigurationError
from storage.pool import sqlalchemy_url

_HERE = Path(__file__).parent
_LOCK = 0x436C79746965  # advisory lock: one migration at a time


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    try:
        script = ScriptDirectory.from_config(_config())
        known = {revision.revision for revision in script.walk_revisions()}
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise ConfigurationError(
                f"The database belongs to a newer version of Clytie (its schema is {current}). "
                "Install that version, or restore a backup made before the upgrade."
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


async def upgrade_async(database_url: str) -> None:
    """Migrate to the newest schema. Raises ConfigurationError when the database is newer than this version."""
    engine = create_async_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def upgrade(database_url: str) -> None:
    """`upgrade_async` for callers without a loop; inside of one it works from a thread of its own."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(upgrade_async(database_url))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
