"""One role in this process, from its settings until it is told to stop; `clytie serve` starts these."""

from __future__ import annotations

import asyncio
import logging

import structlog
import uvloop
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import start_http_server

from clytie.bootstrap import open_doors, open_web, open_worker
from clytie.processes import stop_on_signals
from clytie.settings import Settings, load_settings
from domain.errors import InvalidInput
from web.app import run_web
from worker.run import run_worker


def run_role(name: str) -> None:
    """Run the role `web`, `worker` or `mail`. Raises InvalidInput for any other."""
    roles = {"web": _run_web, "worker": _run_worker, "mail": _run_mail}
    if name not in roles:
        raise InvalidInput("ROLE", f"there is no role “{name}”.", f"Choose {', '.join(roles)}.")
    configure_logs()
    uvloop.run(roles[name](load_settings()))


def configure_logs() -> None:
    """Lines on standard error, one per event: time, level, logger, words."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("arq").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # what strangers do wrong is their affair
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Malformed requests are their sender's: without this, any stranger fills the log with tracebacks."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _run_web(settings: Settings) -> None:
    stop = _stop_event()
    async with open_web(settings) as context:
        await run_web(context, settings.host, settings.port, True, stop)


async def _run_worker(settings: Settings) -> None:
    stop = _stop_event()
    async with open_worker(settings) as context:
        await run_worker(context, stop)


async def _run_mail(settings: Settings) -> None:
    stop = _stop_event()
    if settings.inbox.metrics_port is not None:
        start_http_server(settings.inbox.metrics_port)
    async with open_doors(settings):
        await stop.wait()


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    return stop
