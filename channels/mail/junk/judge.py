"""The verdict on one inbound mail, out of the notes of others and the scanners of ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from channels.mail.junk.scanners import ScannerAway, ask_clamav, ask_rspamd
from channels.mail.junk.settings import JunkSettings
from channels.mail.junk.upstream import read_notes
from channels.mail.parsed import ParsedMail

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Junk:
    """`reason`: who calls it junk, empty when it is none. `virus`: the name of what was found. `score`: rspamd's.

    `unscanned`: scanners that were to be asked and did not answer.
    """

    reason: str = ""
    virus: str = ""
    score: float | None = None
    unscanned: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reason or self.virus)


class JunkJudge:
    """Judges mails by its settings. A scanner that is away delays nothing: the mail counts as unscanned."""

    def __init__(self, settings: JunkSettings) -> None:
        self._settings = settings

    async def judge(
        self,
        raw: bytes,
        mail: ParsedMail,
        *,
        sender: str,
        recipients: Sequence[str],
        peer: str = "",
        helo: str = "",
    ) -> Junk:
        """The verdict; `sender` and `recipients` are the envelope's. Never raises for a scanner's sake."""
        settings = self._settings
        reason, virus = read_notes(mail) if settings.headers else ("", "")
        unscanned: list[str] = []
        score: float | None = None

        async def rspamd() -> None:
            nonlocal reason, score
            assert settings.rspamd is not None
            verdict = await ask_rspamd(
                settings.rspamd,
                raw,
                sender=sender,
                recipients=recipients,
                peer=peer,
                helo=helo,
                password=settings.rspamd_password.get_secret_value(),
                timeout=settings.timeout,
            )
            score = verdict.score
            if verdict.junk:
                reason = reason or "rspamd"

        async def clamav() -> None:
            nonlocal virus
            assert settings.clamav is not None
            virus = await ask_clamav(settings.clamav, raw, settings.timeout) or virus

        asked = [(settings.rspamd, rspamd), (settings.clamav, clamav)]
        work = [ask for place, ask in asked if place is not None]
        for ask, result in zip(
            work, await asyncio.gather(*[ask() for ask in work], return_exceptions=True), strict=True
        ):
            if isinstance(result, ScannerAway):
                log.warning("a mail was not scanned: %s", result)
                unscanned.append(ask.__name__)
            elif isinstance(result, BaseException):
                raise result
        return Junk(reason or ("virus" if virus else ""), virus, score, tuple(unscanned))
