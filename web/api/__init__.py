"""The REST API under /api/v1: a table of routes (registry), their models, and what derives from both."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from aiohttp import web

from web.api.dispatch import install_routes

#: the modules that declare routes
_MODULES: Final = (
    "calls",
    "campaigns",
    "cases",
    "contacts",
    "conversations",
    "failed_actions",
    "files",
    "imports",
    "lines",
    "marketing_pauses",
    "me",
    "message_templates",
    "messages",
    "notices",
    "people",
    "phones",
    "quarantine",
    "queues",
    "rules",
    "sandbox",
    "segments",
    "suppressions",
    "tasks",
    "texts",
    "unconfirmed",
    "undecided",
)


def declare_routes() -> None:
    """Fill the table of routes: importing the modules declares them."""
    for name in _MODULES:
        import_module(f"web.api.{name}")


def install_api(app: web.Application) -> None:
    """Add all routes."""
    declare_routes()
    install_routes(app)
