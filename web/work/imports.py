"""An uploaded file becomes an import: looked at, written down, handed to a worker."""

from __future__ import annotations

from pathlib import Path

from contacts.importing import create_import
from web.context import WebContext


async def begin_import(context: WebContext, name: str, path: Path, user_id: int) -> int:
    """Note the import and wake a worker; gives its id. A file that cannot be imported is removed,
    the others once their import is over (contacts/upload_sweep.py).

    Raises InvalidInput for a file without a usable line of column names.
    """
    try:
        number = await create_import(context.pool, name, path, user_id, country=context.contacts.country)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    await context.enqueue("import_contacts", number)
    context.announcer.touch()
    return number
