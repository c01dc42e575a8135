"""Sending short messages as a worker wires it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clytie.settings import Settings
from clytie.text_sending import open_sms_sending
from domain.clock import SystemClock
from storage.announce import Announcer
from storage.pool import Pool


@pytest.mark.parametrize(("connections", "window"), [(20, 100), (1, 5)])
async def test_five_messages_are_marked_for_each_request_under_way(
    pool: Pool, tmp_path: Path, connections: int, window: int
) -> None:
    account = {"account_sid": "AC" + "5a" * 16, "auth_token": "0" * 32, "connections": connections}
    settings = Settings.model_validate({"var": tmp_path, "sms": account})
    async with open_sms_sending(settings, pool, Announcer(pool), SystemClock()) as work:
        assert work is not None
        assert work.window == window
