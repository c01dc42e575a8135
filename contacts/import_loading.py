"""Load one chunk of a contact list into the database: staged by COPY, then a handful of set-based statements.

All of it is one transaction that also moves the import's committed place forward, so that a crash repeats nothing.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from contacts.consent import RECORD_ENTRIES
from contacts.import_chunks import Chunk
from contacts.import_rows import FILLED
from storage.pool import Connection

_STAGED: Final = (
    "row",
    "line",
    *FILLED,
    "fields",
    "mail",
    "mail_given",
    "phone",
    "phone_given",
    "more_phones",
)
_CONSENTS: Final = ("row", "purpose", "wording", "source", "occurred_at")
_REJECTS: Final = ("line", "field", "problem", "content")
_DOUBTS: Final = ("row", *_REJECTS)

STAGE: Final = """
CREATE TEMP TABLE IF NOT EXISTS import_rows (
    row int, line bigint, kind text, name text, given_name text, family_name text, organisation text, relation text,
    country text, language text, owner_id bigint, fields jsonb, mail text, mail_given text, phone text,
    phone_given text, more_phones text[], known_id bigint, contact_id bigint,
    step int GENERATED ALWAYS AS (CASE WHEN mail IS NOT NULL THEN 1 WHEN name IS NOT NULL THEN 2 ELSE 3 END) STORED
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS import_claims (
    row int, purpose text, wording text, source text, occurred_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS import_refusals (row int, line bigint, field text, problem text, content text)
ON COMMIT DELETE ROWS
"""

#: One import at a time matches addresses and makes contacts. No parallel or compiled plans: each statement is small.
_PREPARE: Final = "SET LOCAL jit = off; SET LOCAL work_mem = '32MB'; SELECT pg_advisory_xact_lock(7236418)"

#: Step 1, lines with a mail address: whose address it is.
_MATCH_MAILS: Final = """
UPDATE import_rows AS r SET (known_id, contact_id) = (
    SELECT known, coalesce(known, nextval('contacts_id_seq')) FROM (
        SELECT (SELECT contact_id FROM identities WHERE kind = 'mail' AND address = r.mail) AS known OFFSET 0
    ) AS found
) WHERE step = 1
"""
#: Steps 2 and 3, lines with a number only, those with a name first. A number is not a person: colleagues share it.
#: So the line is that of the one who has the number and the name, else that of the only one who has the number
#: when one of the two is without a name, else it is a new contact. Where several could be meant it stays without a
#: contact and is refused. Whoever has no name is called by the number (_CREATE). Lookups, not scans: OFFSET 0.
_MATCH_PHONES: Final = """
WITH asked AS MATERIALIZED (
    SELECT row, phone, name, casefold(coalesce(name, phone) COLLATE pg_unicode_fast) AS called,
           count(*) OVER (PARTITION BY phone) AS rivals
    FROM import_rows WHERE step = $1::int
), holders AS MATERIALIZED (
    SELECT phone, id, casefold(name COLLATE pg_unicode_fast) AS called, name = phone AS nameless
    FROM (SELECT DISTINCT phone FROM asked) AS numbers
    CROSS JOIN LATERAL (SELECT contact_id FROM identities WHERE kind = 'phone' AND address = phone OFFSET 0) AS held
    CROSS JOIN LATERAL (SELECT id, name FROM contacts WHERE id = contact_id OFFSET 0) AS contact
), namesakes AS (
    SELECT phone, called, count(*) AS count, min(id) AS id FROM holders GROUP BY phone, called
), everybody AS (
    SELECT phone, count(*) AS count, min(id) AS id, bool_and(nameless) AS nameless FROM holders GROUP BY phone
), found AS (
    SELECT row, CASE WHEN n.count = 1 THEN n.id
                     WHEN n.count IS NULL AND e.count = 1 AND (name IS NULL OR nameless AND rivals = 1) THEN e.id
                END AS known,
           n.count > 1 OR (n.count IS NULL AND e.count > 1 AND name IS NULL) AS unclear
    FROM asked LEFT JOIN everybody e USING (phone) LEFT JOIN namesakes n USING (phone, called)
)
UPDATE import_rows AS r
SET known_id = known, contact_id = CASE WHEN unclear THEN NULL ELSE coalesce(known, nextval('contacts_id_seq')) END
FROM found WHERE found.row = r.row
"""
_CREATE: Final = """
WITH made AS (
    INSERT INTO contacts (id, kind, name, given_name, family_name, organisation, relation, country, language,
                          owner_id, fields)
    SELECT contact_id, coalesce(kind, 'person'), coalesce(name, mail_given, phone), given_name, family_name,
           organisation, coalesce(relation, 'other'), country, language, owner_id, coalesce(fields, '{}')
    FROM import_rows WHERE step = $1::int AND known_id IS NULL AND contact_id IS NOT NULL
    RETURNING id
), mails AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT contact_id, 'mail', mail, mail_given FROM import_rows
    WHERE step = $1::int AND known_id IS NULL AND mail IS NOT NULL
), phones AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT contact_id, 'phone', phone, phone_given FROM import_rows
    WHERE step = $1::int AND known_id IS NULL AND contact_id IS NOT NULL AND phone IS NOT NULL
)
SELECT count(*) FROM made
"""
#: Phone numbers that a contact did not have: of a contact known before, and all after the first one of a line.
_PHONES: Final = """
WITH added AS (
    INSERT INTO identities (contact_id, kind, address, given)
    SELECT contact_id, 'phone', phone, coalesce(phone_given, phone) FROM import_rows
    WHERE known_id IS NOT NULL AND phone IS NOT NULL
    UNION ALL
    SELECT contact_id, 'phone', more, more FROM import_rows, unnest(more_phones) AS more
    ON CONFLICT DO NOTHING
    RETURNING contact_id, address
), told AS (
    INSERT INTO events (occurred_at, type, contact_id, actor_id, data)
    SELECT $1::timestamptz, 'Changed', contact_id, $2::bigint, jsonb_build_object('field', 'phone', 'old', NULL, 'new', address)
    FROM added WHERE contact_id IN (SELECT known_id FROM import_rows WHERE known_id IS NOT NULL)
    RETURNING id, recorded_at, type, contact_id
)
INSERT INTO pending_events (lane, event_id, recorded_at)
SELECT contact_id % 32, id, recorded_at FROM told JOIN router_interests USING (type)
"""
#: How often one contact is meant by lines with different addresses; each pass of _FILL takes one of them.
_PASSES: Final = """
SELECT coalesce(max(lines), 0)::int FROM (
    SELECT count(*) AS lines FROM import_rows WHERE known_id IS NOT NULL GROUP BY known_id
) AS meant
"""


def _filled(column: str) -> str:
    return f"CASE WHEN $4::bool THEN coalesce(r.{column}, c.{column}) ELSE coalesce(c.{column}, r.{column}) END AS {column}"


_PLAIN: Final = ("given_name", "family_name", "organisation", "country", "language", "owner_id")
#: Fill what a known contact lacks ($4: replace what it has), and tell each change.
_FILL: Final = f"""
WITH meant AS (
    SELECT *, row_number() OVER (PARTITION BY known_id ORDER BY line) AS pass FROM import_rows
    WHERE known_id IS NOT NULL
), merged AS MATERIALIZED (
    SELECT c.id, to_jsonb(c) AS old,
           CASE WHEN $4::bool THEN coalesce(r.kind, c.kind) ELSE c.kind END AS kind,
           CASE WHEN r.name IS NOT NULL AND ($4::bool OR c.name IN (r.mail, r.mail_given, r.phone)) THEN r.name
                ELSE c.name END AS name,
           {", ".join(map(_filled, _PLAIN))},
           CASE WHEN r.relation IS NOT NULL AND ($4::bool OR c.relation = 'other') THEN r.relation
                ELSE c.relation END AS relation,
           CASE WHEN $4::bool THEN c.fields || coalesce(r.fields, '{{}}') ELSE coalesce(r.fields, '{{}}') || c.fields END
               AS fields
    FROM meant AS r
    CROSS JOIN LATERAL (SELECT * FROM contacts WHERE id = r.known_id FOR NO KEY UPDATE) AS c
    WHERE r.pass = $3::bigint
), changed AS (
    UPDATE contacts AS c
    SET kind = m.kind, name = m.name, given_name = m.given_name, family_name = m.family_name,
        organisation = m.organisation, country = m.country, language = m.language, owner_id = m.owner_id,
        relation = m.relation, fields = m.fields, updated_at = now()
    FROM merged AS m
    WHERE c.id = m.id AND (c.kind, c.name, c.given_name, c.family_name, c.organisation, c.country, c.language,
                           c.owner_id, c.relation, c.fields)
        IS DISTINCT FROM (m.kind, m.name, m.given_name, m.family_name, m.organisation, m.country, m.language,
                          m.owner_id, m.relation, m.fields)
    RETURNING c.id, m.old, to_jsonb(c) AS new
), told AS (
    INSERT INTO events (occurred_at, type, contact_id, actor_id, data)
    SELECT $1::timestamptz, 'Changed', changed.id, $2::bigint, jsonb_build_object('field', key, 'old', old_value, 'new', new_value)
    FROM changed CROSS JOIN LATERAL (
        SELECT key, changed.old -> key AS old_value, value AS new_value
        FROM jsonb_each(changed.new - 'fields' - 'updated_at')
        UNION ALL
        SELECT 'fields.' || key, changed.old -> 'fields' -> key, value FROM jsonb_each(changed.new -> 'fields')
    ) AS field
    WHERE old_value IS DISTINCT FROM new_value
    RETURNING id, recorded_at, type, contact_id
)
INSERT INTO pending_events (lane, event_id, recorded_at)
SELECT contact_id % 32, id, recorded_at FROM told JOIN router_interests USING (type)
"""
_CLAIM: Final = RECORD_ENTRIES.format(
    given="""
    SELECT r.contact_id, k.purpose, 'granted' AS state, k.wording, k.source, k.occurred_at
    FROM import_claims k JOIN import_rows r USING (row) WHERE r.contact_id IS NOT NULL
