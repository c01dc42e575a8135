"""Store what was decided about a batch of mails: each table in one statement, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from inbox.mails.arrived import address_of
from inbox.mails.deeds import Deed, Numbers
from inbox.mails.known import Known, Thread
from storage.event_store import record
from storage.pool import Connection

_NUMBERS: Final = """
SELECT nextval(pg_get_serial_sequence('messages', 'id')) AS message,
       nextval(pg_get_serial_sequence('conversations', 'id')) AS conversation
FROM generate_series(1, $1)
"""
_CONTACT_NUMBERS: Final = (
    "SELECT nextval(pg_get_serial_sequence('contacts', 'id')) FROM generate_series(1, $1)"
)

_CONTACTS: Final = """
WITH people AS (
    INSERT INTO contacts (id, name, relation)
    SELECT id, name, relation FROM unnest($1::bigint[], $2::text[], $5::text[]) AS p(id, name, relation)
)
INSERT INTO identities (contact_id, kind, address, given)
SELECT id, 'mail', address, given FROM unnest($1::bigint[], $3::text[], $4::text[]) AS i(id, address, given)
ORDER BY address
"""
_BEGIN: Final = """
INSERT INTO conversations (id, contact_id, case_id, queue_id, channel, state, subject, assignee_id, junk, waiting_since,
                           last_message_at, created_at, closed_at)
SELECT id, contact_id, case_id, queue_id, 'mail', state, subject, assignee_id, junk, waiting_since, last_message_at,
       created_at, CASE WHEN state = 'closed' THEN created_at END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bool[],
            $9::timestamptz[], $10::timestamptz[], $11::timestamptz[])
  AS v(id, contact_id, case_id, queue_id, state, subject, assignee_id, junk, waiting_since, last_message_at, created_at)
"""
_GO_ON: Final = """
UPDATE conversations AS c
SET contact_id = v.contact_id, queue_id = v.queue_id, state = v.state, waiting_since = v.waiting_since,
    last_message_at = v.last_message_at, updated_at = now(),
    closed_at = CASE WHEN v.state = 'closed' THEN c.closed_at END,
    version = c.version + CASE WHEN c.state <> v.state THEN 1 ELSE 0 END
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::timestamptz[])
  AS v(id, contact_id, queue_id, state, waiting_since, last_message_at)
WHERE c.id = v.id
"""
_TAKE_PART: Final = """
INSERT INTO conversation_parties (conversation_id, address, contact_id)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
_MESSAGES: Final = """
INSERT INTO messages (id, direction, channel, contact_id, conversation_id, case_id, created_at)
SELECT id, direction, 'mail', contact_id, conversation_id, case_id, created_at
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
  AS m(id, direction, contact_id, conversation_id, case_id, created_at)
"""
_CONTENTS: Final = """
INSERT INTO message_contents (message_id, subject, body, new_text, html, written_at, author_id, language, files_text)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[],
                     $8::text[], $9::text[])
"""
_PARTIES: Final = """
INSERT INTO message_parties (message_id, part, no, name, address)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::text[])
"""
_FACTS: Final = """
INSERT INTO mail_facts (message_id, raw_id, header_id, reference_ids, digest, mailbox, automatic, back_on, junk, virus,
                        authentication, forwarded, defects, headers)
SELECT message_id, raw_id, header_id, string_to_array(reference_ids, E'\\n'), digest, mailbox, automatic, back_on, junk,
       virus, authentication::jsonb, forwarded::jsonb, string_to_array(defects, E'\\n'), headers::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
  AS f(message_id, raw_id, header_id, reference_ids, digest, mailbox, automatic, back_on, junk, virus, authentication,
       forwarded, defects, headers)
"""
_FILES: Final = """
INSERT INTO attachments (message_id, no, name, media_type, size, blob, content_id, inline)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bool[])
"""
_PLACEMENTS: Final = """
INSERT INTO placements (message_id, conversation_id, reason) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
"""
_TOLD_ALREADY: Final = "DELETE FROM pending_events WHERE event_id = ANY($1::bigint[])"
#: Locks the mails that are still ours: nobody read them meanwhile, and nobody else began to.
HOLD: Final = """
SELECT r.id FROM raw_mails AS r JOIN unnest($1::bigint[], $2::smallint[]) AS mine(id, attempts) USING (id)
WHERE r.state = 'stored' AND r.attempts = mine.attempts ORDER BY r.id FOR UPDATE OF r
"""
_SETTLE: Final = """
UPDATE raw_mails AS r
SET state = 'read', message_id = done.message_id, reason = NULL, read_again_at = NULL, settled_at = now()
FROM unnest($1::bigint[], $2::bigint[]) AS done(id, message_id) WHERE r.id = done.id
"""


async def take_numbers(connection: Connection, mails: int, contacts: int) -> Numbers:
    """Ids for so many mails, with a conversation each, and so many contacts."""
    rows = await connection.fetch(_NUMBERS, mails)
    people = await connection.fetch(_CONTACT_NUMBERS, contacts)
    return Numbers(
        iter([row["message"] for row in rows]),
        iter([row["conversation"] for row in rows]),
        iter([row[0] for row in people]),
    )


