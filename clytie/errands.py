"""What rules put down, wired for a worker: webhooks with their secret, letters with their stationery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.http.hooks import Hooks, read_secret
from channels.http.public import read_networks
from clytie.keys import load_token_keys, make_webhook_secret
from clytie.settings import Settings
from domain.clock import Clock
from outbox.letters.writing import Stationery
from router.errands.notify import NotifyErrand
from router.errands.send import AutoAnswerErrand, SendErrand
from router.errands.webhook import WebhookErrand
from router.performing import Performer
from storage.announce import Announcer
from storage.blobs import BlobStore
from storage.pool import Pool
from worker.loops import Loop


def webhook_secret(settings: Settings) -> bytes:
    """What signs the webhooks of rules: that of the settings, or the one that follows from the token keys."""
    written = settings.router.webhooks.secret
    if written is not None:
        return read_secret(written.get_secret_value())
    return make_webhook_secret(settings.token_keys, settings.var)


@asynccontextmanager
async def open_errand_loops(
    settings: Settings, pool: Pool, announcer: Announcer, clock: Clock
) -> AsyncIterator[list[Loop]]:
    """The loops that do what rules put down."""
    webhooks = settings.router.webhooks
    hooks = Hooks(
        webhook_secret(settings), read_networks(webhooks.allowed), webhooks.timeout, webhooks.at_once
    )
    tokens = load_token_keys(settings.token_keys, settings.var)
    stationery = Stationery(clock, tokens, settings.outbox, BlobStore(settings.var / "blobs"))
    performer = Performer(
        pool,
        clock,
        announcer,
        settings.router,
        inside={
            "send": SendErrand(stationery, settings.public_url, settings.router),
            "auto_answer": AutoAnswerErrand(stationery, settings.inbox.auto_answers),
            "notify": NotifyErrand(stationery, settings.public_url),
        },
        outside={"webhook": WebhookErrand(hooks)},
    )
    poll = settings.worker.poll
    try:
        yield [
            Loop("errands", performer.perform_inside, poll),
            Loop("webhooks", performer.perform_outside, poll),
        ]
    finally:
        await hooks.close()
