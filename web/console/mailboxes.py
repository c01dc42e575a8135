"""Where mail comes in: the mailboxes that are read by IMAP with their state and what to do about it, and the doors."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from aiohttp import web

from channels.mail.imap.words import Trouble
from inbox.arrival.imap_ledger import ImapLedger, WatchedFolder
from web.access.permissions import Permission
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_

#: what is in the way → what it is called, what to do about it (the remedies of channels/mail/imap/words.py)
TROUBLES: Final = {
    Trouble.UNREACHABLE: (
        N_("The server cannot be reached."),
        N_("Check host and port, and that this machine may reach them; tried again by itself."),
    ),
    Trouble.TLS: (
        N_("Encryption could not be agreed on."),
        N_("Check encryption and port; for a certificate of your own authority set ca_file."),
    ),
    Trouble.LOGIN: (
        N_("The server refused the login."),
        N_(
            "Check username and password; many providers want an app password or OAuth, and IMAP switched on "
            "for the mailbox."
        ),
    ),
    Trouble.CONSENT: (
        N_("Nobody has allowed us into this mailbox yet, or the permission ended."),
        N_("Run `clytie mail login` for this account."),
    ),
    Trouble.OAUTH: (
        N_("The provider refused our application."),
        N_(
            "Check the registration of the application at the provider: client_id, client_secret, permissions."
        ),
    ),
    Trouble.FOLDER: (
        N_("The folder cannot be opened."),
        N_("Check the folder's name (`clytie mail folders` lists them) and the login's rights on it."),
    ),
    Trouble.LOST: (
        N_("The connection broke."),
        N_("It is opened again by itself, and nothing is lost."),
    ),
    Trouble.SILENT: (
        N_("The server stopped answering."),
        N_("It is tried again by itself, and nothing is lost."),
    ),
    Trouble.PROTOCOL: (
        N_("The server's answer was not understood."),
        N_("It is tried again by itself."),
    ),
    Trouble.SETTINGS: (N_("A setting is wrong."), N_("Correct the setting that it names.")),
    Trouble.STORAGE: (
        N_("Our database took no mail."),
        N_("Mail waits in its mailbox until the database takes it; tried again by itself."),
    ),
    Trouble.COURTESY: (
        N_("The mail could not be moved or marked there."),
        N_("The mail is safe here. Check that the target folder exists and that the login may change it."),
    ),
}


@page("GET", "/mailboxes", permission=Permission.PEOPLE_ADMINISTER)
async def show_mailboxes(visit: Visit) -> web.StreamResponse:
    """Every watched folder by account, and the doors."""
    folders = await ImapLedger(visit.context.pool, visit.context.announcer).states()
    accounts = [
        (name, [_describe(visit, folder) for folder in group])
        for name, group in groupby(folders, key=lambda folder: folder.status.account)
    ]
    return visit.page("mailboxes.html", accounts=accounts, doors=visit.context.doors)


def _describe(visit: Visit, folder: WatchedFolder) -> dict[str, Any]:
    status = folder.status
    trouble = TROUBLES.get(Trouble(status.trouble)) if status.trouble in set(Trouble) else None
    return {
        "name": status.folder,
        "state": status.state.value,
        "contact_at": status.contact_at,
        "again_at": status.again_at,
        "done": status.done,
        "total": status.total,
        "words": status.words,
        "trouble": trouble[0] if trouble else "",
        "remedy": trouble[1] if trouble else "",
        "changed_at": folder.changed_at,
    }
