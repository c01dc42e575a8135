"""The web application: tracking at the root without middlewares, the API, the console, live updates, health."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from domain.clock import SystemClock
from storage.house_clock import follow_clock
from web.access.throttle import Throttle
from web.api import install_api
from web.callbacks.sms import add_sms_callbacks
from web.callbacks.voice import add_voice_callbacks
from web.collector import tune_collector
from web.console import install_console
from web.console.door import THROTTLE
from web.context import CONTEXT, WebContext
from web.health import show_health, show_metrics, show_readiness
from web.live.phones import watch_phones
from web.live.stream import LIVE, LiveHub, stream_changes
from web.static_files import serve_static
from web.tracking.doors import TrackingEndpoints, add_tracking_routes


def build_app(context: WebContext) -> web.Application:
    """Everything that answers HTTP. Tracking routes come first and pass through no middleware."""
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app[CONTEXT] = context
    app[THROTTLE] = Throttle(context.settings.signin_tries)
    app[LIVE] = LiveHub(context.pool, context.bell, context.settings)
    if context.recorder is not None:
        add_tracking_routes(
            app,
            TrackingEndpoints(
                context.pool,
                context.recorder,
                context.announcer,
                context.clock,
                context.tokens,
                context.blobs,
                context.tracking,
            ),
        )
    if context.sms is not None:
        add_sms_callbacks(app, context.sms)
    if context.voice is not None:
        add_voice_callbacks(app, context.voice)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/static/{hash}/{name}", serve_static)
    app.router.add_get("/live", stream_changes)
    install_api(app)
    install_console(app)
    app.on_startup.append(_start_live)
    if context.test_phone is not None:
        app.cleanup_ctx.append(_watch_phones)
    app.on_shutdown.append(_end_live)
    app.cleanup_ctx.append(_follow_clock)
    return app


async def _start_live(app: web.Application) -> None:
    app[LIVE].start()


async def _watch_phones(app: web.Application) -> AsyncIterator[None]:
    test_phone = app[CONTEXT].test_phone
    assert test_phone is not None
    watching = asyncio.create_task(watch_phones(test_phone.phones, app[LIVE]), name="phones")
    yield
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def _end_live(app: web.Application) -> None:
    await app[LIVE].close()  # before the server waits for requests that are still being answered


async def _follow_clock(app: web.Application) -> AsyncIterator[None]:
    context = app[CONTEXT]
    if not (context.demo and isinstance(context.clock, SystemClock)):
        yield
        return
    following = asyncio.create_task(follow_clock(context.pool, context.clock), name="clock")
    yield
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def run_web(context: WebContext, host: str, port: int, reuse_port: bool, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then answer what was begun, for at most some seconds."""
    runner = web.AppRunner(build_app(context), access_log=None, handle_signals=False, shutdown_timeout=5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=reuse_port or None, backlog=1024).start()
        tune_collector()
        await stop.wait()
    finally:
        await runner.cleanup()
