"""Conversations as the pipeline leaves them, for screenshots and tests of pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.events import EventType, NewEvent
from storage.blobs import BlobStore
from storage.event_store import record
from storage.pool import Pool

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8ffff3f0005fe02fe0def46b8"
    "0000000049454e44ae426082"
)
GENUINE = {"spf": "pass", "dkim": "pass", "dmarc": "pass", "domain": "dubreuil.example", "source": "checked"}
FORGED = {"spf": "fail", "dkim": "none", "dmarc": "fail", "domain": "bank.example", "source": "checked"}


@dataclass
class Correspondence:
    """What was made: queues and conversations by a word for each."""

    queues: dict[str, int]
    conversations: dict[str, int]
    messages: dict[str, int]
    raw: int


@dataclass
class Post:
    """Puts mails into conversations."""

    pool: Pool
    blobs: BlobStore

    async def conversation(self, subject: str, queue: int | None, **columns: Any) -> int:
        """Begin a conversation."""
        values = {"subject": subject, "queue_id": queue, **columns}
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        number: int = await self.pool.fetchval(
            f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places}) RETURNING id",
            *values.values(),
        )
        return number

    async def mail(
        self,
        conversation: int,
        sender: tuple[str, str],
        text: str,
        at: datetime,
        *,
        to: Sequence[str] = ("support@helianthe.example",),
        subject: str = "",
        new: str | None = None,
        html: str | None = None,
        contact: int | None = None,
        files: Sequence[tuple[str, str, bytes, str]] = (),
        out: bool = False,
        author: int | None = None,
        **facts: Any,
    ) -> int:
        """One mail, theirs unless `out`; `files`: name, type, content, Content-ID."""
        number: int = await self.pool.fetchval(
            "INSERT INTO messages (direction, channel, contact_id, conversation_id, created_at)"
            " VALUES ($1, 'mail', $2, $3, $4) RETURNING id",
            "out" if out else "in", contact, conversation, at,
        )  # fmt: skip
        await self.pool.execute(
            "INSERT INTO message_contents (message_id, subject, body, new_text, html, written_at, author_id)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            number, subject, text, text if new is None else new, html, at, author,
        )  # fmt: skip
        parties = [("from", 0, *sender), *(("to", no, "", one) for no, one in enumerate(to))]
        await self.pool.executemany(
            "INSERT INTO message_parties (message_id, part, no, name, address) VALUES ($1, $2, $3, $4, $5)",
            [(number, *party) for party in parties],
        )
        values = {"header_id": f"x{number}@mail.example", "mailbox": "" if out else to[0], **facts}
        places = ", ".join(f"${n}" for n in range(2, len(values) + 2))
        await self.pool.execute(
            f"INSERT INTO mail_facts (message_id, {', '.join(values)}) VALUES ($1, {places})", number, *values.values()
        )  # fmt: skip
        for no, (name, kind, content, content_id) in enumerate(files, 1):
            await self.pool.execute(
                "INSERT INTO attachments (message_id, no, name, media_type, size, blob, content_id, inline)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                number, no, name, kind, len(content), self.blobs.put(content), content_id, bool(content_id),
            )  # fmt: skip
        if not out:
            await self.pool.execute(
                "INSERT INTO conversation_parties (conversation_id, address, contact_id) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING",
                conversation, sender[1], contact,
            )  # fmt: skip
        kind = EventType.SENT if out else EventType.RECEIVED
        async with self.pool.acquire() as connection:
            await record(connection, [NewEvent(kind, at, contact, number, conversation_id=conversation)])
        return number


_QUESTION = """Hello,

I ordered twelve panels on 3 March (order 2026-0318) and the delivery note says they left your warehouse last Tuesday. Nothing has arrived yet, and our roofer is booked for Thursday.

Could you tell me where they are? The tracking page https://carrier.example/track/2026-0318 only says "in transit".

Best regards
Claire Dubreuil"""
_THANKS = """Thank you, that helps. Thursday morning works for us: our roofer arrives at eight.

