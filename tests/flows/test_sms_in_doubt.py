"""Messages whose answer was lost: settled by the carrier's reports or by a look in its list, never sent again, also
while the reports come twice, backwards, late or not at all, and while the carrier is silent after it took a message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.sandbox.carrier.mischief import Trick
from outbox.letters.letter import LetterFile
from storage.pool import Pool
from tests.flows.sms_house import OURS, House, eventually, open_house

ANNA, BEN = "+33612000001", "+33612000002"
#: ways to take a message and not to say so
TAKEN = [Trick.KEPT, Trick.SILENT, Trick.GARBLED]


@pytest.fixture
async def house(pool: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(pool, database_url, tmp_path) as opened:
        yield opened


async def facts(house: House, message_id: int) -> Any:
    row = await house.pool.fetchrow(
        """SELECT d.state, d.attempt, f.status, f.provider_id, f.price FROM deliveries d LEFT JOIN sms_facts f USING (message_id)
           WHERE message_id = $1""",
        message_id,
    )
    assert row is not None
    return row


async def settled(house: House, *messages: int) -> None:
    """Wait until these are sent and delivered, asking for prices as after a while, and look at what was told."""

    async def done() -> bool:
        await house.pool.execute("UPDATE sms_facts SET price_at = now() WHERE price_at > now()")
        rows = [await facts(house, one) for one in messages]
        return all((row["state"], row["status"]) == ("sent", "delivered") for row in rows)

    await eventually(done, 40)
    for one in messages:
        rows = await house.pool.fetch("SELECT type FROM events WHERE message_id = $1 ORDER BY type", one)
        assert [row["type"] for row in rows] == ["Delivered", "Sent"]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("answer", TAKEN)
@pytest.mark.parametrize("report", [None, Trick.TWICE, Trick.BACKWARDS, Trick.LATE, Trick.MISSING])
async def test_one_in_doubt_is_settled_and_nobody_gets_it_twice(
    house: House, answer: Trick, report: Trick | None
) -> None:
    house.misbehave(answer, method="POST", times=2)
    house.misbehave(report)
    anna, ben = await house.letter(ANNA, "À dix heures ?"), await house.letter(BEN, "À dix heures ?")
    await settled(house, anna, ben)
    assert [len(house.sent(number)) for number in (ANNA, BEN)] == [1, 1]
    for number, message_id in ((ANNA, anna), (BEN, ben)):
        row = await facts(house, message_id)
        assert (row["provider_id"], row["attempt"]) == (house.sent(number)[0].sid, 1)


@pytest.mark.timeout(90)
async def test_where_nobody_reports_only_the_list_tells(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    async with open_house(pool, database_url, tmp_path, reports=False) as house:
        house.misbehave(Trick.KEPT, method="POST", times=1)
        message_id = await house.letter(ANNA, "À dix heures ?")
        await settled(house, message_id)
        assert len(house.sent(ANNA)) == 1
        assert not house.carrier.parts.courier.log


@pytest.mark.timeout(90)
async def test_one_that_was_never_taken_stays_in_doubt_and_a_twin_is_not_taken_for_it(house: House) -> None:
    house.misbehave(Trick.LOST, method="POST", times=1)
    lost = await house.letter(ANNA, "À dix heures ?")

    async def in_doubt() -> bool:
        return str((await facts(house, lost))["state"]) == "uncertain"

    await eventually(in_doubt)
    twin = await house.letter(ANNA, "À dix heures ?")  # a person wrote it again
    await settled(house, twin)

    async def looked() -> bool:
        await house.pool.execute(
            "UPDATE sms_facts SET look_at = now() - interval '9 s' WHERE look_at > now() AND looks < 2"
        )
        looks: int = await house.pool.fetchval("SELECT looks FROM sms_facts WHERE message_id = $1", lost)
        return looks == 2

    await eventually(looked)
    assert (await facts(house, lost))["state"] == "uncertain"
    assert len(house.sent(ANNA)) == 1


@pytest.mark.timeout(90)
@pytest.mark.parametrize("trick", [None, Trick.KEPT])
async def test_a_picture_of_ours_reaches_the_phone_and_its_message_is_settled(
    house: House, trick: Trick | None
) -> None:
    house.misbehave(trick, method="POST", times=1)
    picture = LetterFile("plan.png", "image/png", b"\x89PNG plan")
    message_id = await house.letter(ANNA, "Le plan", picture)
    await settled(house, message_id)
    phone = await house.carrier.phones.show_phone(ANNA)
    (text,) = phone.texts
    assert text.other == OURS
    (attachment,) = text.attachments
    assert await house.carrier.phones.fetch_attachment(attachment.sid) == ("image/png", picture.content)
