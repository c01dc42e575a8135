"""The recipient's own page: /u/{token} shows what they allowed and takes it back; mail providers post to it.

GET changes nothing (link scanners fetch it). POST with `List-Unsubscribe=One-Click` unsubscribes at once, without
cookies, confirmation or redirect (RFC 8058). The form on the page sets each purpose by itself, so that a person can
stop being measured and keep the newsletter; measuring stops for mail already sent, too. Whoever holds the link may do
this, and nothing else with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Final

import asyncpg
from aiohttp import web

from contacts.consent import grant, hold_contacts, withdraw
from domain.clock import Clock
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.tokens import TokenKeys, TokenUse
from storage.announce import Announcer
from storage.pool import Pool, transaction
from web.i18n import LANGUAGES, N_, _, speaking
from web.tracking.forms import read_form
from web.tracking.pages import Note, answer_note, answer_page, reader_language

#: What the page lets people choose, in the words that the consent history keeps.
CHOICES: Final[Mapping[Purpose, str]] = {
    Purpose.NEWSLETTER: N_("I would like to receive the newsletter."),
    Purpose.MEASURE: N_("My own opens, clicks and downloads may be recorded."),
}
_PURPOSES: Final = frozenset(Purpose)
SOURCE_PAGE: Final = "preference page"
SOURCE_ONE_CLICK: Final = "one-click unsubscribe (RFC 8058)"
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)
_READ: Final = """
SELECT m.id, m.campaign_id, coalesce(a.contact_id, m.contact_id) AS contact_id, p.language, g.purpose,
       (SELECT jsonb_object_agg(purpose, state) FROM consents WHERE contact_id = p.id) AS states
