"""Campaigns as they are written: create, change, look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

import asyncpg
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from domain.campaigns import CampaignState
from domain.consent import Purpose, TrackingPolicy
from domain.errors import Conflict, InvalidInput, NotFound
from domain.messages import ChannelKind
from storage.pool import Connection

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class CampaignInput(BaseModel):
    """What a marketer says about a campaign. `source` is a templates.source.MailTemplate, or, of short messages, a
    templates.texts.SmsTemplate; an incomplete one is kept, the launch checks it. The channel is chosen once. In a
    change, what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = ""
    channel: Literal[ChannelKind.MAIL, ChannelKind.SMS] = ChannelKind.MAIL
    segment_id: int | None = None
    purpose: Purpose = Purpose.NEWSLETTER
    tracking_policy: TrackingPolicy = TrackingPolicy.AGGREGATE
    source: dict[str, Any] = Field(default_factory=dict)
    rate: Annotated[int, Field(ge=1, le=1_000_000)] | None = None  #: messages per second over all workers


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it stands. `measured` of the `recipients` allowed that their own hits are recorded."""

    id: int
    name: str
    state: CampaignState
    channel: ChannelKind
    segment_id: int | None
    purpose: Purpose
    tracking_policy: TrackingPolicy
    source: Mapping[str, Any]
    rate: int | None
    recipients: int
    measured: int
    created_by: int | None
    created_at: datetime
    launch_at: datetime | None  #: a worker launches it from then on
    launch_error: str | None  #: why that did not work
    launched_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of COLUMNS."""
        fields = {name: row[name] for name in cls.__dataclass_fields__}
        fields["state"] = CampaignState(row["state"])
        fields["channel"] = ChannelKind(row["channel"])
        fields["purpose"] = Purpose(row["purpose"])
        fields["tracking_policy"] = TrackingPolicy(row["tracking_policy"])
        return cls(**fields)


COLUMNS: Final = ", ".join(Campaign.__dataclass_fields__)


async def create_campaign(
    connection: Connection,
    given: CampaignInput,
    created_by: int | None = None,
) -> int:
    """Begin a draft; gives its id. Short messages ask for a consent of their own, the one that STOP takes back.

    Raises InvalidInput for an empty or taken name, an unknown segment, and short messages for another purpose.
    """
    purpose = given.purpose
    if given.channel is ChannelKind.SMS:
        purpose = Purpose.TEXTS
        _refuse_other_purpose(given)
    if not given.name:
        raise InvalidInput("name", "is empty.", "Give the campaign a name.")
    try:
        campaign_id: int = await connection.fetchval(
            "INSERT INTO campaigns (name, segment_id, purpose, tracking_policy, source, rate, created_by, channel)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            given.name, given.segment_id, purpose, given.tracking_policy, given.source, given.rate, created_by,
            given.channel.value,
        )  # fmt: skip
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _explained(error, given) from error
    return campaign_id


async def update_campaign(connection: Connection, campaign_id: int, changes: CampaignInput) -> Campaign:
    """Change the fields of a draft that were set in `changes`; of a campaign that was launched, only the rate.

    Raises NotFound, InvalidInput, and Conflict when the campaign is past being changed.
    """
    values = {name: getattr(changes, name) for name in changes.model_fields_set}
    if "channel" in values:
        await _refuse_other_channel(connection, campaign_id, values.pop("channel"))
    if "purpose" in values and (await load_campaign(connection, campaign_id)).channel is ChannelKind.SMS:
        _refuse_other_purpose(changes)
    names = sorted(values)
    if values.get("name", "-") == "":
        raise InvalidInput("name", "is empty.", "Give the campaign a name.")
    settable = ", ".join(f"{name} = ${number}" for number, name in enumerate(names, 2)) or "id = id"
    only_rate = values.keys() <= {"rate"}
    condition = "true" if only_rate else "state = 'draft' AND launch_at IS NULL"
    try:
        row = await connection.fetchrow(
            f"UPDATE campaigns SET {settable} WHERE id = $1 AND {condition} RETURNING {COLUMNS}",
            campaign_id,
            *[values[name] for name in names],
        )
    except asyncpg.IntegrityConstraintViolationError as error:
        raise _explained(error, changes) from error
    if row is None:
        campaign = await load_campaign(connection, campaign_id)
        raise Conflict(f"The campaign “{campaign.name}” was launched; only its rate can be changed now.")
    return Campaign.from_row(dict(row))


async def _refuse_other_channel(connection: Connection, campaign_id: int, channel: ChannelKind) -> None:
    campaign = await load_campaign(connection, campaign_id)
    if campaign.channel is not channel:
        raise InvalidInput(
            "channel", "the channel of a campaign cannot be changed.", "Begin another campaign for it."
        )


def _refuse_other_purpose(given: CampaignInput) -> None:
    """Who agreed to something else did not agree to messages on a phone, and could not end them by STOP."""
    if "purpose" in given.model_fields_set and given.purpose is not Purpose.TEXTS:
        raise InvalidInput(
            "purpose", "short messages go to those who agreed to short messages only.", "Choose texts."
        )


async def load_campaign(connection: Connection, campaign_id: int) -> Campaign:
    """One campaign. Raises NotFound."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM campaigns WHERE id = $1", campaign_id)
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return Campaign.from_row(dict(row))


async def list_campaigns(
    connection: Connection, *, state: CampaignState | None = None, before: int | None = None, limit: int = 50
) -> list[Campaign]:
    """Campaigns, newest first, at most `limit` with ids below `before`."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM campaigns WHERE ($1::text IS NULL OR state = $1) AND ($2::int IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        state,
        before,
        limit,
    )
    return [Campaign.from_row(dict(row)) for row in rows]


def read_input(given: Mapping[str, Any]) -> CampaignInput:
    """Read what a form or the API sent. Raises InvalidInput naming the first field that is not right."""
    try:
        return CampaignInput.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(step) for step in first["loc"]) or "campaign"
        raise InvalidInput(name, first["msg"].removeprefix("Value error, ") + ".") from error


def _explained(error: asyncpg.IntegrityConstraintViolationError, given: CampaignInput) -> InvalidInput:
    if isinstance(error, asyncpg.UniqueViolationError):
        return InvalidInput(
            "name", f"there is a campaign named “{given.name}” already.", "Choose another name."
        )
    return InvalidInput("segment_id", f"there is no segment {given.segment_id}.", "Choose one from the list.")
