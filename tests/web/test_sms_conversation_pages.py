"""Short messages between people: written in a conversation or from a contact's page, counted, undone, refused after STOP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from channels.sms.segments import count
from storage.pool import Pool
from tests.web.house import House
from tests.web.texting import ACCOUNT, OURS, Texting, build_texting


@pytest.fixture
async def texting(house: House, pool: Pool) -> Texting:
    """A small organisation that texts, with prices."""
    house.context.texts = ACCOUNT
    return await build_texting(pool)


async def newest(pool: Pool, conversation: int) -> int:
    return int(await pool.fetchval("SELECT max(id) FROM messages WHERE conversation_id = $1", conversation))


async def last_letter(pool: Pool) -> dict[str, Any]:
    row = await pool.fetchrow(
        "SELECT m.conversation_id, m.channel, m.contact_id, d.address, d.state, l.sender, l.content, x.html"
        " FROM letters l JOIN messages m ON m.id = l.message_id JOIN deliveries d ON d.message_id = m.id"
        " JOIN message_contents x ON x.message_id = m.id ORDER BY m.id DESC LIMIT 1"
    )
    assert row is not None
    return dict(row)


async def test_a_conversation_by_sms_is_answered_by_sms(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    page = await agent.get(f"/conversations/{number}")
    assert "SMS with Claire Dubreuil" in page.words
    assert 'name="by" value="sms"' in page.text
    assert 'value="+33639980001"' in page.text
    assert f'value="{OURS}" selected' in page.text
    assert "<iframe" not in page.text
    seen = await newest(pool, number)
    page = await agent.post(
        f"/conversations/{number}/answer",
        {"by": "sms", "text": "Il passe à 9 h.", "to": "+33639980001", "sender": OURS, "seen": seen},
    )
    assert page.status == 200
    assert "Your answer leaves in a moment." in page.words
    letter = await last_letter(pool)
    assert letter == {
        "conversation_id": number, "channel": "sms", "contact_id": texting.contacts["Claire"], "address": "+33639980001",
        "state": "queued", "sender": OURS, "content": "Il passe à 9 h.".encode(), "html": None,
    }  # fmt: skip
    message = await newest(pool, number)
    page = await agent.post(f"/conversations/{number}/undo", {"message": message})
    assert "Taken back." in page.words
    assert "Il passe à 9 h.</textarea>" in page.text
    assert 'name="by" value="sms"' in page.text


async def test_news_that_came_in_meanwhile_are_read_first(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    await agent.get(f"/conversations/{number}")
    page = await agent.post(f"/conversations/{number}/answer", {"by": "sms", "text": "Bonjour", "seen": 1})
    assert page.status == 409
    assert "Bonjour</textarea>" in page.text


async def test_what_became_of_each_message_stands_beside_it(house: House, texting: Texting) -> None:
    for language, words in (
        (
            "en",
            (
                "delivered",
                "not delivered",
                "The phone could not be reached.",
                "delivery unconfirmed",
                "€0.0679",
            ),
        ),
        ("fr", ("remis", "non remis", "0,0679")),
    ):
        agent = await house.signed_in("agent", language, email=f"{language}@house.example")
        page = await agent.get(f"/conversations/{texting.conversations['parcel']}")
        for word in words:
            assert word in page.words.replace("\xa0", " "), word


async def test_who_answered_stop_is_not_written_to(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["stopped"]
    page = await agent.get(f"/conversations/{number}")
    assert "This person answered STOP: nothing may be sent to +33 6 39 98 00 04." in page.words
    assert "data-send" not in page.text
    assert f"/conversations/{number}?by=mail" not in page.text  # no mail address is known
    page = await agent.post(
        f"/conversations/{number}/answer", {"by": "sms", "text": "Doch", "seen": await newest(pool, number)}
    )
    assert page.status == 422
    assert "This person answered STOP" in page.words
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE state = 'queued'") == 0


async def test_a_mail_may_be_answered_by_sms(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["mail"]
    page = await agent.get(f"/conversations/{number}")
    assert 'name="by" value="mail"' in page.text
    assert f'href="/conversations/{number}?by=sms#answer"' in page.text
    page = await agent.get(f"/conversations/{number}?by=sms")
    assert 'name="by" value="sms"' in page.text
    assert 'value="+33639980002"' in page.text
    page = await agent.post(
        f"/conversations/{number}/answer",
        {
            "by": "sms",
            "text": "Je vous rappelle.",
            "to": "+33639980002",
            "sender": OURS,
            "seen": await newest_or_zero(pool, number),
        },
    )
    assert page.status == 200
    letter = await last_letter(pool)
    assert (letter["conversation_id"], letter["channel"], letter["address"]) == (
        number,
        "sms",
        "+33639980002",
    )


async def test_an_sms_may_be_answered_by_mail_to_the_contacts_address(
    house: House, texting: Texting, pool: Pool
) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'mail', 'claire@d.example', 'Claire@d.example')",
        texting.contacts["Claire"],
    )
    page = await agent.get(f"/conversations/{number}")
    assert f'href="/conversations/{number}?by=mail#answer"' in page.text
    page = await agent.get(f"/conversations/{number}?by=mail")
    assert 'value="Claire@d.example"' in page.text
    page = await agent.post(
        f"/conversations/{number}/answer",
        {"by": "mail", "text": "Par écrit.", "to": "Claire@d.example", "seen": await newest(pool, number)},
    )
    assert page.status == 200
    assert (await last_letter(pool))["address"] == "claire@d.example"


async def newest_or_zero(pool: Pool, conversation: int) -> int:
    return int(
        await pool.fetchval(
            "SELECT coalesce(max(id), 0) FROM messages WHERE conversation_id = $1", conversation
        )
    )


async def test_a_sender_that_is_none_of_ours_is_refused(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    await agent.get(f"/conversations/{number}")
    page = await agent.post(
        f"/conversations/{number}/answer",
        {"by": "sms", "text": "Hi", "sender": "BANK", "seen": await newest(pool, number)},
    )
    assert page.status == 422
    assert "none of our numbers" in page.words


async def test_a_message_may_join_the_open_conversation_by_mail(
    house: House, texting: Texting, pool: Pool
) -> None:
    agent, number, mail = (
        await house.signed_in("agent"),
        texting.conversations["beside"],
        texting.conversations["mail"],
    )
    page = await agent.get(f"/conversations/{number}")
    assert (
        "Étienne Garçon has an open conversation with us by another channel: “Devis toiture”." in page.words
    )
    assert "also wrote by another channel" in (await agent.get(f"/conversations/{mail}")).words
    message = await newest(pool, number)
    page = await agent.post(f"/conversations/{number}/placements", {"message": message, "join": "yes"})
    assert page.url.partition("?")[0].endswith(f"/conversations/{mail}")
    assert "C'est au sujet de mon devis." in page.words
    assert 'name="by" value="sms"' in page.text  # they wrote last by SMS


async def test_one_writes_to_a_contact_first(house: House, texting: Texting, pool: Pool) -> None:
    agent, niamh = await house.signed_in("agent"), texting.contacts["Niamh"]
    page = await agent.get(f"/contacts/{niamh}")
    assert f'href="/contacts/{niamh}/text"' in page.text
    page = await agent.get(f"/contacts/{niamh}/text")
    assert 'value="+447700900003"' in page.text
    page = await agent.post(f"/contacts/{niamh}/text", {"to": "+447700900003", "sender": OURS, "text": ""})
    assert page.status == 422
    page = await agent.post(
        f"/contacts/{niamh}/text", {"to": "+44 7700 900003", "sender": OURS, "text": "Hello Niamh"}
    )
    assert page.status == 200
    assert "Your answer leaves in a moment." in page.words
    row = await pool.fetchrow(
        "SELECT id, contact_id, queue_id, channel, state FROM conversations ORDER BY id DESC LIMIT 1"
    )
    assert row is not None
    assert (row["contact_id"], row["queue_id"], row["channel"], row["state"]) == (
        niamh,
        texting.queue,
        "sms",
        "waiting",
    )
    again = await agent.post(
        f"/contacts/{niamh}/text", {"to": "+447700900003", "sender": OURS, "text": "And: bye"}
    )
    assert again.url == page.url  # the talk goes on


async def test_one_sends_a_first_message_once_however_often_it_is_posted(
    house: House, texting: Texting, pool: Pool
) -> None:
    agent, niamh = await house.signed_in("agent"), texting.contacts["Niamh"]
    await agent.get(f"/contacts/{niamh}/text")
    written = {"to": "+447700900003", "sender": OURS, "text": "Hello\r\nNiamh "}
    first = await agent.post(f"/contacts/{niamh}/text", written)
    again = await agent.post(f"/contacts/{niamh}/text", written)
    assert (again.status, again.url) == (200, first.url)
    count_sent = "SELECT count(*) FROM deliveries WHERE state = 'queued'"
    assert await pool.fetchval(count_sent) == 1
    conversation = first.url.partition("?")[0].rpartition("/")[2]
    await agent.post(
        f"/conversations/{conversation}/undo", {"message": await newest(pool, int(conversation))}
    )
    await agent.post(f"/contacts/{niamh}/text", written)  # it was taken back, and is meant now
    assert await pool.fetchval(count_sent) == 1
    await pool.execute("UPDATE messages SET created_at = now() - interval '2 minutes'")
    await agent.post(f"/contacts/{niamh}/text", written)
    assert await pool.fetchval(count_sent) == 2


async def test_a_file_that_is_not_here_says_why(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    message = await pool.fetchval(
        "SELECT max(id) FROM messages WHERE conversation_id = $1 AND direction = 'in'", number
    )
    await pool.execute(
        """INSERT INTO sms_media (message_id, no, url, content_type, fetch_at, trouble)
           SELECT $1, no, 'https://x.example', 'image/png', fetch_at, trouble
           FROM unnest($2::smallint[], $3::timestamptz[], $4::text[]) AS m(no, fetch_at, trouble)""",
        message,
        [1, 2, 3],
        [None, None, datetime.now(UTC)],
        ["virus: Eicar-Signature", "404", None],
    )
    page = await agent.get(f"/conversations/{number}")
    assert "A virus was found: Eicar-Signature." in page.words
    assert "could not be fetched" in page.words
    assert "is on its way" in page.words
    _, thread = await agent.call("GET", f"/conversations/{number}")
    (told,) = [one["awaited"] for one in thread["messages"] if one["id"] == message]
    assert [(one["virus"], one["is_over"]) for one in told] == [
        ("Eicar-Signature", True),
        ("", True),
        ("", False),
    ]


async def test_who_has_no_mobile_or_stopped_is_told_so(house: House, texting: Texting) -> None:
    agent = await house.signed_in("agent")
    page = await agent.get(f"/contacts/{texting.contacts['Jürgen']}/text")
    assert "This person answered STOP" in page.words
    page = await agent.get(f"/contacts/{texting.contacts['Yasmine']}/text")
    assert "No consent to news by SMS is known." in page.words
    wout = texting.contacts["Wout"]
    assert f'href="/contacts/{wout}/text"' not in (await agent.get(f"/contacts/{wout}")).text


@pytest.mark.parametrize(
    "text",
    ["", "Hello", "x" * 160, "x" * 161, "€" * 81, "Ça va ?", "“Hi”", "👩‍👩‍👧‍👦" * 9, "a\r\nb", "x" * 1601],
)
async def test_the_count_below_the_field_is_that_of_the_bill(
    house: House, texting: Texting, text: str
) -> None:
    agent = await house.signed_in("agent")
    await agent.get("/conversations")
    page = await agent.post("/texts/count", {"text": text, "to": "+33639980001"})
    assert page.status == 200
    counted = count(text.replace("\r\n", "\n"))
    if not text:
        assert "Nothing written yet." in page.words
        return
    assert f"{counted.characters:,} character" in page.words
    assert f"{counted.segments} part" in page.words
    assert counted.encoding.value in page.words
    assert "€" in page.text
    assert ("longer than a short message" in page.words) == (len(text) > 1600)


async def test_the_api_answers_begins_and_counts(house: House, texting: Texting, pool: Pool) -> None:
    agent, number = await house.signed_in("agent"), texting.conversations["parcel"]
    await agent.get("/conversations")
    status, thread = await agent.call("GET", f"/conversations/{number}")
    assert status == 200
    assert thread["channel"] == "sms"
    assert [one["channel"] for one in thread["messages"]] == ["sms"] * 5
    told = thread["messages"][2]["sms"]
    assert (told["status"], told["reason"], told["segments"]) == ("undelivered", "number_unreachable", 1)
    status, sent = await agent.call(
        "POST", f"/conversations/{number}/answers", {"text": "Oui", "channel": "sms"}
    )
    assert status == 201
    assert (await last_letter(pool))["address"] == "+33639980001"
    status, _ = await agent.call("POST", f"/conversations/{number}/answers/{sent['message_id']}/undo")
    assert status in (200, 204)
    status, sent = await agent.call("POST", f"/conversations/{number}/answers", {"text": "Oui"})
    assert status == 201
    assert (await last_letter(pool))["channel"] == "sms"  # what the other side used last
    status, problem = await agent.call(
        "POST",
        f"/conversations/{texting.conversations['stopped']}/answers",
        {"text": "Doch", "channel": "sms"},
    )
    assert (status, problem["field"]) == (422, "to")
    status, counted = await agent.call(
        "POST", "/texts/count", {"text": "We’re " + "x" * 80, "to": "+33639980001"}
    )
    assert status == 200
    assert counted == {
        "segments": {"encoding": "UCS-2", "segments": 2, "characters": 86},
        "replaced": "We're " + "x" * 80,
        "replaced_segments": {"encoding": "GSM-7", "segments": 1, "characters": 86},
        "replacements": [{"sign": "’", "by": "'", "times": 1}],
        "amount": "0.1358", "currency": "EUR",
    }  # fmt: skip
    _, counted = await agent.call("POST", "/texts/count", {"text": "a\r\nb "})
    assert counted["segments"] == {"encoding": "GSM-7", "segments": 1, "characters": 3}  # as it is sent
    status, begun = await agent.call(
        "POST", f"/contacts/{texting.contacts['Niamh']}/texts", {"text": "Hello", "sender": OURS}
    )
    assert status == 201
    assert (await last_letter(pool))["conversation_id"] == begun["conversation_id"]
    status, problem = await agent.call(
        "POST", f"/contacts/{texting.contacts['Wout']}/texts", {"text": "Hello"}
    )
    assert (status, problem["field"]) == (422, "to")
    status, listed = await agent.call("GET", "/texts/senders")
    assert status == 200
    assert listed["items"][0] == {
        "value": OURS,
        "name": "Texts",
        "can_be_answered": True,
        "takes_files": True,
    }