FROM messages m
LEFT JOIN contact_aliases a ON a.old_id = m.contact_id
JOIN contacts p ON p.id = coalesce(a.contact_id, m.contact_id)
LEFT JOIN campaigns g ON g.id = m.campaign_id
WHERE m.id = $1 AND m.direction = 'out'
"""
#: The states as they stand now, kept from others until the transaction ends.
_LOCK: Final = """
SELECT purpose, state, since FROM consents
WHERE contact_id = coalesce((SELECT contact_id FROM contact_aliases WHERE old_id = $1), $1)
ORDER BY purpose FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who received the mail, what it was sent for, and what they allowed so far (no entry: never asked)."""

    message_id: int
    campaign_id: int | None
    contact_id: int
    language: str | None
    purpose: Purpose
    states: Mapping[str, str]

    def allows(self, purpose: Purpose) -> bool:
        """Whether the consent is granted now."""
        return self.states.get(purpose) == ConsentState.GRANTED


class Preferences:
    """The handlers of the page."""

    def __init__(self, pool: Pool, announcer: Announcer, clock: Clock, tokens: TokenKeys) -> None:
        self._pool = pool
        self._announcer = announcer
        self._clock = clock
        self._tokens = tokens

    async def show(self, request: web.Request) -> web.Response:
        """GET, HEAD /u/{token}"""
        try:
            recipient = await self._find(request)
        except _TROUBLE:
            return answer_note(request, Note.UNAVAILABLE)
        if recipient is None:
            return answer_note(request, Note.UNKNOWN_LINK)
        return _page(request, recipient)

    async def change(self, request: web.Request) -> web.Response:
        """POST /u/{token}"""
        form = await read_form(request)
        if form is None:
            return answer_note(request, Note.NOT_A_FORM)
        try:
            recipient = await self._find(request)
            if recipient is None:
                return answer_note(request, Note.UNKNOWN_LINK)
            if form.get("List-Unsubscribe", "").lower() == "one-click":
                wanted, source = {recipient.purpose: False}, SOURCE_ONE_CLICK
            elif form.get("form") == "preferences":
                wanted, source = {purpose: purpose.value in form for purpose in CHOICES}, SOURCE_PAGE
            else:
                return answer_note(request, Note.NOT_A_FORM)
            await self._record(recipient, wanted, source, _language(request, recipient))
            recipient = await self._find(request)
        except _TROUBLE:
            return answer_note(request, Note.UNAVAILABLE)
        if recipient is None:
            return answer_note(request, Note.UNKNOWN_LINK)
        return _page(request, recipient, changed=True)

    async def _find(self, request: web.Request) -> Recipient | None:
        token = self._tokens.verify(request.match_info["token"], TokenUse.UNSUBSCRIBE)
        if token is None or token.message_id is None:
            return None
        row = await self._pool.fetchrow(_READ, token.message_id)
        if row is None:
            return None
        purpose = Purpose(row["purpose"]) if row["purpose"] in _PURPOSES else Purpose.NEWSLETTER
        return Recipient(
            row["id"],
            row["campaign_id"],
            row["contact_id"],
            row["language"],
            purpose,
            row["states"] or {},
        )

    async def _record(
        self, recipient: Recipient, wanted: Mapping[Purpose, bool], source: str, language: str
    ) -> None:
        """Write what differs from the state at this moment; a "no" counts where nothing was granted, too.

        What is chosen now counts, even against a consent dated in the future. The second look is for a first consent
        that somebody committed just before our own entry: by then its row is locked.
        """
        with speaking(language):
            wording = {purpose: _(CHOICES.get(purpose, CHOICES[Purpose.NEWSLETTER])) for purpose in wanted}
        now = self._clock.now()
        changed = False
        async with transaction(self._pool) as connection:
            await hold_contacts(connection, {recipient.contact_id})  # merges take their locks in this order
            for _look in range(2):
                standing = {
                    row["purpose"]: row for row in await connection.fetch(_LOCK, recipient.contact_id)
                }
                # In order, as imports do, so that neither waits for the other in a circle.
                for purpose in sorted(wanted):
                    state = ConsentState.GRANTED if wanted[purpose] else ConsentState.WITHDRAWN
                    held = standing.get(purpose)
                    if held is not None and held["state"] == state:
                        continue
                    when = now if held is None else max(now, held["since"] + timedelta(microseconds=1))
                    entry = ConsentEntry(recipient.contact_id, purpose, state, wording[purpose], source, when)
                    changed = True
                    if state is ConsentState.GRANTED:
                        await grant(connection, [entry])
                    else:
                        await withdraw(
                            connection,
                            [entry],
                            message_id=recipient.message_id,
                            campaign_id=recipient.campaign_id,
                        )
        if changed:
            self._announcer.touch()


def _language(request: web.Request, recipient: Recipient) -> str:
    """The reader's language: what the browser asks for, else the contact's, else English."""
    if "Accept-Language" in request.headers or recipient.language not in LANGUAGES:
        return reader_language(request)
    return recipient.language


def _page(request: web.Request, recipient: Recipient, *, changed: bool = False) -> web.Response:
    language = _language(request, recipient)
    with speaking(language):
        title, saved, done = _("What may we send you?"), _("Saved. Thank you."), _("You are unsubscribed.")
        unsubscribe, save, choose = _("Unsubscribe"), _("Save"), _("Or choose for yourself")
        at_once = _("What you choose takes effect at once, also for mail that was already sent.")
        labels = {purpose: _(text) for purpose, text in CHOICES.items()}
    notice = f'<p class="notice" role="status">{escape(saved)}</p>' if changed else ""
    if recipient.states.get(recipient.purpose) == ConsentState.WITHDRAWN:
        button = f"<p><strong>{escape(done)}</strong></p>"
    else:
        button = (
            '<form method="post"><p><button class="button sun" name="List-Unsubscribe" value="One-Click">'
            f"{escape(unsubscribe)}</button></p></form>"
        )
    boxes = "".join(
        f'<p><label class="check"><input type="checkbox" name="{purpose.value}"'
        f"{' checked' if recipient.allows(purpose) else ''}> {escape(label)}</label></p>"
        for purpose, label in labels.items()
    )
    content = (
        f"{notice}{button}<h2>{escape(choose)}</h2><p>{escape(at_once)}</p>"
        f'<form method="post"><input type="hidden" name="form" value="preferences">{boxes}'
        f'<p><button class="button">{escape(save)}</button></p></form>'
    )
    return answer_page(language, title, content)
