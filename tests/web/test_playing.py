"""Playing the contact: what they write is a mail like any other, and goes where answers go."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from domain.errors import InvalidInput, Unavailable
from storage.pool import Pool
from tests.web.house import House
from web.work.playing import hand_in, write_new, write_reply

CLAIRE = ("Claire, of Lyon", "claire@dubreuil.example")
LETTER = (
    b"From: Support <support@house.example>\r\nReply-To: reply+TOKEN@house.example\r\nTo: claire@dubreuil.example\r\n"
    b"Subject: Re: AW: My order\r\nMessage-ID: <a2@house.example>\r\nReferences: <q1@dubreuil.example>\r\n\r\nMonday.\r\n"
)


def test_a_reply_goes_to_reply_to_and_stays_in_the_thread() -> None:
    reply, to = write_reply(LETTER, CLAIRE, "Thank you.\r\nSee you.")
    read = message_from_bytes(reply.as_bytes(), policy=policy.default)
    assert to == ["reply+TOKEN@house.example"]
    assert read["In-Reply-To"] == "<a2@house.example>"
    assert read["References"] == "<q1@dubreuil.example> <a2@house.example>"
    assert read["Subject"] == "Re: My order"
    assert read["From"].addresses[0].display_name == "Claire, of Lyon"
    text = read.get_content().replace("\r\n", "\n")
    assert text.startswith("Thank you.\nSee you.\n\nsupport@house.example wrote:\n> Monday.")


def test_long_threads_keep_their_message_ids_whole() -> None:
    ids = [f"<{'x' * 60}{n}@somewhere.example>" for n in range(40)]
    raw = LETTER.replace(b"<q1@dubreuil.example>", "\r\n ".join(ids).encode())
    reply, _to = write_reply(raw, CLAIRE, "Hm.")
    assert "=?" not in reply.as_string()
    assert ids[-1] in reply.as_string()


@pytest.mark.parametrize("text", ["", " \r\n", "x" * 50_001])
def test_nothing_to_say_is_not_sent(text: str) -> None:
    with pytest.raises(InvalidInput):
        write_reply(LETTER, CLAIRE, text)
    with pytest.raises(InvalidInput):
        write_new(CLAIRE, "support@house.example", "Hi", text)


def test_a_new_mail_needs_an_address_and_a_subject() -> None:
    mail, to = write_new(("", "claire@dubreuil.example"), "Support@House.example", " My\n order ", "Where?")
    assert (to, mail["Subject"], mail["From"]) == (
        ["support@house.example"],
        "My order",
        "claire@dubreuil.example",
    )
    for address, subject in (("nonsense", "Hi"), ("support@house.example", " ")):
        with pytest.raises(InvalidInput):
            write_new(CLAIRE, address, subject, "Where?")
    with pytest.raises(InvalidInput):
        write_reply(b"Subject: nobody\r\n\r\nx", CLAIRE, "Hello")


class Picky:
    """A door that refuses one address."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse nobody."""
        if address.startswith("nobody"):
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take it."""
        return "250 ok"


async def test_a_door_that_refuses_or_is_closed_says_so() -> None:
    mail, _to = write_new(CLAIRE, "support@house.example", "Hi", "Hello")
    with pytest.raises(Unavailable, match="closed in this installation"):
        await hand_in(None, mail, CLAIRE[1], ["support@house.example"])
    with pytest.raises(Unavailable, match="did not take the mail"):
        await hand_in(("127.0.0.1", 1), mail, CLAIRE[1], ["support@house.example"])
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Picky()), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(Unavailable, match="nobody of that name"):
            await hand_in(("127.0.0.1", port), mail, CLAIRE[1], ["nobody@house.example"])
        await hand_in(("127.0.0.1", port), mail, CLAIRE[1], ["support@house.example"])
    finally:
        server.close()


async def test_the_test_mailbox_says_when_the_front_door_is_closed(house: House, pool: Pool) -> None:
    visitor = await house.signed_in("marketer")
    number = await pool.fetchval(
        "INSERT INTO sandbox_mails (sender, recipient, subject, raw) VALUES ('a', 'claire@dubreuil.example', 'Hi', $1)"
        " RETURNING id",
        LETTER,
    )
    page = await visitor.get(f"/mailbox/{number}")
    assert "Answer as" not in page.words
    house.context.front_door = ("127.0.0.1", 1)
    assert "Answer as claire@dubreuil.example" in (await visitor.get(f"/mailbox/{number}")).words
    answer = await visitor.post(f"/mailbox/{number}/answer", {"text": "Thank you"})
    assert answer.status == 422
    assert "did not take the mail" in answer.words
    assert "Thank you</textarea>" in answer.text
    written = await visitor.post(
        "/mailbox",
        {
            "recipient": "claire@dubreuil.example",
            "to": "support@house.example",
            "subject": "Hi",
            "text": "Hello",
        },
    )
    assert written.status == 503
