"""Which addresses mail is taken in for: those of queues, those with a token of ours, and whole domains.

Everything else is refused at RCPT, so we relay for nobody and write bounces to nobody. The queues' addresses are
remembered for some seconds; an address that is not among them is looked for again before it is refused, at most once
a second, so that a new one works at once and a flood of guesses costs the database nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from contacts.addresses import read_mail_address
from domain.errors import InvalidInput
from domain.tokens import TokenKeys, TokenUse
from storage.pool import DATABASE_AWAY, Pool

_ADDRESSES: Final = """
SELECT address FROM queue_addresses UNION SELECT from_address FROM queues WHERE from_address IS NOT NULL
"""
_REMEMBERED: Final = 30.0  # seconds
_LOOKED: Final = 1.0  # seconds between looks for addresses that are not known
_PATIENCE: Final = 5.0  # seconds for the database


class OwnAddresses:
    """Answers for one process. `domains` are those whose every address is ours."""

    def __init__(
        self,
        pool: Pool,
        tokens: TokenKeys,
        domains: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._tokens = tokens
        self._whole = frozenset(domain.lower() for domain in domains)
        self._clock = clock
        self._addresses: frozenset[str] = frozenset()
        self._domains: frozenset[str] = self._whole
        self._read_at = float("-inf")
        self._away_at = float("-inf")
        self._turn = asyncio.Lock()

    async def __call__(self, address: str) -> bool:
        """Whether mail to `address` is for us. Raises what the database raises where only it could tell."""
        local, _, domain = address.rpartition("@")
        if domain.lower() in self._whole or self._is_signed(local):
            return True
        form = self._form(address)
        age = self._clock() - self._read_at
        if age > _REMEMBERED or (age > _LOOKED and not self._is_known(form)):
            try:
                await self._read()
            except DATABASE_AWAY:
                if not self._is_known(form):
                    raise  # a new address must not be refused for ever
        return self._is_known(form)

    def _is_known(self, address: str) -> bool:
        local, _, domain = address.rpartition("@")
        # RFC 5321, 4.5.1: who takes mail for a domain takes it for its postmaster, and without a domain too.
        postmaster = (local == "postmaster" and domain in self._domains) or address == "postmaster"
        return postmaster or address in self._addresses

    def _is_signed(self, local: str) -> bool:
        """An address for answers, bounces or copies that we made ourselves (outbox/addresses.py)."""
        _, plus, token = local.partition("+")
        return bool(plus) and any(
            self._tokens.verify(token, use) is not None for use in (TokenUse.REPLY, TokenUse.COPY)
        )

    async def _read(self) -> None:
        """Raises what the database raises, and without asking it again for a while after it did not answer."""
        async with self._turn:
            if self._clock() - self._read_at <= _LOOKED:
                return  # somebody else was faster
            if self._clock() - self._away_at <= _LOOKED:
                raise ConnectionError("The database did not answer a moment ago.")
            try:
                rows = await asyncio.wait_for(self._pool.fetch(_ADDRESSES), _PATIENCE)
            except DATABASE_AWAY:
                self._away_at = self._clock()
                raise
            self._addresses = frozenset(self._form(row["address"]) for row in rows)
            self._domains = self._whole | {one.rpartition("@")[2] for one in self._addresses}
            self._read_at = self._clock()

    @staticmethod
    def _form(address: str) -> str:
        try:
            return read_mail_address(address)
        except InvalidInput:
            return address.lower()
