"""Reports and messages of the SMS provider: signed, behind proxies, repeated, out of order, forged, at a bad moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest

from contacts.consent import grant
from domain.clock import SystemClock
from domain.consent import ConsentEntry, ConsentState, Purpose
from domain.tokens import TokenUse
from inbox.texts.reports import settle_reported_texts
from storage.pool import Pool
from tests.channels.sms.provider import inbound_form
from tests.web.sms_provider import KEYS, PUBLIC, Caller, open_caller
from web.callbacks import requests


@pytest.fixture
async def caller(pool: Pool, tmp_path: Path) -> AsyncIterator[Caller]:
    async with open_caller(pool, tmp_path) as opened:
        yield opened


async def test_a_report_settles_a_message_in_doubt_and_is_told_once(caller: Caller) -> None:
    message = await caller.message("uncertain")
    assert await caller.report(message, "delivered") == 204
    assert await caller.report(message, "delivered") == 204
    assert await caller.state(message) == ("sent", "delivered")
    assert sorted(await caller.events(message)) == ["Delivered", "Sent"]


async def test_a_refusal_settles_a_message_in_doubt_with_its_reason(caller: Caller) -> None:
    message = await caller.message("uncertain")
    assert await caller.report(message, "failed", ErrorCode=30007) == 204
    assert await caller.state(message) == ("rejected", "failed")
    assert await caller.events(message) == ["Rejected"]
    assert (
        await caller.pool.fetchval("SELECT reason FROM deliveries WHERE message_id = $1", message) == "spam"
    )


@pytest.mark.parametrize("order", list(permutations(["queued", "sent", "delivered"])))
async def test_reports_in_any_order_leave_the_last_state(caller: Caller, order: tuple[str, ...]) -> None:
    message = await caller.message("sent")
    for status in order:
        assert await caller.report(message, status) == 204
    assert await caller.state(message) == ("sent", "delivered")
    assert await caller.events(message) == ["Delivered"]


async def test_the_first_final_state_stays(caller: Caller) -> None:
    message = await caller.message("sent")
    await caller.report(message, "delivered")
    await caller.report(message, "undelivered", ErrorCode=30003)
    assert await caller.state(message) == ("sent", "delivered")
    assert await caller.events(message) == ["Delivered"]


async def test_a_report_before_the_doubt_settles_it_later(caller: Caller) -> None:
    message = await caller.message("sending")
    await caller.report(message, "sent")
    assert await settle_reported_texts(caller.pool, SystemClock()) == 0
    await caller.pool.execute("UPDATE deliveries SET state = 'uncertain' WHERE message_id = $1", message)
    assert await settle_reported_texts(caller.pool, SystemClock()) == 1
    assert await caller.state(message) == ("sent", "sent")
    assert await settle_reported_texts(caller.pool, SystemClock()) == 0
    assert await caller.events(message) == ["Sent"]


async def test_what_the_sender_settled_itself_is_only_forgotten(caller: Caller) -> None:
    message = await caller.message("sending")
    await caller.report(message, "sent")
    await caller.pool.execute("UPDATE deliveries SET state = 'sent' WHERE message_id = $1", message)
    assert await settle_reported_texts(caller.pool, SystemClock()) == 1
    assert await caller.events(message) == []


async def test_a_dead_number_is_written_to_no_more(caller: Caller) -> None:
    message = await caller.message("sent", "+33639980007")
    await caller.report(message, "undelivered", ErrorCode=30005)
    row = await caller.pool.fetchrow("SELECT * FROM suppressions")
    assert row is not None
    assert (row["kind"], row["address"], row["reason"]) == ("phone", "+33639980007", "number_unknown")
    assert row["message_id"] == message


async def test_whoever_opted_out_at_the_provider_takes_back_consent(caller: Caller) -> None:
    contact = await caller.pool.fetchval("INSERT INTO contacts (name) VALUES ('Ana') RETURNING id")
    await caller.pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        contact,
        "+33639980001",
    )
    now = SystemClock().now()
    await grant(
        caller.pool, [ConsentEntry(contact, Purpose.TEXTS, ConsentState.GRANTED, "Text me.", "form", now)]
    )
    message = await caller.message("uncertain", contact=contact)
    await caller.report(message, "failed", ErrorCode=21610)
    assert await caller.pool.fetchval("SELECT reason FROM suppressions") == "opted_out"
    assert await caller.pool.fetchval("SELECT state FROM consents WHERE purpose = 'texts'") == "withdrawn"
    assert sorted(await caller.events(message)) == ["Rejected", "Withdrawn"]


async def test_a_forged_report_changes_nothing(caller: Caller) -> None:
    message = await caller.message("uncertain")
    token = KEYS.sign(TokenUse.CALLBACK, 0, message)
    form = {"MessageSid": "SM" + "0c" * 16, "MessageStatus": "delivered"}
    path = f"/callbacks/sms/status/{token}"
    assert (await caller.post(path, form, token="wrong"))[0] == 403
    assert (await caller.post(path, form, signed_for=f"{PUBLIC}/callbacks/sms/status/other"))[0] == 403
    assert (await caller.post(path, form, token="older"))[0] == 204  # while tokens are rotated
    assert await caller.state(message) == ("sent", "delivered")


@pytest.mark.parametrize("use", [TokenUse.REPLY, TokenUse.MEASURE])
async def test_a_token_for_another_use_opens_nothing(caller: Caller, use: TokenUse) -> None:
    message = await caller.message("uncertain")
    form = {"MessageSid": "SM" + "0c" * 16, "MessageStatus": "delivered"}
    assert (await caller.post(f"/callbacks/sms/status/{KEYS.sign(use, 0, message)}", form))[0] == 404
    assert (await caller.state(message))[0] == "uncertain"


async def test_reports_of_what_is_no_short_message_are_not_found(caller: Caller) -> None:
    mail = await caller.pool.fetchval(
        "INSERT INTO messages (direction, channel) VALUES ('out', 'mail') RETURNING id"
    )
    assert await caller.report(mail, "delivered") == 404
    assert await caller.report(99_999, "delivered") == 404


async def test_odd_reports_are_answered_and_change_nothing(caller: Caller) -> None:
    message = await caller.message("uncertain")
    assert await caller.report(message, "teleported") == 204
    assert await caller.report(message, "") == 400
    assert await caller.report(message, "delivered", MessageSid="nothing") == 400
    assert (await caller.state(message))[0] == "uncertain"


async def test_a_message_is_kept_before_it_is_acknowledged_and_only_once(caller: Caller) -> None:
    for _ in range(2):
        status, text = await caller.post("/callbacks/sms/inbound", inbound_form(Body="Où ? 👍"))
        assert status == 200
        assert text.endswith("<Response/>")
    rows = await caller.pool.fetch("SELECT * FROM raw_mails")
    assert [(row["channel"], row["sender"], row["state"]) for row in rows] == [
        ("sms", "+33612345678", "stored")
    ]
    arrival = await caller.pool.fetchrow("SELECT door, cursor, recipients FROM arrivals")
    assert arrival is not None
    assert tuple(arrival) == ("sms", "SM" + "c0" * 16, ["+33700000001"])


async def test_a_forged_message_is_not_kept(caller: Caller) -> None:
    assert (await caller.post("/callbacks/sms/inbound", inbound_form(), token="wrong"))[0] == 403
    async with caller.session.post(f"{caller.url}/callbacks/sms/inbound", data=inbound_form()) as answer:
        assert answer.status == 403
    assert await caller.pool.fetchval("SELECT count(*) FROM raw_mails") == 0


async def test_a_body_without_end_is_refused(caller: Caller) -> None:
    form = inbound_form(Body="x" * 100_000)
    assert (await caller.post("/callbacks/sms/inbound", form))[0] == 413
    assert await caller.pool.fetchval("SELECT count(*) FROM raw_mails") == 0


@pytest.mark.parametrize("query", ["", "?a=%2Fb&c=d%20e"])
async def test_the_address_counts_as_the_provider_wrote_it(caller: Caller, query: str) -> None:
    assert (await caller.post(f"/callbacks/sms/inbound{query}", inbound_form()))[0] == 200


async def test_behind_a_proxy_with_a_folder_of_its_own_the_public_address_counts(
    pool: Pool, tmp_path: Path
) -> None:
    async with open_caller(pool, tmp_path, "https://firm.example:8443/hub") as caller:
        assert (await caller.post("/callbacks/sms/inbound", inbound_form()))[0] == 200
        private = f"{caller.url}/callbacks/sms/inbound"
        assert (await caller.post("/callbacks/sms/inbound", inbound_form(), signed_for=private))[0] == 403


async def test_without_the_database_the_provider_is_asked_to_come_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PATIENCE", 0.6)
    message = await caller.message("uncertain")
    caller.pool.terminate()
    assert await caller.report(message, "delivered") == 503
    assert (await caller.post("/callbacks/sms/inbound", inbound_form()))[0] == 503
