"""The test phones: what they show, what one does on them, and that strangers' content stays content."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from channels.sandbox.carrier.mischief import Trick
from storage.pool import Pool
from tests.channels.carrier.house import eventually
from tests.web.house import House, Visitor, open_house
from tests.web.telephone import (
    ANNA,
    REP,
    SALES,
    SUPPORT,
    Telephone,
    draw_picture,
    give_phone,
    open_telephone,
)

PATH = f"/phone/{quote(ANNA)}"


@pytest.fixture
async def telephone() -> AsyncIterator[Telephone]:
    """The carrier."""
    async with open_telephone() as opened:
        yield opened


@pytest.fixture
async def house(pool: Pool, database_url: str, telephone: Telephone) -> AsyncIterator[House]:
    """A web process without an account."""
    async with open_house(pool, database_url, test_phone=telephone.test_phone) as opened:
        yield opened


async def arrived(telephone: Telephone, number: str, count: int = 1) -> list[Any]:
    """The messages on a phone, once there are so many."""
    for _ in range(200):
        texts = (await telephone.test_phone.phones.show_phone(number)).texts
        if len(texts) >= count:
            return list(texts)
        await asyncio.sleep(0.02)
    raise AssertionError("it did not arrive in time")


async def test_phones_carry_the_names_of_their_owners_and_the_last_used_comes_first(
    house: House, telephone: Telephone, pool: Pool
) -> None:
    visitor = await house.signed_in("marketer")
    await give_phone(pool, await house.contact("Claire Dubreuil"), ANNA)
    await give_phone(pool, await house.contact("Zoé Martin"), "+33639980005")
    await pool.execute("UPDATE users SET phone = $1, name = 'Rosa Martin'", REP)
    await telephone.text("+33639980005", "Hello Zoé")
    await arrived(telephone, "+33639980005")
    page = await visitor.get("/phone")
    names = re.findall(r'class="who"><b>([^<]+)</b>', page.text)
    assert names == ["Zoé Martin", "Rosa Martin", "Claire Dubreuil"]
    assert "Hello Zoé" in page.words
    found = await visitor.get("/phone", params={"q": "dubreuil"})
    assert "Claire Dubreuil" in found.words
    assert "Zoé" not in found.words


async def test_a_mailbox_leads_to_its_owners_phone_and_back(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("marketer")
    await give_phone(pool, await house.contact("Claire Dubreuil", "claire@d.example"), ANNA)
    assert f'href="{PATH}"' in (await visitor.get("/mailbox?recipient=claire@d.example")).text
    assert 'href="/mailbox?recipient=claire%40d.example"' in (await visitor.get(PATH)).text


async def test_a_whole_number_opens_its_phone_whoever_has_it(house: House) -> None:
    visitor = await house.signed_in("marketer")
    page = await visitor.get("/phone", params={"q": "+33 6 39 98 00 77"})
    assert page.url.endswith("/phone/%2B33639980077") or page.url.endswith("/phone/+33639980077")
    assert "Nobody has this number." in page.words
    assert (await visitor.get("/phone/12345")).status == 404
    assert (await visitor.get("/phone/+33639980001;x")).status == 404


async def test_what_one_writes_arrives_at_our_number_with_its_picture(
    house: House, telephone: Telephone
) -> None:
    visitor = await house.signed_in("marketer")
    await visitor.get(PATH)
    form = aiohttp.FormData({"csrf": visitor.csrf, "to": SALES, "text": "Where are my panels?"})
    form.add_field("file", draw_picture(), filename="roof.png", content_type="image/png")
    async with visitor.session.post(house.url + PATH + "/texts", data=form) as answer:
        assert answer.status == 200
    (told,) = await telephone.switchboard.wait_for("/sms")
    assert (told["From"], told["To"], told["Body"], told["NumMedia"]) == (
        ANNA,
        SALES,
        "Where are my panels?",
        "1",
    )
    page = await visitor.get(PATH)
    assert "Where are my panels?" in page.words
    assert "/files/ME" in page.text


async def test_strangers_text_is_text_and_their_files_are_sealed(house: House, telephone: Telephone) -> None:
    visitor = await house.signed_in("marketer")
    phones = telephone.test_phone.phones
    await telephone.text(ANNA, "<script>alert(1)</script> javascript:alert(1) https://hub.example/x")
    (text,) = await arrived(telephone, ANNA)
    await phones.send_text(ANNA, SALES, "", [("image/png", b"<html><script>alert(1)</script>")])
    await phones.send_text(ANNA, SALES, "", [("image/png", draw_picture())])
    page = await visitor.get(PATH)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    (link,) = re.findall(r'<a href="https://hub.example/x"[^>]*>', page.text)
    assert 'rel="nofollow noopener noreferrer"' in link
    assert 'href="javascript' not in page.text
    forged, real = (
        one.attachments[0].sid for one in (await phones.show_phone(ANNA)).texts if one.attachments
    )
    for sid, way in ((forged, "attachment"), (real, "inline")):
        file = await visitor.get(f"{PATH}/files/{sid}?show=1")
        assert file.headers["Content-Disposition"].startswith(way)
        assert "sandbox" in file.headers["Content-Security-Policy"]
        assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert (await visitor.get(f"{PATH}/files/{real}")).headers["Content-Disposition"].startswith("attachment")
    assert text.body.startswith("<script>")


async def test_a_call_of_ours_rings_is_answered_and_ended(house: House, telephone: Telephone) -> None:
    visitor = await house.signed_in("marketer")
    sid = await telephone.call(ANNA)
    phones = telephone.test_phone.phones

    async def state() -> str:
        calls = (await phones.show_phone(ANNA)).calls
        return calls[-1].state if calls else ""

    for _ in range(100):
        if await state() == "ringing":
            break
        await asyncio.sleep(0.02)
    page = await visitor.get(PATH)
    assert "calls you" in page.words
    assert "Answer" in page.words
    assert "rings" in (await visitor.get("/phone")).words
    page = await visitor.post(f"{PATH}/calls/{sid}", {"deed": "answer", "with": SALES})
    assert await state() == "talking"
    assert "talks" in (await visitor.get("/phone")).words
    again = await visitor.post(f"{PATH}/calls/{sid}", {"deed": "answer"})
    assert (again.status, "This call does not ring." in again.words) == (422, True)
    await visitor.post(f"{PATH}/calls/{sid}", {"deed": "hang-up", "with": SALES})
    assert await state() == "ended"
    assert "Call from us" in (await visitor.get(f"{PATH}?with={quote(SALES)}")).words


async def test_calling_us_one_hears_the_menu_presses_keys_and_speaks(
    house: House, telephone: Telephone
) -> None:
    visitor = await house.signed_in("marketer")
    await visitor.get(PATH)
    assert (await visitor.post(f"{PATH}/calls", {"to": SUPPORT})).status == 200
    part = {"headers": {"X-Fragment": "1"}}

    async def until(words: str, where: str) -> None:
        for _ in range(200):
            if words in (await visitor.get(f"{PATH}?part={where}", **part)).words:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(words)

    await until("Press keys: they are listened for.", "pads")
    assert "tapez un" in (await visitor.get(f"{PATH}?part=call", **part)).words
    (call,) = (await telephone.test_phone.phones.show_phone(ANNA)).calls
    place = f"{PATH}/calls/{call.sid}"
    assert (await visitor.post(place, {"deed": "press", "digits": "1"}, **part)).status == 204
    await until("Vous avez choisi 1", "call")
    await until("Say something: it is listened for.", "pads")
    await visitor.post(place, {"deed": "speak", "text": "Claire"}, **part)
    await until("Merci, Claire.", "call")
    refused = await visitor.post(place, {"deed": "press", "digits": "x"}, **part)
    assert (refused.status, refused.text) == (422, "'x' are no keys. Press 0 to 9, * or #.")


async def test_a_trick_is_played_on_one_phone_and_taken_back(house: House, telephone: Telephone) -> None:
    visitor = await house.signed_in("marketer")
    await visitor.get(PATH)
    page = await visitor.post(
        "/phone/tricks", {"trick": "undelivered", "times": "1", "only": "1", "number": ANNA}
    )
    assert "a message does not arrive" in page.words
    ((number, rule),) = (await telephone.test_phone.mischief.list_rules()).items()
    assert (rule.trick, rule.to_ends, rule.times) == (Trick.UNDELIVERED, ANNA, 1)
    await visitor.post("/phone/tricks/end", {"rule": str(number), "number": ANNA})
    assert await telephone.test_phone.mischief.list_rules() == {}
    assert (await visitor.post("/phone/tricks", {"trick": "nonsense"})).status == 422


async def test_only_who_may_see_the_test_mailbox_takes_a_phone(house: House, telephone: Telephone) -> None:
    rep = await house.signed_in("rep", email="rep@house.example")
    for path in ("/phone", PATH, f"{PATH}/files/ME{'0' * 32}"):
        assert (await rep.get(path)).status == 403
    for path in (f"{PATH}/texts", f"{PATH}/calls", f"{PATH}/calls/CA1", "/phone/tricks", "/phone/tricks/end"):
        assert (await rep.post(path, {"to": SALES, "text": "x", "deed": "answer"})).status == 403
    for method, path in (
        ("GET", "/sandbox/phones"),
        ("GET", f"/sandbox/phones/{ANNA}"),
        ("GET", "/sandbox/numbers"),
        ("POST", f"/sandbox/phones/{ANNA}/texts"),
    ):
        assert (await rep.call(method, path, {"to": SALES}))[0] == 403
    assert telephone.switchboard.told == []


async def test_in_a_demo_everybody_may(pool: Pool, database_url: str, telephone: Telephone) -> None:
    async with open_house(pool, database_url, demo=True, test_phone=telephone.test_phone) as demo:
        rep = await demo.signed_in("rep")
        assert (await rep.get("/phone")).status == 200


async def test_with_an_account_there_are_no_test_phones(pool: Pool, database_url: str) -> None:
    async with open_house(pool, database_url) as house:
        visitor = await house.signed_in("marketer")
        page = await visitor.get("/phone")
        assert (page.status, "go out through your account" in page.words) == (200, True)
        assert (await visitor.get(PATH)).status == 503
        assert await visitor.call("GET", "/sandbox/phones") == (200, {"items": []})
        assert await visitor.call("GET", "/sandbox/numbers") == (200, {"items": []})
        assert (await visitor.call("GET", f"/sandbox/phones/{ANNA}"))[0] == 503


async def test_a_carrier_that_is_away_is_told(house: House, telephone: Telephone) -> None:
    visitor = await house.signed_in("marketer")
    await telephone.carrier.stop()
    page = await visitor.get("/phone")
    assert (page.status, "The test carrier does not answer." in page.words) == (200, True)
    assert (await visitor.get(PATH)).status == 503


async def test_programs_play_the_phones_too(house: House, telephone: Telephone) -> None:
    visitor = await house.signed_in("administrator")
    status, numbers = await visitor.call("GET", "/sandbox/numbers")
    assert (status, [one["name"] for one in numbers["items"]]) == (200, ["Sales", "Support"])
    file = {"content_type": "image/png", "content": "aGVsbG8="}
    status, made = await visitor.call(
        "POST", f"/sandbox/phones/{ANNA}/texts", {"to": SALES, "text": "Hi", "files": [file]}
    )
    assert (status, made["sid"][:2]) == (201, "MM")
    status, call = await visitor.call("POST", f"/sandbox/phones/{ANNA}/calls", {"to": SUPPORT})
    assert status == 201
    status, phone = await visitor.call("GET", f"/sandbox/phones/{ANNA}")
    assert (status, phone["texts"][0]["body"], phone["calls"][0]["sid"]) == (200, "Hi", call["sid"])
    deed = {"deed": "hang-up"}
    assert (await visitor.call("POST", f"/sandbox/calls/{call['sid']}", deed))[0] == 204
    assert (await visitor.call("POST", f"/sandbox/calls/{call['sid']}", deed))[0] == 409
    assert (await visitor.call("POST", f"/sandbox/calls/CA{'0' * 32}", deed))[0] == 404
    status, trick = await visitor.call("POST", "/sandbox/tricks", {"trick": "twice", "phone": ANNA})
    assert status == 201
    assert (await visitor.call("DELETE", f"/sandbox/tricks/{trick['rule']}"))[0] == 204
    status, problem = await visitor.call(
        "POST", f"/sandbox/phones/{ANNA}/texts", {"to": SALES, "files": [{**file, "content": "%%"}]}
    )
    assert (status, problem["field"]) == (422, "files")


async def listen(visitor: Visitor) -> aiohttp.ClientResponse:
    """Open the live stream for the phones."""
    stream = await visitor.session.get(f"{visitor.url}/live?topic=phones")
    visitor.streams.append(stream)
    assert stream.status == 200
    return stream


async def test_whoever_looks_at_a_phone_is_told_when_something_happens_on_it(
    house: House, telephone: Telephone
) -> None:
    stream = await listen(await house.signed_in("marketer"))
    await asyncio.sleep(0.5)
    await telephone.text(ANNA, "Hello")
    async with asyncio.timeout(5):
        async for line in stream.content:
            if line.startswith(b"data:"):
                assert b"phones" in line
                break


async def test_nobody_asks_the_carrier_while_nobody_looks(house: House, telephone: Telephone) -> None:
    waited: list[int] = []
    phones = telephone.test_phone.phones
    wait = phones.wait

    async def count(version: int, timeout: float) -> int:
        waited.append(version)
        return await wait(version, timeout)

    phones.wait = count  # type: ignore[method-assign]
    await asyncio.sleep(0.6)
    assert waited == []
    await listen(await house.signed_in("marketer"))
    await eventually(lambda: waited)
