"""Who a campaign is written to: in the segment, with consent for its purpose, an address, and not suppressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contacts.segments import load_segment, select_contacts
from domain.conditions import Condition
from domain.consent import Purpose, TrackingPolicy
from domain.contacts import IdentityKind
from domain.errors import InvalidInput, NotFound
from storage.pool import Connection


@dataclass(frozen=True, slots=True)
class Audience:
    """A query over the recipients. `sql` gives contact_id, identity_id, address and tracking_level, one row per
    contact; its parameters are `args`."""

    sql: str
    args: Sequence[Any]


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """How many contacts remain after each sieve; `recipients` after all of them."""

    in_segment: int
    with_consent: int
    with_address: int
    recipients: int
    measured: int  #: of the recipients, those whose own hits may be recorded


async def load_condition(connection: Connection, segment_id: int | None) -> Condition:
    """The condition of a segment. Raises InvalidInput when there is none."""
    if segment_id is None:
        raise InvalidInput("segment_id", "no segment is chosen.", "Choose who the campaign is written to.")
    try:
        return await load_segment(connection, segment_id)
    except NotFound as error:
        raise InvalidInput("segment_id", str(error), "Choose one from the list.") from error


def select_audience(
    condition: Condition,
    purpose: Purpose,
    policy: TrackingPolicy,
    now: datetime,
    kind: IdentityKind = IdentityKind.MAIL,
    without: Sequence[str] = (),
) -> Audience:
    """The recipients of a campaign. A contact with several addresses of a kind gets it at the oldest one that is not
    suppressed and not among those to do `without`; of several contacts with one phone, one gets it; the tracking level
    is the one of domain.consent.tracking_level."""
    sql, args = select_contacts(condition, now)
    first = len(args) + 1
    spared, more = "", []
    if without:
        spared = f"AND NOT EXISTS (SELECT FROM unnest(${first + 2}::text[]) AS u(address) WHERE u.address = i.address)"
        more = [list(without)]
    chosen = f"""
        SELECT DISTINCT ON (i.contact_id) i.contact_id, i.id AS identity_id, i.address,
               CASE WHEN m.state = 'granted' THEN 'full' ELSE ${first + 1}::text END AS tracking_level
        FROM ({sql}) AS picked
          JOIN identities AS i ON i.contact_id = picked.id AND i.kind = '{kind.value}'
          JOIN consents AS c ON c.contact_id = picked.id AND c.purpose = ${first}::text AND c.state = 'granted'
          LEFT JOIN consents AS m ON m.contact_id = picked.id AND m.purpose = 'measure'
        WHERE NOT EXISTS (SELECT FROM suppressions AS s WHERE s.kind = '{kind.value}' AND s.address = i.address)
          {spared}
        ORDER BY i.contact_id, i.id
        """
    if kind is IdentityKind.PHONE:  # people share phones, which ring once
        chosen = f"SELECT DISTINCT ON (address) * FROM ({chosen}) AS owners ORDER BY address, contact_id"
    return Audience(chosen, [*args, purpose.value, policy.value, *more])


async def count_audience(
    connection: Connection, condition: Condition, purpose: Purpose, now: datetime
) -> AudienceCount:
    """Count what each sieve leaves, for the page on which a segment is chosen."""
    sql, args = select_contacts(condition, now)
    first = len(args) + 1
    row = await connection.fetchrow(
        f"""
        SELECT count(*) AS in_segment,
               count(*) FILTER (WHERE consented) AS with_consent,
               count(*) FILTER (WHERE consented AND addressed) AS with_address,
               count(*) FILTER (WHERE consented AND reachable) AS recipients,
               count(*) FILTER (WHERE consented AND reachable AND measured) AS measured
        FROM (
            SELECT c.state IS NOT DISTINCT FROM 'granted' AS consented,
                   m.state IS NOT DISTINCT FROM 'granted' AS measured,
                   i.contact_id IS NOT NULL AS addressed, coalesce(i.reachable, false) AS reachable
            FROM ({sql}) AS picked
              LEFT JOIN consents AS c ON c.contact_id = picked.id AND c.purpose = ${first}::text
              LEFT JOIN consents AS m ON m.contact_id = picked.id AND m.purpose = 'measure'
              LEFT JOIN (
                  SELECT i.contact_id, bool_or(s.address IS NULL) AS reachable
                  FROM identities AS i LEFT JOIN suppressions AS s ON s.kind = i.kind AND s.address = i.address
                  WHERE i.kind = 'mail' GROUP BY i.contact_id
              ) AS i ON i.contact_id = picked.id
        ) AS sieved
        """,
        *args,
        purpose.value,
    )
    assert row is not None
    return AudienceCount(**dict(row))