""",
    around="NULL::bigint, NULL::int, $1::bigint,",
)
_REFUSE: Final = """
INSERT INTO import_rejects (import_id, line, field, problem, content)
SELECT $1, f.line, field, problem, content FROM import_refusals f LEFT JOIN import_rows r USING (row)
WHERE f.row IS NULL OR r.contact_id IS NULL
RETURNING line
"""
#: The committed place moves on only from where it was: a twin that came second, or a cancelled import, stops here.
_MOVE_ON: Final = """
UPDATE imports SET "offset" = $3, line = $4, created = created + $5, joined = joined + $6, rejected = rejected + $7
WHERE id = $1 AND "offset" = $2 AND state = 'running' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Loading:
    """What stays the same for all chunks of an import."""

    import_id: int
    actor_id: int | None
    overwrite: bool


class Overtaken(Exception):
    """The import was cancelled, or somebody else loads it."""


async def load_chunk(
    connection: Connection, loading: Loading, chunk: Chunk, *, offset: int, now: object
) -> int:
    """Load a chunk that was read from `offset`; gives how many contacts are new. Raises Overtaken.

    Runs in the caller's transaction, on a connection where STAGE was executed.
    """
    await connection.execute(_PREPARE)
    created = 0
    refused = chunk.rejected
    if chunk.rows:
        await _copy(connection, "import_rows", _STAGED, chunk.contacts)
        await connection.execute(_MATCH_MAILS)
        created = await connection.fetchval(_CREATE, 1)
        await connection.execute(_PHONES, now, loading.actor_id)
        if chunk.doubts:
            for step in (2, 3):
                await connection.execute(_MATCH_PHONES, step)
                created += await connection.fetchval(_CREATE, step)
        if created < chunk.rows:
            for number in range(1, await connection.fetchval(_PASSES) + 1):
                await connection.execute(_FILL, now, loading.actor_id, number, loading.overwrite)
    if chunk.consents:
        await _copy(connection, "import_claims", _CONSENTS, chunk.consents)
        await connection.execute(_CLAIM, loading.actor_id)
    if chunk.rejects or chunk.doubts:
        await _copy(connection, "import_refusals", _REJECTS, chunk.rejects)
        await _copy(connection, "import_refusals", _DOUBTS, chunk.doubts)
        refused = len(await connection.fetch(_REFUSE, loading.import_id))
    joined = chunk.rows + chunk.joined + chunk.rejected - created - refused
    moved = await connection.fetchval(
        _MOVE_ON, loading.import_id, offset, chunk.offset, chunk.line, created, joined, refused
    )
    if moved is None:
        raise Overtaken
    return created


async def _copy(connection: Connection, table: str, columns: tuple[str, ...], body: bytes) -> None:
    await connection.copy_to_table(table, source=io.BytesIO(body), columns=columns, format="csv")
