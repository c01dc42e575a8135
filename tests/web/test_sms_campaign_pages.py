"""Campaigns by SMS in the console and through the API: written, weighed, tried on a phone, launched, reported."""

from __future__ import annotations

from typing import Any

import pytest

from storage.pool import Pool
from tests.web.house import House
from tests.web.texting import ACCOUNT, OURS, Texting, build_texting


@pytest.fixture
async def texting(house: House, pool: Pool) -> Texting:
    """A small organisation that texts, with prices."""
    house.context.texts = ACCOUNT
    return await build_texting(pool)


def form(texting: Texting, **changes: Any) -> dict[str, Any]:
    """The form of a campaign by SMS, as a browser sends it."""
    return {
        "channel": "sms", "name": "Friday", "segment_id": texting.segment, "purpose": "texts",
        "source.sender": OURS, "source.text": "Dear {{ contact.given_name }}, we’re open.", "source.language": "en",
        **changes,
    }  # fmt: skip


async def test_a_new_campaign_may_go_by_sms(house: House, texting: Texting, pool: Pool) -> None:
    marketer = await house.signed_in("marketer")
    page = await marketer.get("/campaigns/new")
    assert 'href="/campaigns/new?channel=sms"' in page.text
    page = await marketer.get("/campaigns/new?channel=sms")
    assert page.status == 200
    assert f'value="{OURS}"' in page.text  # the senders that one may choose
    assert "HELIANTHE" in page.text
    page = await marketer.post("/campaigns/new", form(texting, **{"source.stop_hint": "yes"}))
    assert page.status == 200
    row = await pool.fetchrow("SELECT channel, purpose, source FROM campaigns WHERE name = 'Friday'")
    assert row is not None
    assert (row["channel"], row["purpose"]) == ("sms", "texts")
    assert (row["source"]["stop_hint"], row["source"]["lookalikes"]) == (True, False)
    page = await marketer.post(
        page.url.removeprefix(house.url).partition("?")[0] + "/edit", form(texting, name="Saturday")
    )
    assert page.status == 200
    assert (
        await pool.fetchval("SELECT source->>'stop_hint' FROM campaigns WHERE name = 'Saturday'") == "false"
    )


async def test_what_is_wrong_stays_in_the_form(house: House, texting: Texting) -> None:
    marketer = await house.signed_in("marketer")
    await marketer.get("/campaigns/new?channel=sms")
    page = await marketer.post("/campaigns/new", form(texting, name=""))
    assert page.status == 422
    assert "we’re open" in page.text


async def test_the_text_is_weighed_for_its_real_readers_while_it_is_written(
    house: House, texting: Texting
) -> None:
    marketer = await house.signed_in("marketer")
    await marketer.get("/campaigns/new?channel=sms")
    page = await marketer.post(
        "/campaigns/weigh", form(texting, **{"source.text": "Dear {{ contact.name }}, we’re open."})
    )
    assert page.status == 200
    assert "5 parts for 5 messages" in page.words
    assert "Shortest" in page.words
    assert "Małgorzata Wójcik-Krzyżanowska" in page.words
    assert "UCS-2" in page.words
    assert "The text does not say how to stop." in page.words
    long = "Dear {{ contact.name }}, we’re open. " + "Come. " * 12
    page = await marketer.post("/campaigns/weigh", form(texting, **{"source.text": long}))
    assert "would save 3 parts" in page.words
    assert 'data-check="source.lookalikes"' in page.text
    page = await marketer.post(
        "/campaigns/weigh", form(texting, **{"source.text": long, "source.lookalikes": "yes"})
    )
    assert "which saves 3 parts" in page.words
    assert "7 parts for 5 messages" in page.words  # two names need the large alphabet all the same
    for wrong, words in (
        ({"source.text": "{{ contact.nme }}"}, "contact.nme"),
        ({"segment_id": ""}, "segment"),
        ({"source.text": ""}, ""),
    ):
        page = await marketer.post("/campaigns/weigh", form(texting, **wrong))
        assert page.status == 422
        assert words in page.words


async def test_the_form_tells_whom_it_reaches_and_why_not_the_others(house: House, texting: Texting) -> None:
    marketer = await house.signed_in("marketer")
    await marketer.get("/campaigns/new?channel=sms")
    page = await marketer.post("/segments/reach", form(texting))
    assert "5 people get it of 10 in the segment" in page.words
    for words in (
        "1 no phone number",
        "1 no mobile number",
        "1 never asked",
        "1 took their consent back",
        "1 answered STOP",
    ):
        assert words in page.words


async def test_a_draft_shows_cost_reach_and_a_phone(house: House, texting: Texting) -> None:
    marketer = await house.signed_in("marketer")
    page = await marketer.get(f"/campaigns/{texting.draft}?contact={texting.contacts['Niamh']}")
    assert page.status == 200
    assert "Bonjour Niamh" in page.words
    assert "Reply STOP to opt out" in page.words
    assert "5 people get it of 10 in the segment" in page.words
    assert "€" in page.text
    assert "1 number, for whose country no price is known" in page.words
    assert "Launch…" in page.words


