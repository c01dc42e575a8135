"""What a campaign of short messages takes, before it is sent: the parts of everybody's text, their price by country.

Each text is written as its reader would get it, because one name with a sign outside of the small alphabet makes a
message three. Of a very large audience an even share is written, and the sums are multiplied.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from campaigns.audience import load_condition, select_audience
from campaigns.drafts import Campaign, CampaignInput, load_campaign
from campaigns.reach import find_unfit_numbers
from channels.sms.content import LONGEST
from channels.sms.costs import Prices
from channels.sms.keywords import Command, read_keyword
from channels.sms.lookalikes import Replacement, replace_lookalikes
from channels.sms.numbers import country_of
from channels.sms.segments import Encoding, Segments, count
from domain.clock import Clock
from domain.conditions import Condition
from domain.contacts import IdentityKind
from domain.errors import ClytieError, InvalidInput
from domain.messages import ChannelKind
from domain.tokens import TEXT_LENGTH
from outbox.composing import MailKitchen
from storage.pool import Connection, Pool
from templates.preview import preview
from templates.texts import SmsTemplate, TextPlan, read_text_source

#: Texts that are written, of larger audiences.
WRITTEN: Final = 5_000
#: Readers on whom a template is tried in a process that can be killed.
_TRIED: Final = 5
#: Stands where each reader's own token is.
_TOKEN: Final = "x" * TEXT_LENGTH
#: a number, a short code or a messaging service: what people can answer
_NUMBER: Final = re.compile(r"\+?[0-9]{3,15}|MG[0-9a-fA-F]{32}")
_PAGE: Final = re.compile(r"/u/[\w-]{20}")
_WORD: Final = re.compile(r"\w{4,}")
_SIZE: Final = "SELECT count(*) FROM ({}) AS a"
_READERS: Final = """
SELECT c.*, a.address AS email FROM ({}) AS a JOIN contacts AS c ON c.id = a.contact_id
WHERE abs(hashint8(c.id)::bigint) % ${}::int = 0 ORDER BY c.id LIMIT {}
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text as one reader would get it."""

    contact_id: int
    name: str
    text: str
    segments: Segments


@dataclass(frozen=True, slots=True)
class CountryCost:
    """What goes to one country (ISO code, empty where it is not known); no amount where no price is known."""

    country: str
    numbers: int
    parts: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Saving:
    """What replacing look-alikes changes: parts of all messages without and with it, and the signs."""

    parts_before: int
    parts_after: int
    replacements: tuple[Replacement, ...]

    @property
    def parts(self) -> int:
        """Parts that it saves."""
        return self.parts_before - self.parts_after


@dataclass(frozen=True, slots=True)
class CampaignWeight:
    """What the texts take, as the template asks for them. `shortest`, `typical` and `longest` are None when nobody gets
    one. `amount` leaves out the `unpriced` numbers. `without_stop`: languages of readers (empty for those who told none)
    whose text does not say how to stop. `refused`: readers for whom the template cannot be filled; `too_long`: those whose text
    no provider takes."""

    recipients: int
    parts: int
    amount: Decimal
    currency: str
    unpriced: int
    countries: tuple[CountryCost, ...]
    encodings: Mapping[Encoding, int]
    shortest: Sample | None
    typical: Sample | None
    longest: Sample | None
    saving: Saving
    without_stop: tuple[str, ...]
    refused: int
    too_long: int
    is_exact: bool
    is_mute: bool  #: readers are told to answer STOP to a name, which nobody can answer


async def weigh_campaign(
    pool: Pool,
    campaign_id: int,
    kitchen: MailKitchen,
    clock: Clock,
    prices: Prices,
    *,
    at_most: int = WRITTEN,
) -> CampaignWeight:
    """Parts and price of a campaign of short messages to its audience as it is now.

    Raises NotFound, and InvalidInput for another channel, a template that cannot be used, or a missing segment.
    """
    async with pool.acquire() as connection:
        campaign = await load_campaign(connection, campaign_id)
    return await weigh_draft(pool, campaign, kitchen, clock, prices, at_most=at_most)


async def weigh_draft(
    pool: Pool,
    draft: Campaign | CampaignInput,
    kitchen: MailKitchen,
    clock: Clock,
    prices: Prices,
    *,
    condition: Condition | None = None,
    at_most: int = WRITTEN,
) -> CampaignWeight:
    """As `weigh_campaign`, for what is being written; `condition`: of a segment that is not kept yet."""
    if draft.channel is not ChannelKind.SMS:
        raise InvalidInput("channel", "this campaign does not go by short messages.")
    source = read_text_source(draft.source)
    mail = source.as_mail()
    context = kitchen.context(getattr(draft, "id", 0), draft.name, mail)
    async with pool.acquire() as connection:
        if condition is None:
            condition = await load_condition(connection, draft.segment_id)
        readers, every = await _readers(connection, draft, condition, clock, at_most)
    await asyncio.to_thread(preview, mail, context, readers[:_TRIED])
    plan = TextPlan(await kitchen.plan(mail, context))
    return await asyncio.to_thread(_weigh, plan, source, readers, every, prices)


async def _readers(
    connection: Connection, draft: Campaign | CampaignInput, condition: Condition, clock: Clock, at_most: int
) -> tuple[list[dict[str, Any]], int]:
    """Those who are written to, or one in every so many of them; and how many stand behind each."""
    now = clock.now()
    unfit = await find_unfit_numbers(connection, condition, draft.purpose, now, at_most)
    audience = select_audience(
        condition, draft.purpose, draft.tracking_policy, now, IdentityKind.PHONE, unfit
    )
    size = await connection.fetchval(_SIZE.format(audience.sql), *audience.args)
    every = max(1, -(-size // at_most))
    sql = _READERS.format(audience.sql, len(audience.args) + 1, 2 * at_most)
    return [dict(row) for row in await connection.fetch(sql, *audience.args, every)], every


def _weigh(
    plan: TextPlan, source: SmsTemplate, readers: Sequence[Mapping[str, Any]], every: int, prices: Prices
) -> CampaignWeight:
    samples: list[Sample] = []
    numbers: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    encodings: Counter[Encoding] = Counter()
    signs: Counter[tuple[str, str]] = Counter()
    before = after = refused = too_long = 0
    unstoppable: set[str] = set()
    known: dict[str, tuple[Segments, Segments]] = {}
    for reader in readers:
        try:
            written = plan.write(reader, _TOKEN)
        except ClytieError:
            refused += 1
            continue
        replaced = replace_lookalikes(written)
        if written not in known:
            known[written] = count(written), count(replaced.text)
        plain, small = known[written]
        before, after = before + plain.segments, after + small.segments
        for change in replaced.replacements:
            signs[change.sign, change.by] += change.times
        text, segments = (replaced.text, small) if source.lookalikes else (written, plain)
        too_long += len(text) > LONGEST
        country = country_of(reader["email"])
        numbers[country] += 1
        parts[country] += segments.segments
        encodings[segments.encoding] += 1
        if not tells_how_to_stop(text):
            unstoppable.add((reader["language"] or "")[:2])
        samples.append(Sample(reader["id"], reader["name"], text, segments))
    samples.sort(key=lambda one: (one.segments.segments, one.segments.encoding, one.segments.characters))
    countries = tuple(
        CountryCost(
            country,
            every * many,
            every * parts[country],
            None if (price := prices.of(country)) is None else every * price * parts[country],
        )
        for country, many in numbers.most_common()
    )
    return CampaignWeight(
        recipients=every * len(samples),
        parts=every * parts.total(),
        amount=sum((one.amount for one in countries if one.amount is not None), Decimal(0)),
        currency=prices.currency,
        unpriced=sum(one.numbers for one in countries if one.amount is None),
        countries=countries,
        encodings={encoding: every * many for encoding, many in encodings.items()},
        shortest=samples[0] if samples else None,
        typical=samples[len(samples) // 2] if samples else None,
        longest=samples[-1] if samples else None,
        saving=Saving(
            every * before,
            every * after,
            tuple(Replacement(sign, by, every * times) for (sign, by), times in signs.most_common()),
        ),
        without_stop=tuple(sorted(unstoppable)),
        refused=every * refused,
        too_long=every * too_long,
        is_exact=every == 1,
        is_mute=source.stop_hint and not source.stop_number and _NUMBER.fullmatch(source.sender) is None,
    )


def tells_how_to_stop(text: str) -> bool:
    """Whether a text holds a word that stops it when it is sent (channels.sms.keywords), in capitals as such words are
    written, or the reader's own page for that."""
    return _PAGE.search(text) is not None or any(
        word.isupper() and (found := read_keyword(word)) is not None and found.command is Command.STOP
        for word in _WORD.findall(text)
    )
