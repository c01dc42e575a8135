"""The REST API under /api/v1: a table of routes (registry), their models, and what derives from both."""

from __future__ import annotations

from aiohttp import web

from web.api.dispatch import install_routes


def declare_routes() -> None:
    """Fill the table of routes: importing the modules declares them."""
    from web.api import campaigns, contacts, imports, me, messages, rules, sandbox, segments, tasks  # noqa: F401


def install_api(app: web.Application) -> None:
    """Add all routes."""
    declare_routes()
    install_routes(app)