async def write_deeds(connection: Connection, deeds: Sequence[Deed], known: Known) -> list[int]:
    """Store messages and what belongs to them, change conversations, record the events, settle the stored bytes.

    Gives the numbers of the events that rules look at.
    """
    stored = [deed for deed in deeds if deed.stored]
    await _put(
        connection,
        _CONTACTS,
        (
            (one.id, one.name, one.address, one.given, one.relation)
            for deed in stored
            for one in deed.contacts
        ),
    )
    await _write_threads(connection, [thread for thread in known.threads.values() if thread.changed])
    await _put(connection, _TAKE_PART, (party for deed in stored for party in deed.parties))
    await _put(
        connection,
        _MESSAGES,
        (
            (
                deed.message_id,
                deed.direction,
                deed.contact_id,
                deed.conversation_id,
                deed.case_id,
                deed.arrived.at,
            )
            for deed in stored
        ),
    )
    await _put(connection, _CONTENTS, map(_content, stored))
    await _put(connection, _PARTIES, (row for deed in stored for row in _parties(deed)))
    await _put(connection, _FACTS, map(_facts, stored))
    await _put(connection, _FILES, (row for deed in stored for row in _files(deed)))
    await _put(
        connection,
        _PLACEMENTS,
        ((deed.message_id, *deed.placement) for deed in stored if deed.placement is not None),
    )
    told = await _tell(connection, stored)
    await _put(connection, _SETTLE, ((deed.arrived.raw_id, deed.message_id) for deed in deeds))
    return told


async def _tell(connection: Connection, deeds: Sequence[Deed]) -> list[int]:
    """Record the events; gives those of now. Those of history are told to people only: no rule looks at them."""
    now = await record(connection, [event for deed in deeds if not deed.history for event in deed.events])
    ids = await record(connection, [event for deed in deeds if deed.history for event in deed.events])
    if ids:
        await connection.execute(_TOLD_ALREADY, ids)
    return [number for number in now if number is not None]


async def _put(connection: Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    columns = list(zip(*rows, strict=True))
    if columns:
        await connection.execute(statement, *columns)


async def _write_threads(connection: Connection, threads: Sequence[Thread]) -> None:
    await _put(
        connection,
        _BEGIN,
        (
            (
                one.id,
                one.contact_id,
                one.case_id,
                one.queue_id,
                one.state,
                one.subject,
                one.assignee_id,
                one.junk,
                one.waiting_since,
                one.last_message_at,
                one.created_at,
            )
            for one in threads
            if one.fresh
        ),
    )
    await _put(
        connection,
        _GO_ON,
        (
            (one.id, one.contact_id, one.queue_id, one.state, one.waiting_since, one.last_message_at)
            for one in threads
            if not one.fresh
        ),
    )


def _content(deed: Deed) -> tuple[Any, ...]:
    understood = deed.arrived.understood
    mail = understood.mail
    return (
        deed.message_id,
        mail.subject,
        mail.text,
        understood.new_text,
        mail.html or None,
        mail.date,
        deed.author_id,
        understood.language,
        understood.files_text or None,
    )


def _parties(deed: Deed) -> Iterable[tuple[Any, ...]]:
    mail = deed.arrived.understood.mail
    parts = {
        "from": (mail.sender,) if mail.sender is not None else (),
        "to": mail.to,
        "cc": mail.cc,
        "bcc": mail.bcc,
        "reply_to": mail.reply_to,
    }
    for part, people in parts.items():
        for number, person in enumerate(people):
            address = address_of(person.address) or person.address
            yield deed.message_id, part, number, person.name, address


def _facts(deed: Deed) -> tuple[Any, ...]:
    arrived, understood = deed.arrived, deed.arrived.understood
    original = understood.forwarded
    forwarded = {}
    if original is not None:
        forwarded = {
            "name": original.name,
            "address": original.address,
            "date": original.date.isoformat() if original.date else "",
            "subject": original.subject,
        }
    return (
        deed.message_id,
        arrived.raw_id,
        understood.mail.message_id,
        "\n".join(understood.ancestors),
        understood.digest,
        deed.mailbox,
        deed.automatic,
        understood.back_on,
        arrived.judgement.reason or None,
        arrived.judgement.virus or None,
        json.dumps(dict(arrived.authentication)),
        json.dumps({name: value for name, value in forwarded.items() if value}, ensure_ascii=False),
        "\n".join(understood.defects),
        json.dumps(understood.headers, ensure_ascii=False),
    )


def _files(deed: Deed) -> Iterable[tuple[Any, ...]]:
    for number, file in enumerate(deed.arrived.understood.files, 1):
        yield (
            deed.message_id,
            number,
            file.name,
            file.media_type,
            file.size,
            file.blob,
            file.content_id,
            file.inline,
        )
