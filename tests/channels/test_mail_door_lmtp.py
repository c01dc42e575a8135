"""The LMTP door: LHLO, and after the content one reply for each recipient that was taken (RFC 2033)."""

from __future__ import annotations

from tests.channels.door_house import DoorHouse, Wire, wire_to


async def begin(wire: Wire, *recipients: str) -> list[str]:
    await wire.say("LHLO mta.example")
    await wire.say("MAIL FROM:<a@b.example>")
    return [(await wire.say(f"RCPT TO:<{recipient}>"))[:3] for recipient in recipients]


async def test_it_wants_lhlo() -> None:
    async with DoorHouse().door("lmtp") as door, wire_to(door) as wire:
        assert (await wire.say("EHLO c")).startswith("500")
        assert (await wire.say("HELO c")).startswith("500")
        assert (await wire.say("MAIL FROM:<a@b.example>")).startswith("503 Error: send LHLO")
        offered = await wire.say("LHLO c")
        for word in ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SIZE"):
            assert word in offered


async def test_each_taken_recipient_has_its_reply_in_order_and_a_refused_one_has_none() -> None:
    house = DoorHouse()
    async with house.door("lmtp") as door, wire_to(door) as wire:
        codes = await begin(wire, "x@example.com", "no@example.org", "y@example.com", "broken@example.com")
        assert codes == ["250", "550", "250", "451"]
        assert (await wire.say("DATA")).startswith("354")
        wire.send("Subject: hello\r\n\r\n.")
        assert [await wire.read() for _ in range(2)] == [
            "250 2.0.0 <x@example.com> taken as 1",
            "250 2.0.0 <y@example.com> taken as 1",
        ]
        assert (await wire.say("NOOP")).startswith("250")
    assert [mail.recipients for mail in house.mails] == [("x@example.com", "y@example.com")]
    assert house.mails[0].door == "lmtp"
    assert house.mails[0].meta["protocol"] == "LMTP"


async def test_a_recipient_named_twice_has_two_replies_and_one_mail() -> None:
    house = DoorHouse()
    async with house.door("lmtp") as door, wire_to(door) as wire:
        await begin(wire, "x@example.com", "x@example.com")
        await wire.say("DATA")
        wire.send(".")
        assert [(await wire.read())[:3] for _ in range(2)] == ["250", "250"]
        assert (await wire.say("NOOP")).startswith("250")
    assert house.mails[0].recipients == ("x@example.com",)


async def test_a_failure_is_told_for_each_recipient() -> None:
    house = DoorHouse()
    house.away = True
    async with house.door("lmtp", size_limit=2000) as door, wire_to(door) as wire:
        await begin(wire, "x@example.com", "y@example.com")
        await wire.say("DATA")
        wire.send("hello\r\n.")
        assert [(await wire.read())[:9] for _ in range(2)] == ["451 4.3.0"] * 2
        await begin(wire, "x@example.com", "y@example.com", "z@example.com")
        await wire.say("DATA")
        wire.send("x" * 3000 + "\r\n.")
        assert [(await wire.read())[:9] for _ in range(3)] == ["552 5.3.4"] * 3
        assert (await wire.say("NOOP")).startswith("250")


async def test_a_refusal_told_to_many_recipients_is_one_error() -> None:
    house = DoorHouse()
    settings = {"size_limit": 2000, "errors_limit": 3, "trusted_networks": []}
    async with house.door("lmtp", **settings) as door, wire_to(door) as wire:
        for _ in range(2):
            await begin(wire, *(f"x{number}@example.com" for number in range(10)))
            await wire.say("DATA")
            wire.send("x" * 3000 + "\r\n.")
            assert [(await wire.read())[:9] for _ in range(10)] == ["552 5.3.4"] * 10
        assert (await wire.say("NOOP")).startswith("250")


async def test_without_a_recipient_there_is_no_content() -> None:
    async with DoorHouse().door("lmtp") as door, wire_to(door) as wire:
        assert await begin(wire, "no@example.org") == ["550"]
        assert (await wire.say("DATA")).startswith("503")


async def test_pipelined_transactions_keep_their_replies_apart() -> None:
    house = DoorHouse()
    async with house.door("lmtp") as door, wire_to(door) as wire:
        await wire.say("LHLO c")
        wire.send("MAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA")
        assert [(await wire.read())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        wire.send("one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<z@example.com>\r\nDATA")
        assert [(await wire.read())[:3] for _ in range(5)] == ["250", "250", "250", "250", "354"]
        wire.send("two\r\n.\r\nQUIT")
        assert [(await wire.read())[:3] for _ in range(2)] == ["250", "221"]
    assert [len(mail.recipients) for mail in house.mails] == [2, 1]
