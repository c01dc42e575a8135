"""What bootstrap wires: each role works by the settings of this deployment."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from channels.sandbox.carrier.settings import CarrierSettings
from channels.sms.settings import TwilioSettings
from clytie.bootstrap import open_web, open_worker
from clytie.settings import Settings, load_settings
from domain.errors import ConfigurationError
from domain.messages import ChannelKind
from router.settings import RouterSettings
from tests.channels.sms.provider import inbound_form
from web.app import build_app
from web.settings import WebSettings
from worker.loops import Loop
from worker.work import plan_work


async def test_people_move_tasks_by_the_working_hours_of_the_settings(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    hours = {"mon": [["06:00", "10:00"]]}
    settings = Settings(
        var=tmp_path, database_url=database_url, redis_url=redis_url, router=RouterSettings(hours=hours)
    )
    async with open_web(settings) as context:
        assert context.router.hours == hours


async def test_a_worker_removes_uploads_from_the_folder_that_the_web_processes_write_to(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(var=tmp_path, database_url=database_url, redis_url=redis_url)
    folder = settings.web_settings.upload_folder
    folder.mkdir(parents=True)
    forgotten = folder / f"{'a' * 32}.csv"
    forgotten.touch()
    os.utime(forgotten, (0, 0))
    async with open_worker(settings) as context:
        (loop,) = [work for work in plan_work(context) if work.name == "uploads"]
        assert isinstance(loop, Loop)
        await loop.step()
    assert not forgotten.exists()


async def test_callbacks_for_short_messages_are_taken_once_an_account_is_set(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        var=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        carrier=CarrierSettings(enabled=False),
    )
    async with open_web(settings) as context:
        assert context.sms is None
        assert context.test_phone is None
    account = TwilioSettings(account_sid="AC" + "0" * 32, auth_token=SecretStr("token"))
    place = WebSettings(public_url="https://firm.example/hub/")
    with_account = settings.model_copy(update={"sms": account, "web": place})
    assert with_account.sms_settings.callback_url == "https://firm.example/hub/callbacks/sms"
    async with open_web(with_account) as context:
        assert context.sms is not None
        assert context.sms.public_url == "https://firm.example/hub"
        paths = {route.resource.canonical for route in build_app(context).router.routes() if route.resource}
    assert {"/callbacks/sms/inbound", "/callbacks/sms/status/{token}"} <= paths


def test_callbacks_at_another_path_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLYTIE_SMS__CALLBACK_URL", "https://firm.example/elsewhere")
    with pytest.raises(ConfigurationError, match="has to end in /callbacks/sms"):
        load_settings()


async def test_a_worker_reads_short_messages_that_the_web_process_took(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    account = TwilioSettings(account_sid="AC" + "0" * 32, auth_token=SecretStr("token"))
    settings = Settings(var=tmp_path, database_url=database_url, redis_url=redis_url, sms=account)
    async with open_web(settings) as context:
        assert context.sms is not None
        raw = urlencode(inbound_form(Body="Hello")).encode()
        await context.sms.take(
            replace(context.sms.provider.parse_inbound(raw), door="sms", kind=ChannelKind.SMS)
        )
    async with open_worker(settings) as worker:
        loops = {work.name: work for work in plan_work(worker) if isinstance(work, Loop)}
        assert not await loops["inbox"].step()  # the reader of mail leaves it alone
        assert await loops["sms inbox"].step()
        assert await worker.pool.fetchval("SELECT body FROM message_contents") == "Hello"
