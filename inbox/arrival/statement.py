"""The statement that keeps a group of mails: their bytes once, and each arrival.

What a door brings again under the same cursor is known by it, even if its bytes differ (some IMAP servers write a
mail anew at each request); the same bytes under another cursor are another arrival of the same mail. Ids rise in the order of arrival, although
rows are written in the order of their hashes, so that two processes never wait for each other in a ring.

Parameters: $1..$10 the fields of a row of inbox.arrival.intake as arrays. Gives a row per mail, in order: id, new.
"""

from __future__ import annotations

from typing import Final

KEEP: Final = """
WITH arrived AS MATERIALIZED (
    SELECT nextval('raw_mails_id_seq') AS fresh_id, ordered.*
    FROM (
        SELECT a.*, known.raw_id AS known_id
        FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::text[], $9::text[], $10::text[])
          WITH ORDINALITY AS a(content_hash, size, content, blob, sender, door, cursor, recipients, meta, channel,
                               position)
        LEFT JOIN arrivals known ON known.door = a.door AND known.cursor = a.cursor
        ORDER BY position
    ) AS ordered
), kept AS (
    INSERT INTO raw_mails (id, content_hash, size, content, blob, sender, channel)
    SELECT DISTINCT ON (content_hash) fresh_id, content_hash, size, content, blob, sender, channel
    FROM arrived WHERE known_id IS NULL ORDER BY content_hash, position
    ON CONFLICT (content_hash) DO UPDATE SET size = excluded.size
    RETURNING id, content_hash, xmax = 0 AS new
), noted AS (
    INSERT INTO arrivals (raw_id, door, cursor, recipients, meta)
    SELECT id, door, cursor, array_remove(string_to_array(recipients, E'\\n'), ''), meta::jsonb
    FROM arrived JOIN kept USING (content_hash)
    WHERE known_id IS NULL ORDER BY position
    ON CONFLICT (door, cursor) WHERE cursor IS NOT NULL DO NOTHING
)
SELECT coalesce(known_id, kept.id) AS id,
       known_id IS NULL AND kept.new AND row_number() OVER (PARTITION BY content_hash ORDER BY position) = 1 AS new
FROM arrived LEFT JOIN kept USING (content_hash) ORDER BY position
"""
