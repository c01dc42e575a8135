"""The console: pages for people, rendered on the server, kept current by live fragments."""

from __future__ import annotations

from aiohttp import web

from web.console.pages import install_pages


def install_console(app: web.Application) -> None:
    """Add all pages; importing their modules declares them."""
    from web.console import (  # noqa: F401 - declared by being imported
        account,
        availability,
        calls,
        campaigns,
        case_moves,
        case_types,
        cases,
        contacts,
        conversation_answers,
        conversation_moves,
        conversations,
        dialling,
        door,
        drafts,
        failed_actions,
        home,
        imports,
        lines,
        mail_files,
        mailbox,
        mailboxes,
        people,
        phone,
        quarantine,
        queues,
        rules,
        suppressions,
        tasks,
        teams,
        text_drafts,
        texts,
        told,
        undecided,
    )

    install_pages(app)
