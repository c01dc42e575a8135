"""The do-not-contact list: addresses that nothing is sent to, whatever the consent says. Asked at every mark."""

from __future__ import annotations

from typing import Final

from domain.contacts import IdentityKind
from storage.pool import Connection, Pool

_ADD: Final = """
INSERT INTO suppressions (kind, address, reason, source) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true
"""


async def suppress(
    connection: Connection | Pool, kind: IdentityKind, address: str, reason: str, source: str
) -> bool:
    """Put a normalised address on the list; false when it was there. `source`: who or what asked for it.

    What is marked from then on goes to this address no more; what is under way is not called back.
    """
    return bool(await connection.fetchval(_ADD, kind.value, address, reason, source))


async def lift(connection: Connection | Pool, kind: IdentityKind, address: str) -> bool:
    """Take an address off the list; false when it was not on it."""
    done: str = await connection.execute(
        "DELETE FROM suppressions WHERE kind = $1 AND address = $2", kind.value, address
    )
    return done != "DELETE 0"