Here is a photograph of the gate, so that the driver finds it."""
_QUOTED = "\n\nOn 22 Nov 2026, 09:12, Aïcha Joly wrote:\n> The pallet left Lyon this morning.\n> It arrives on Thursday before ten."
_HTML = (
    "<html><head><style>p{color:red}</style></head><body bgcolor='#fff7e0'><table width='600' cellpadding='12'><tr><td>"
    "<h2 style='color:#7a5200;font-family:Georgia,serif'>Your roof, our offer</h2><p>Dear Hélianthe team,</p>"
    "<p>we would like <b>an offer for 80 m²</b>. <a href='https://wein.example/hof'>Our farm</a></p>"
    "<img src='cid:logo' width='120' height='40'><img src='https://pixel.example/o.gif' width='1' height='1'>"
    "<script>document.title='taken'</script></td></tr></table></body></html>"
)


async def build_correspondence(
    pool: Pool, blobs: BlobStore, users: dict[str, int], contacts: Sequence[int]
) -> Correspondence:
    """A support desk in the middle of a day."""
    now = datetime.now(UTC)
    post = Post(pool, blobs)
    team = await pool.fetchval("INSERT INTO teams (name) VALUES ('Support') RETURNING id")
    for role in ("agent", "manager"):
        await pool.execute("INSERT INTO team_members VALUES ($1, $2)", team, users[role])
    queues = {}
    for name, language in (("Support", "fr"), ("Sales", "en")):
        local = name.lower()
        queues[local] = await pool.fetchval(
            "INSERT INTO queues (name, team_id, from_name, from_address, signature, language)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            name, team if name == "Support" else None, f"Hélianthe {name}", f"{local}@helianthe.example",
            "{agent}\nHélianthe Énergie, Lyon · +33 1 99 00 00 99", language,
        )  # fmt: skip
        await pool.execute(
            "INSERT INTO queue_addresses VALUES ($1, $2)", f"{local}@helianthe.example", queues[local]
        )
    support, sales = queues["support"], queues["sales"]
    conversations, messages = {}, {}
    claire = ("Claire Dubreuil", "claire.dubreuil@dubreuil.example")

    one = conversations["order"] = await post.conversation(
        "Where are my twelve panels?", support, contact_id=contacts[0], assignee_id=users["agent"], state="open",
        waiting_since=now - timedelta(minutes=40), last_message_at=now - timedelta(minutes=40), version=4,
    )  # fmt: skip
    await post.mail(one, claire, _QUESTION, now - timedelta(hours=22), contact=contacts[0], authentication=GENUINE,
                    subject="Where are my twelve panels?")  # fmt: skip
    async with pool.acquire() as connection:
        told = [
            NewEvent(EventType.CONVERSATION_ASSIGNED, now - timedelta(hours=4), contacts[0], conversation_id=one,
                     actor_id=users["manager"], data={"old": None, "new": users["agent"]}),
            NewEvent(EventType.NOTED, now - timedelta(hours=3, minutes=30), contacts[0], conversation_id=one,
                     actor_id=users["agent"], data={"kind": "note"}),
        ]  # fmt: skip
        numbers = await record(connection, told)
        await connection.execute(
            "INSERT INTO event_texts VALUES ($1, $2)", numbers[1],
            "Called the carrier: the pallet was held in Lyon, it leaves today. Ask for the gate code.",
        )  # fmt: skip
        for number, hours in zip(numbers, (4, 3.5), strict=True):
            await connection.execute(
                "UPDATE events SET recorded_at = $2 WHERE id = $1", number, now - timedelta(hours=hours)
            )
    answer = messages["answer"] = await post.mail(
        one, ("Hélianthe Support", "support@helianthe.example"),
        "The pallet left Lyon this morning.\nIt arrives on Thursday before ten.", now - timedelta(hours=3), out=True,
        to=("claire.dubreuil@dubreuil.example",), author=users["agent"], contact=contacts[0], subject="Re: Where are my twelve panels?",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO letters (message_id, kind, sender) VALUES ($1, 'answer', 'b@c.example')", answer
    )
    await pool.execute(
        "INSERT INTO deliveries (message_id, campaign_id, contact_id, channel, address, state, reply, attempt, settled_at, relay)"
        " VALUES ($1, 0, $2, 'mail', 'claire.dubreuil@dubreuil.example', 'sent', '250 2.0.0 Ok: queued as 4F2B1', 2, $3, 'mx1.example')",
        answer, contacts[0], now - timedelta(hours=2, minutes=55),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO delivery_attempts (message_id, attempt, state, reason, reply, relay, settled_at) VALUES"
        " ($1, 1, 'deferred', 'greylisted', '451 4.7.1 Greylisted, try again in 5 minutes', 'mx1.example', $2)",
        answer, now - timedelta(hours=3),
    )  # fmt: skip
    messages["thanks"] = await post.mail(
        one, claire, _THANKS + _QUOTED, now - timedelta(minutes=40), new=_THANKS, contact=contacts[0],
        subject="Re: Where are my twelve panels?", authentication=GENUINE,
        files=[("gate.png", "image/png", PNG, ""), ("delivery note 2026-0318.pdf", "application/pdf", b"%PDF-1.7 " * 9000, "")],
    )  # fmt: skip

    two = conversations["offer"] = await post.conversation(
        "Your roof, our offer", sales, contact_id=contacts[3], waiting_since=now - timedelta(hours=26),
        last_message_at=now - timedelta(hours=26),
    )  # fmt: skip
    messages["html"] = await post.mail(
        two, ("Jürgen Groß", "jurgen.gro@gro.example"), "Dear Hélianthe team,\n\nwe would like an offer for 80 m².",
        now - timedelta(hours=26), html=_HTML, contact=contacts[3], subject="Your roof, our offer",
        to=("sales@helianthe.example",), authentication={"spf": "pass", "dkim": "none", "dmarc": "none", "source": "checked"},
        files=[("logo.png", "image/png", PNG, "logo")],
    )  # fmt: skip

    three = conversations["forged"] = await post.conversation(
        "Urgent: new bank account", support, waiting_since=now - timedelta(hours=5),
        last_message_at=now - timedelta(hours=5),
    )  # fmt: skip
    await post.mail(
        three, ("Your Bank", "service@bank.example"),
        "Please pay open invoices to our new account from today on. Details: http://bank.example.evil.example/pay",
        now - timedelta(hours=5), authentication=FORGED, subject="Urgent: new bank account",
        files=[("invoice.html", "text/html", b"<script>alert(1)</script>", "")],
    )  # fmt: skip

    four = conversations["away"] = await post.conversation(
        "Appointment on Tuesday", support, state="waiting", contact_id=contacts[5], assignee_id=users["agent"],
        last_message_at=now - timedelta(hours=9),
    )  # fmt: skip
    await post.mail(four, ("Niamh O'Connor", "niamh.oconnor@logistics.example"), "Does Tuesday at ten suit you?",
                    now - timedelta(hours=30), contact=contacts[5], subject="Appointment on Tuesday")  # fmt: skip
    await post.mail(
        four, ("Niamh O'Connor", "niamh.oconnor@logistics.example"), "I am out of the office until Monday.",
        now - timedelta(hours=9), automatic="auto_reply", back_on=(now + timedelta(days=4)).date(), contact=contacts[5],
        subject="Automatic reply: Appointment on Tuesday",
    )  # fmt: skip

    five = conversations["stranger"] = await post.conversation(
        "Re: Where are my twelve panels?", support, waiting_since=now - timedelta(minutes=12),
        last_message_at=now - timedelta(minutes=12),
    )  # fmt: skip
    messages["stranger"] = await post.mail(
        five, ("Otto Roth", "otto@dach.example"), "I am the roofer. Please call me before the truck comes.",
        now - timedelta(minutes=12), subject="Re: Where are my twelve panels?",
        forwarded={"name": "Ida Lind", "address": "ida@lind.example"},
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO placements (message_id, conversation_id, reason) VALUES ($1, $2, 'reference_of_stranger')",
        messages["stranger"], one,
    )  # fmt: skip

    six = conversations["junk"] = await post.conversation(
        "You have won", support, junk=True, state="closed", closed_at=now - timedelta(hours=2),
        last_message_at=now - timedelta(hours=2),
    )  # fmt: skip
    await post.mail(six, ("Lottery", "win@lottery.example"), "Send us your bank details.", now - timedelta(hours=2),
                    junk="rspamd: 18.2", subject="You have won")  # fmt: skip
    seven = conversations["done"] = await post.conversation(
        "Invoice 2026-101", support, state="closed", closed_at=now - timedelta(days=2), contact_id=contacts[0],
        last_message_at=now - timedelta(days=2), assignee_id=users["agent"],
    )  # fmt: skip
    await post.mail(seven, claire, "Thank you, it is paid.", now - timedelta(days=2), contact=contacts[0],
                    subject="Invoice 2026-101")  # fmt: skip
    raw: int = await pool.fetchval(
        "INSERT INTO raw_mails (content_hash, size, content, sender, state, reason, attempts, received_at)"
        " VALUES ('\\x01', 120, $1, 'broken@mailer.example', 'quarantined', 'Reading it took longer than 10 s.', 3, $2)"
        " RETURNING id",
        b"From: Broken <broken@mailer.example>\r\nSubject: =?utf-8?b?w6k=?=\r\nX-Mailer: Mangler 1.0\r\n\r\nHello \xff\xfe",
        now - timedelta(hours=1),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO arrivals (raw_id, door, recipients, meta) VALUES ($1, 'smtp', '{support@helianthe.example}', $2)",
        raw, {"peer": "192.0.2.7", "helo": "mailer.example"},
    )  # fmt: skip
    for address, reason, words in (
        ("gone@old.example", "mailbox_unknown", "550 5.1.1 <gone@old.example>: user unknown"),
        ("angry@elsewhere.example", "complaint", "feedback report of mailbox provider"),
    ):
        await pool.execute(
            "INSERT INTO suppressions (kind, address, reason, source, words, message_id) VALUES ('mail', $1, $2, CASE $2 WHEN 'complaint' THEN 'complaint' ELSE 'bounce' END, $3, $4)",
            address, reason, words, answer,
        )  # fmt: skip
    return Correspondence(queues, conversations, messages, raw)