async def test_a_test_goes_to_ones_own_phone(house: House, texting: Texting, pool: Pool) -> None:
    marketer = await house.signed_in("marketer")
    path, claire = f"/campaigns/{texting.draft}", texting.contacts["Claire"]
    await marketer.get(path)
    page = await marketer.post(f"{path}/trial", {"contact": claire, "to": ""})
    assert page.status == 422
    assert "No phone of yours is known." in page.words
    await pool.execute("UPDATE users SET phone = '+33639980055' WHERE role = 'marketer'")
    page = await marketer.post(f"{path}/trial", {"contact": claire, "to": ""})
    assert (page.status, "on its way" in page.words) == (200, True)
    row = await pool.fetchrow(
        "SELECT d.address, d.campaign_id, l.kind, l.content FROM letters l JOIN deliveries d USING (message_id)"
        " ORDER BY l.message_id DESC LIMIT 1"
    )
    assert row is not None
    assert (row["address"], row["campaign_id"], row["kind"]) == ("+33639980055", 0, "notification")
    assert row["content"].decode().startswith("Bonjour Claire")
    page = await marketer.post(f"{path}/trial", {"contact": claire, "to": "+33639980004"})  # answered STOP
    assert "do-not-contact list" in page.words


async def test_a_campaign_by_sms_is_launched_paused_and_resumed(
    house: House, texting: Texting, pool: Pool
) -> None:
    marketer = await house.signed_in("marketer")
    path = f"/campaigns/{texting.draft}"
    await marketer.get(path)
    page = await marketer.post(f"{path}/launch")
    assert page.status == 200
    assert ("launch_due",) in house.jobs
    context = house.context
    from campaigns.launch import launch_due

    assert await launch_due(pool, context.kitchen, context.clock) == [texting.draft]
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE campaign_id = $1", texting.draft) == 5
    for move, words in (("pause", "Paused."), ("resume", "Resumed.")):
        assert words in (await marketer.post(f"{path}/{move}")).words


async def test_the_report_tells_what_arrived_what_not_and_what_it_cost(
    house: House, texting: Texting
) -> None:
    for language, words in (
        (
            "en",
            ("2 delivered", "5 recipients", "The phone could not be reached.", "€0.1776"),
        ),
        ("fr", ("remis", "Le téléphone", "0,1776")),
    ):
        marketer = await house.signed_in("marketer", language, email=f"{language}@house.example")
        page = await marketer.get(f"/campaigns/{texting.campaign}")
        assert page.status == 200
        for word in words:
            assert word in page.words.replace("\xa0", " ")
        assert "Opened" not in page.words
        assert (await marketer.get("/campaigns")).status == 200


async def test_the_api_writes_weighs_tries_and_reports_campaigns_by_sms(
    house: House, texting: Texting
) -> None:
    marketer = await house.signed_in("marketer")
    await marketer.get("/campaigns")
    status, made = await marketer.call(
        "POST", "/campaigns", {"name": "By API", "channel": "sms", "segment_id": texting.segment}
    )
    assert (status, made["channel"], made["purpose"]) == (201, "sms", "texts")
    assert (made["source"]["sender"], made["source"]["stop_hint"]) == (OURS, True)
    number = made["id"]
    status, changed = await marketer.call(
        "PATCH",
        f"/campaigns/{number}",
        {"source": {"sender": OURS, "text": "We’re open, {{ contact.name }}"}},
    )
    assert (status, changed["source"]["text"][:4]) == (200, "We’r")
    status, problem = await marketer.call("PATCH", f"/campaigns/{number}", {"channel": "mail"})
    assert (status, problem["field"]) == (422, "channel")
    status, weight = await marketer.call("GET", f"/campaigns/{number}/weight")
    assert (status, weight["recipients"], weight["parts"], weight["currency"]) == (200, 5, 5, "EUR")
    assert weight["without_stop"] == ["en", "fr", "pl"]
    assert weight["replacements"][0] == {"sign": "’", "by": "'", "times": 5}
    status, reach = await marketer.call("GET", f"/campaigns/{number}/reach")
    assert (status, reach["recipients"], reach["in_segment"], reach["obstacles"]["stopped"]) == (
        200,
        5,
        10,
        1,
    )
    status, shown = await marketer.call(
        "GET", f"/campaigns/{number}/preview?contact={texting.contacts['Claire']}"
    )
    assert (status, shown["text"], shown["html"]) == (200, "We’re open, Claire Dubreuil", "")
    assert shown["segments"] == {"encoding": "UCS-2", "segments": 1, "characters": 27}
    status, sent = await marketer.call("POST", f"/campaigns/{number}/trial", {"to": "+33639980055"})
    assert (status, sent["message_id"] > 0) == (202, True)
    status, report = await marketer.call("GET", f"/campaigns/{texting.campaign}/report")
    assert status == 200
    assert report["texts"] == {
        "delivered": 2, "undelivered": {"number_unreachable": 1}, "awaited": 1, "parts": 4, "counted": 4,
        "paid": {"EUR": "0.1776"}, "priced": 3, "answers": 1, "stops": 1,
    }  # fmt: skip
    status, problem = await marketer.call("POST", "/campaigns", {"name": "x", "channel": "voice"})
    assert (status, problem["field"]) == (422, "channel")
    status, mail = await marketer.call("POST", "/campaigns", {"name": "By mail"})
    for part in ("weight", "reach"):
        status, problem = await marketer.call("GET", f"/campaigns/{mail['id']}/{part}")
        assert (status, problem["field"]) == (422, "channel")
