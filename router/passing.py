"""Errors that pass: they say nothing about what is at hand, which is tried again later as it is."""

from __future__ import annotations

from typing import Final

import asyncpg

#: errors that say nothing about the events at hand: the whole batch is tried again later
PASSING: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)
