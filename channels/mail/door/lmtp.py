"""One connection of the LMTP door: LHLO, and after the content one reply per recipient (RFC 2033)."""

from __future__ import annotations

from collections.abc import Sequence

from aiosmtpd.smtp import syntax

from channels.mail.door.reception import Reception


class LmtpReception(Reception):
    """A connection of the LMTP door (RFC 2033)."""

    greeting = "LHLO"

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:
        """Greet; in place of EHLO."""
        await super().smtp_EHLO(arg)

    async def smtp_HELO(self, arg: str) -> None:
        """Not for LMTP (RFC 2033, 4.1)."""
        await self.push("500 5.5.1 this is LMTP, say LHLO")

    async def smtp_EHLO(self, arg: str) -> None:
        """Not for LMTP (RFC 2033, 4.1)."""
        await self.push("500 5.5.1 this is LMTP, say LHLO")

    async def _answer(self, reply: str, recipients: Sequence[str]) -> None:
        """One reply for each recipient that was taken, in order (RFC 2033, 4.2)."""
        for recipient in recipients:
            await self._say(f"{reply[:9]} <{recipient}>{reply[9:]}")
        if reply[:1] == "5":  # one error, however many are told of it
            await self._count_error()

    async def check_helo_needed(self, helo: str = "LHLO") -> bool:
        """Whether the greeting is still missing; answers if so."""
        return await super().check_helo_needed("LHLO")

    def _trace(self) -> dict[str, str]:
        trace = super()._trace()
        return trace | {"protocol": trace["protocol"].replace("ESMTP", "LMTP")}
