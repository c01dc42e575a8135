"""The statement that records a group of hits: consent is asked where the hit is written, in one snapshot.

Which hit may become what (field-notes: CNIL 2026-042; promise 6):

- a campaign-wide token: a number in hit_counts, nobody in particular;
- a message sent at level full: an event of the person if `measure` is granted now, else nothing at all;
- at level deliverability: an open notes its day on the address (overwritten by the next) and is counted; after
  `measure` was withdrawn, or when the request is plainly automatic, it is only counted; so are clicks and downloads;
- at level aggregate: a number; at level none, or when the message or its person is gone: nothing.

Parameters: $1..$10 the fields of tracking.hits.Hit as arrays, $11 how long each waited (seconds), $12 the settle
window (seconds), $13 the shard of the counts.
Gives one array: the outcome of each hit as a number of tracking.hits.Outcome, in order.
"""

from __future__ import annotations

from typing import Final

RECORD_HITS: Final = """
WITH arrived AS MATERIALIZED (
    SELECT i.*, coalesce(a.contact_id, m.contact_id) AS contact_id, m.identity_id,
           coalesce(m.campaign_id, i.token_campaign_id) AS campaign_id,
           CASE WHEN i.message_id IS NULL THEN 1
                WHEN m.contact_id IS NULL THEN 0
                WHEN m.tracking_level = 'full' THEN CASE WHEN c.state = 'granted' THEN 3 ELSE 0 END
                WHEN m.tracking_level = 'deliverability' AND i.type = 'Opened' AND i.reasons = ''
                     AND m.identity_id IS NOT NULL AND c.state IS DISTINCT FROM 'withdrawn' THEN 2
                WHEN m.tracking_level IN ('aggregate', 'deliverability') THEN 1
                ELSE 0 END AS outcome
    FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::bigint[], $5::smallint[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::float8[])
      WITH ORDINALITY AS i(type, occurred_at, token_campaign_id, message_id, link_no, method, address, agent, reasons,
                           data, waited, position)
    LEFT JOIN messages m ON m.id = i.message_id AND m.direction = 'out'
    LEFT JOIN contact_aliases a ON a.old_id = m.contact_id
    LEFT JOIN consents c ON c.contact_id = coalesce(a.contact_id, m.contact_id) AND c.purpose = 'measure'
), personal AS MATERIALIZED (
    SELECT nextval('events_id_seq') AS event_id, * FROM arrived WHERE outcome = 3
), appended AS (
    INSERT INTO events (id, occurred_at, type, contact_id, message_id, campaign_id, data)
    SELECT event_id, occurred_at, type, contact_id, message_id, nullif(campaign_id, 0), data::jsonb FROM personal
), noted AS (
    INSERT INTO hits (event_id, occurred_at, message_id, campaign_id, contact_id, type, link_no, method, address,
                      agent, reasons, arrived_at, settle_at)
    SELECT event_id, occurred_at, message_id, nullif(campaign_id, 0), contact_id, type, link_no, method,
           address::inet, agent, string_to_array(reasons, ','), now() - waited * interval '1 second',
           now() + $12 * interval '1 second'
    FROM personal
), pending AS (
    INSERT INTO pending_events (lane, event_id, recorded_at)
    SELECT contact_id % 32, event_id, now() FROM personal JOIN router_interests USING (type)
), counted AS (
    INSERT INTO hit_counts AS h (campaign_id, type, link_no, day, shard, count)
    SELECT campaign_id, type, coalesce(link_no, 0), (occurred_at AT TIME ZONE 'UTC')::date AS day, $13::smallint,
           count(*)
    FROM arrived WHERE outcome IN (1, 2) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (campaign_id, type, link_no, day, shard) DO UPDATE SET count = h.count + excluded.count
), days AS (
    UPDATE identities SET last_open_day = seen.day
    FROM (SELECT identity_id, max((occurred_at AT TIME ZONE 'UTC')::date) AS day
          FROM arrived WHERE outcome = 2 GROUP BY identity_id) AS seen
    WHERE identities.id = seen.identity_id AND identities.last_open_day IS DISTINCT FROM seen.day
)
SELECT array_agg(outcome ORDER BY position) FROM arrived
"""
