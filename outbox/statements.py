"""The SQL of the outbox. Each text is one statement; the moves it makes stand in domain.messages.DELIVERY_MOVES."""

from __future__ import annotations

from typing import Final

from channels.sms.reasons import VOCABULARY, WITHDRAWALS, is_hard

#: The statements reach a few hundred rows through primary keys. A generic plan saves planning them anew each
#: time; nested loops over indexes stay right when the tables grow faster than their statistics.
PREPARE: Final = """
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off; SET enable_bitmapscan = off; SET jit = off
"""

RUNNING: Final = "SELECT id, rate FROM campaigns WHERE state = 'running' AND channel = $1 ORDER BY id"
CAMPAIGN: Final = "SELECT id, name, source FROM campaigns WHERE id = $1"

#: queued or deferred → claimed, all that is due in one range of a running campaign. $1 worker, $2 campaign, $3 lease
#: in seconds, $4 whether the contacts' own fields are wanted. Gives the range's `low` with each row; one row without a
#: message when nothing was due in it after all. Locks are taken on ranges, not on rows: whoever comes second takes
#: another range. Whoever no longer allows to be measured since the launch gets a mail without a token of their own.
#:
#: Each claim of a row has a number, by which it is known from then on: a worker that claims a row again after its
#: lease ran out can still hold the older claim, and has to be told apart from itself.
_CLAIM: Final = """
WITH range AS MATERIALIZED (
    SELECT low, high FROM delivery_ranges
    WHERE campaign_id = $2 AND ready_at <= now() AND EXISTS (SELECT FROM campaigns WHERE id = $2 AND state = 'running')
    ORDER BY {order} LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE deliveries AS d
    SET state = 'claimed', claim = d.claim + 1, worker = $1, lease_until = now() + make_interval(secs => $3)
    FROM range AS r
    WHERE d.message_id BETWEEN r.low AND r.high AND d.campaign_id = $2
      AND d.state IN ('queued', 'deferred') AND (d.not_before IS NULL OR d.not_before <= now())
    RETURNING d.message_id, d.attempt, d.claim, d.contact_id, d.address
), noted AS (
    UPDATE delivery_ranges AS r
    SET lease_until = least(r.lease_until, now() + make_interval(secs => $3)),
        ready_at = (SELECT min(d.not_before) FROM deliveries AS d
                    WHERE d.message_id BETWEEN r.low AND r.high AND d.campaign_id = $2
                      AND d.state IN ('queued', 'deferred') AND d.not_before > now())
    FROM range WHERE r.low = range.low
    RETURNING r.low
)
SELECT n.low, t.message_id, t.attempt, t.claim, t.address AS email,
       CASE WHEN m.tracking_level <> 'full' OR w.state = 'granted' THEN m.tracking_level
            ELSE (SELECT tracking_policy FROM campaigns WHERE id = $2) END AS tracking_level,
       coalesce(a.contact_id, t.contact_id) AS contact_id,
       c.name, c.given_name, c.family_name, c.organisation, c.country, c.language, c.timezone,
       CASE WHEN $4 THEN nullif(c.fields, '{{}}') END AS fields
FROM noted AS n
  LEFT JOIN taken AS t ON true
  LEFT JOIN messages AS m ON m.id = t.message_id
  LEFT JOIN contact_aliases AS a ON a.old_id = t.contact_id
  LEFT JOIN contacts AS c ON c.id = coalesce(a.contact_id, t.contact_id)
  LEFT JOIN consents AS w ON w.contact_id = c.id AND w.purpose = 'measure'
"""

#: The range that became due first, or last: the messages that come back after a refusal are due later than all that
#: were never tried, so that half of the claims go to them however long the queue is.
CLAIM_FIRST: Final = _CLAIM.format(order="ready_at, low")
CLAIM_LAST: Final = _CLAIM.format(order="ready_at DESC, low DESC")

#: The same for letters of one channel, which have no campaign, and a range each: $1 worker, $2 lease in seconds, $3 how
#: many at most, $4 channel. A copy has the content of the letter's first message.
CLAIM_LETTERS: Final = """
WITH ranges AS MATERIALIZED (
    SELECT low FROM delivery_ranges WHERE campaign_id = 0 AND channel = $4 AND ready_at <= now()
    ORDER BY ready_at, low LIMIT $3 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE deliveries AS d
    SET state = 'claimed', claim = d.claim + 1, worker = $1, lease_until = now() + make_interval(secs => $2)
    FROM ranges AS r
    WHERE d.message_id = r.low AND d.campaign_id = 0
      AND d.state IN ('queued', 'deferred') AND (d.not_before IS NULL OR d.not_before <= now())
    RETURNING d.message_id, d.attempt, d.claim, d.contact_id, d.address
), noted AS (
    UPDATE delivery_ranges AS r
    SET lease_until = least(r.lease_until, now() + make_interval(secs => $2)),
        ready_at = (SELECT d.not_before FROM deliveries AS d
                    WHERE d.message_id = r.low AND d.state IN ('queued', 'deferred') AND d.not_before > now())
    FROM ranges WHERE r.low = ranges.low
    RETURNING r.low
)
SELECT n.low, t.message_id, t.attempt, t.claim, t.address AS email, t.contact_id, own.sender, own.utf8, own.options,
       coalesce(own.content, first.content) AS content, coalesce(own.blob, first.blob) AS blob, p.address AS author
FROM noted AS n
  LEFT JOIN taken AS t ON t.message_id = n.low
  LEFT JOIN letters AS own ON own.message_id = t.message_id
  LEFT JOIN letters AS first ON first.message_id = own.copy_of
  LEFT JOIN message_parties AS p ON p.message_id = coalesce(own.copy_of, own.message_id) AND p.part = 'from' AND p.no = 0
"""

#: Settles the results of the last batch (sending → sent, deferred, rejected, uncertain) and marks the next rows
#: (claimed → sending, or → rejected when the recipient may not be written to), with the events of both.
#:
#: $1 worker. Results: $2 message ids, $3 attempts, $4 states, $5 reasons, $6 replies, $7 seconds until the next
#: attempt, $8 event types (none: no event). To mark: $9 message ids, $10 attempts so far, $11 campaign ids,
#: $12 contact ids, $13 addresses, $14 kinds of address, $15 reasons why a row could not be composed (null: it
#: was). $16 lease in seconds, $17 the business time, $18 the numbers of the claims, $19 whether these rows repeat a
#: statement that got no answer, $20 for results that count under one claim only: its number, $21 relays, $22 the
#: provider's numbers of short messages. To mark, of short messages only: $23 our numbers, $24 alphabets, $25 parts.
#:
#: A list is one text, joined by U+001F; an empty part is null. That is less work for both sides than arrays, most of
#: all because a list whose parts are all alike is given as one part (attempts, states, campaigns, kinds), and a list
#: of nulls as nothing.
#:
#: A result counts only for the attempt that it belongs to; that a message was taken or refused for good is believed
#: even when its lease ran out and it counts as uncertain.
#:
#: A row is marked only under an unexpired lease of this worker, for the claim with this number, and while its campaign
#: runs: FOR SHARE makes a pause wait for this statement, and this statement look again after a pause. Letters (campaign
#: 0) need no campaign and no consent; the do-not-contact list holds for them, too. When a
#: statement is repeated, `sending` under the same claim is a row that it marked the first time; nothing of it was
#: written, because only rows of an answered statement are handed to the channel.
#:
#: Rows come sorted by id and are locked in this order (as SWEEP and WITHDRAW do).
#:
#: Of a short message, the provider's number is kept with its state, and what it takes; one in doubt, or refused because its reader left,
#: is noted to be looked at (outbox/texts/doubts.py). A refusal that condemns the number suppresses it in the same breath.
_SETTLE_AND_MARK: Final = """
WITH results AS MATERIALIZED (
    SELECT message_id, coalesce(attempt, ({3}::smallint[])[1]) AS attempt, coalesce(state, ({4})[1]) AS state,
           reason, reply, delay, coalesce(event, ({8})[1]) AS event, claim, coalesce(relay, ({21})[1]) AS relay, provider_id
    FROM unnest({2}::bigint[], {3}::smallint[], {4}, {5}, {6}, {7}::float8[], {8}, {20}::int[], {21}, {22})
      AS r(message_id, attempt, state, reason, reply, delay, event, claim, relay, provider_id)
), settled AS (
    UPDATE deliveries AS d
    SET state = r.state, reason = r.reason, reply = r.reply, relay = r.relay, worker = NULL, lease_until = NULL,{attempt}
        not_before = now() + make_interval(secs => r.delay),
        settled_at = CASE WHEN r.state <> 'deferred' THEN now() END
    FROM results AS r
    WHERE d.message_id = r.message_id AND d.worker = $1 AND d.attempt = r.attempt
      AND (d.state = 'sending' OR d.state = 'uncertain' AND r.state IN ('sent', 'rejected'))
      AND (r.claim IS NULL OR r.claim = d.claim)
    RETURNING d.message_id, d.contact_id, d.campaign_id, r.event, r.reason, r.attempt, r.state, r.reply, r.relay,
              r.provider_id, d.address, d.channel
), {of_channel}journal AS (
    INSERT INTO delivery_attempts (message_id, attempt, state, reason, reply, relay)
    SELECT message_id, attempt, state, reason, coalesce(reply, ''), coalesce(relay, '') FROM settled
    WHERE state = 'uncertain' OR state = 'deferred' AND reason <> ALL({silent})
    ON CONFLICT DO NOTHING
), wanted AS MATERIALIZED (
    SELECT message_id, coalesce(attempt, ({10}::smallint[])[1]) AS attempt,
           coalesce(campaign_id, ({11}::int[])[1]) AS campaign_id, contact_id, address,
           coalesce(kind, ({14})[1]) AS kind, refusal, coalesce(claim, ({18}::int[])[1]) AS claim
    FROM unnest({9}::bigint[], {10}::smallint[], {11}::int[], {12}::bigint[], {13}, {14}, {15}, {18}::int[])
      AS w(message_id, attempt, campaign_id, contact_id, address, kind, refusal, claim)
), gates AS MATERIALIZED (
    SELECT id, purpose FROM campaigns WHERE id = ANY({11}::int[]) AND state = 'running' FOR SHARE
), judged AS MATERIALIZED (
    SELECT w.message_id, w.attempt, w.claim,
           CASE WHEN s.address IS NOT NULL THEN 'suppressed'
                WHEN w.campaign_id <> 0 AND c.state IS DISTINCT FROM 'granted' THEN 'consent_withdrawn'
                WHEN w.campaign_id <> 0 AND EXISTS (
                    SELECT FROM marketing_pauses AS p
                    WHERE p.contact_id = w.contact_id AND p.lifted_at IS NULL
                      AND (p.until > $17::timestamptz
                           OR EXISTS (SELECT FROM conversations AS v WHERE v.id = p.conversation_id AND v.state <> 'closed')
                           OR EXISTS (SELECT FROM cases AS k WHERE k.id = p.case_id AND k.state <> 'closed'))
                ) THEN 'marketing_paused'
                ELSE w.refusal END AS reason
    FROM wanted AS w
      LEFT JOIN gates AS g ON g.id = w.campaign_id
      LEFT JOIN suppressions AS s ON s.kind = w.kind AND s.address = w.address
      LEFT JOIN consents AS c ON c.contact_id = w.contact_id AND c.purpose = g.purpose
    WHERE g.id IS NOT NULL OR w.campaign_id = 0
), marked AS (
    UPDATE deliveries AS d
    SET state = CASE WHEN j.reason IS NULL THEN 'sending' ELSE 'rejected' END,
        attempt = CASE WHEN j.reason IS NULL THEN j.attempt + 1 ELSE d.attempt END,
        worker = CASE WHEN j.reason IS NULL THEN $1 END,
        lease_until = CASE WHEN j.reason IS NULL THEN now() + make_interval(secs => $16) END,
        settled_at = CASE WHEN j.reason IS NOT NULL THEN now() END,
        reason = j.reason
    FROM judged AS j
    WHERE d.message_id = j.message_id AND d.worker = $1 AND d.claim = j.claim
      AND (d.state = 'claimed' AND d.attempt = j.attempt AND d.lease_until > now()
           OR $19 AND d.state = 'sending' AND d.attempt = j.attempt + 1 AND j.reason IS NULL)
    RETURNING d.message_id, d.contact_id, d.campaign_id, d.reason
), {marked_there}told AS (
    INSERT INTO events (occurred_at, type, contact_id, message_id, campaign_id, conversation_id, case_id, data)
    SELECT $17::timestamptz, event, contact_id, message_id, nullif(campaign_id, 0), {about},
           CASE WHEN reason IS NOT NULL THEN jsonb_build_object('reason', reason, 'attempt', attempt) END
    FROM settled AS s WHERE event <> 'none'
    UNION ALL
    SELECT $17::timestamptz, 'Rejected', contact_id, message_id, nullif(campaign_id, 0), {about},
           jsonb_build_object('reason', reason)
    FROM marked AS s WHERE reason IS NOT NULL
    RETURNING id, recorded_at, type, contact_id
), pending AS (
    INSERT INTO pending_events (lane, event_id, recorded_at)
    SELECT coalesce(contact_id, 0) % 32, id, recorded_at FROM told JOIN router_interests USING (type)
)
SELECT message_id, reason FROM marked
UNION ALL
SELECT NULL, (SELECT count(*) FROM settled)::text
"""

#: Seconds after which the price of a message is asked for when no report said before that it arrived.
PRICE_AFTER: Final = 900
SEPARATOR: Final = "\x1f"
#: Refusals that condemn the number; a word of mail is none of them.
HARD_FOR_NUMBERS: Final = frozenset(word for word in VOCABULARY if is_hard(word))
_LISTS: Final = [f"string_to_array(${number}::text, E'\\x1f', '')" for number in range(26)]
#: Asked of letters alone: a join would cost every message of a campaign, too.
_ABOUT: Final = ", ".join(
    f"CASE WHEN s.campaign_id = 0 THEN (SELECT m.{column} FROM messages AS m WHERE m.id = s.message_id) END"
    for column in ("conversation_id", "case_id")
)
#: For short messages only: more writing parts cost each step of the others a microsecond per message. Whoever opted out
#: at the provider is written to no more at once, by no other number of ours either; the consent follows (doubts.py).
_OF_SMS: Final = """known_there AS (
    INSERT INTO sms_facts AS f (message_id, provider_id, theirs, look_at, price_at)
    SELECT message_id, provider_id, address, CASE WHEN provider_id IS NULL THEN now() END,
           CASE WHEN provider_id IS NOT NULL AND state = 'sent' THEN now() + make_interval(secs => {price_after}) END
    FROM settled WHERE channel = 'sms' AND (provider_id IS NOT NULL OR state = 'uncertain' OR reason = 'opted_out')
    ON CONFLICT (message_id) DO UPDATE
    SET provider_id = coalesce(f.provider_id, excluded.provider_id), theirs = excluded.theirs, look_at = excluded.look_at,
        price_at = CASE WHEN f.price IS NULL THEN coalesce(f.price_at, excluded.price_at) END
), condemned AS (
    INSERT INTO suppressions (kind, address, reason, source, message_id, words)
    SELECT 'phone', address, reason, 'provider', message_id, coalesce(left(reply, {words}), '')
    FROM settled WHERE channel = 'sms' AND state = 'rejected' AND reason = ANY({hard}) ORDER BY address
    ON CONFLICT DO NOTHING
), """.format(
    hard=f"'{{{','.join(sorted(HARD_FOR_NUMBERS | WITHDRAWALS))}}}'::text[]",
    words=500,
    price_after=PRICE_AFTER,
)
#: What a message of a campaign takes is known when it is composed; that of a letter was kept when it was written.
_MARKED_SMS: Final = """takes AS MATERIALIZED (
    SELECT message_id, coalesce(ours, ({23})[1]) AS ours, coalesce(encoding, ({24})[1]) AS encoding,
           coalesce(parts, ({25}::smallint[])[1]) AS parts
    FROM unnest({9}::bigint[], {23}, {24}, {25}::smallint[]) AS t(message_id, ours, encoding, parts)
), measured AS (
    INSERT INTO sms_facts (message_id, ours, theirs, encoding, segments)
    SELECT m.message_id, t.ours, w.address, t.encoding, t.parts
    FROM marked AS m JOIN takes AS t USING (message_id) JOIN wanted AS w USING (message_id)
    WHERE m.reason IS NULL AND m.campaign_id <> 0 AND t.parts > 0 ORDER BY m.message_id
    ON CONFLICT (message_id) DO UPDATE
    SET ours = excluded.ours, theirs = excluded.theirs, encoding = excluded.encoding, segments = excluded.segments
), """
#: One that was throttled was not read: its number of attempts goes back, its claim fences it.
_UNREAD: Final = """
        attempt = CASE WHEN r.state = 'deferred' AND r.reason = 'throttled' THEN d.attempt - 1 ELSE d.attempt END,"""
SETTLE_AND_MARK: Final = _SETTLE_AND_MARK.format(
    *_LISTS, about=_ABOUT, of_channel="", attempt="", silent="'{interrupted}'::text[]", marked_there=""
)
SETTLE_AND_MARK_SMS: Final = _SETTLE_AND_MARK.format(
    *_LISTS,
    about=_ABOUT,
    of_channel=_OF_SMS,
    attempt=_UNREAD,
    silent="'{interrupted,throttled}'::text[]",
    marked_there=_MARKED_SMS.format(*_LISTS),
)

#: claimed → queued, for rows of worker $1 that it will not send after all: $2 message ids in order, $3 claims.
RELEASE: Final = """
UPDATE deliveries AS d SET state = 'queued', worker = NULL, lease_until = NULL
FROM unnest($2::bigint[], $3::int[]) AS held(message_id, claim)
WHERE d.message_id = held.message_id AND d.claim = held.claim AND d.state = 'claimed' AND d.worker = $1
"""

#: claimed → queued, not to be looked at before a while: $2 message ids in order, $3 claims, $4 seconds, $5 reasons.
HOLD: Final = """
UPDATE deliveries AS d
SET state = 'queued', worker = NULL, lease_until = NULL, not_before = now() + make_interval(secs => held.seconds),
    reason = held.reason
FROM unnest($2::bigint[], $3::int[], $4::float8[], $5::text[]) AS held(message_id, claim, seconds, reason)
WHERE d.message_id = held.message_id AND d.claim = held.claim AND d.state = 'claimed' AND d.worker = $1
"""

#: Makes claims of worker $1 last $4 seconds from now: $2 message ids in order, $3 claims. Gives those that are its own.
RENEW: Final = """
UPDATE deliveries AS d SET lease_until = now() + make_interval(secs => $4)
FROM unnest($2::bigint[], $3::int[]) AS held(message_id, claim)
WHERE d.message_id = held.message_id AND d.claim = held.claim AND d.state = 'claimed' AND d.worker = $1
  AND d.lease_until > now()
RETURNING d.message_id
"""

#: Ranges of a campaign, for a launch: `size` messages each. To stand in the launch's statement.
MAKE_RANGES: Final = """
    INSERT INTO delivery_ranges (low, high, campaign_id, ready_at)
    SELECT min(id), max(id), {campaign}, now() FROM audience GROUP BY id / {size}
"""

LOCK_RANGES: Final = "SELECT low FROM delivery_ranges WHERE low = ANY($1::bigint[]) ORDER BY low FOR UPDATE"

#: Up to $3 ranges of campaign $1 above $2; the range of campaign $1 that holds message $2, and a new one for it alone;
#: up to $1 ranges of cancelled campaigns in which something waits.
LOCK_RANGES_OF: Final = """
SELECT low FROM delivery_ranges WHERE campaign_id = $1 AND low > $2 ORDER BY low LIMIT $3 FOR UPDATE
"""
LOCK_RANGE_OF_MESSAGE: Final = """
SELECT low FROM delivery_ranges WHERE campaign_id = $1 AND low <= $2 AND high >= $2 FOR UPDATE
"""
MAKE_RANGE: Final = """
INSERT INTO delivery_ranges (low, high, campaign_id, channel, ready_at)
SELECT $1, $1, $2, channel, now() FROM deliveries WHERE message_id = $1
"""
LOCK_CANCELLED_RANGES: Final = """
SELECT r.low FROM delivery_ranges AS r JOIN campaigns AS c ON c.id = r.campaign_id
WHERE c.state = 'cancelled' AND r.ready_at IS NOT NULL ORDER BY r.low LIMIT $1 FOR UPDATE OF r SKIP LOCKED
"""

LOCK_LATE_RANGES: Final = """
SELECT low FROM delivery_ranges WHERE lease_until < now() ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED
"""

#: In the ranges $1: claimed → queued and sending → uncertain, where the lease ran out. The worker's name stays on the
#: uncertain ones, whose result may still come. Rows that somebody holds are skipped: whoever settles, marks or
#: releases a row at this moment is not late. So nobody waits here for a row, holding others (nor in WITHDRAW).
SWEEP: Final = """
WITH late AS MATERIALIZED (
    SELECT d.message_id
    FROM delivery_ranges AS r
      JOIN deliveries AS d ON d.message_id BETWEEN r.low AND r.high AND d.campaign_id = r.campaign_id
    WHERE r.low = ANY($1::bigint[]) AND d.state IN ('claimed', 'sending') AND d.lease_until < now()
    ORDER BY d.message_id FOR NO KEY UPDATE OF d SKIP LOCKED
), swept AS (
UPDATE deliveries AS d
SET state = CASE d.state WHEN 'claimed' THEN 'queued' ELSE 'uncertain' END,
    reason = CASE d.state WHEN 'claimed' THEN d.reason ELSE 'lease_expired' END,
    settled_at = CASE d.state WHEN 'claimed' THEN d.settled_at ELSE now() END,
    worker = CASE d.state WHEN 'claimed' THEN NULL ELSE d.worker END,
    lease_until = NULL
FROM late WHERE d.message_id = late.message_id
RETURNING d.message_id, d.state, d.channel, d.address
), doubts AS (
    INSERT INTO sms_facts (message_id, theirs, look_at)
    SELECT message_id, address, now() FROM swept WHERE channel = 'sms' AND state = 'uncertain'
    ON CONFLICT (message_id) DO UPDATE SET theirs = excluded.theirs, look_at = excluded.look_at
)
SELECT state FROM swept
"""

#: In the ranges $1, of cancelled campaigns: what nobody has begun to send → cancelled.
WITHDRAW: Final = """
WITH waiting AS MATERIALIZED (
    SELECT d.message_id
    FROM delivery_ranges AS r JOIN campaigns AS c ON c.id = r.campaign_id
      JOIN deliveries AS d ON d.message_id BETWEEN r.low AND r.high AND d.campaign_id = r.campaign_id
    WHERE r.low = ANY($1::bigint[]) AND c.state = 'cancelled' AND d.state IN ('queued', 'claimed', 'deferred')
    ORDER BY d.message_id FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE deliveries AS d
SET state = 'cancelled', reason = 'cancelled', worker = NULL, lease_until = NULL, not_before = NULL, settled_at = now()
FROM waiting WHERE d.message_id = waiting.message_id
"""

#: Looks into the ranges $1 and notes when each has to be looked at again; those with nothing left to do are deleted.
#: They are locked by an earlier statement of the transaction, so that this one sees all that happened before.
RECOUNT: Final = """
WITH facts AS MATERIALIZED (
    SELECT r.low, min(CASE WHEN d.state IN ('queued', 'deferred') THEN coalesce(d.not_before, now()) END) AS ready_at,
           min(CASE WHEN d.state IN ('claimed', 'sending') THEN d.lease_until END) AS lease_until
    FROM delivery_ranges AS r
      LEFT JOIN deliveries AS d ON d.message_id BETWEEN r.low AND r.high AND d.campaign_id = r.campaign_id
        AND d.state IN ('queued', 'deferred', 'claimed', 'sending')
    WHERE r.low = ANY($1::bigint[]) GROUP BY r.low
), gone AS (
    DELETE FROM delivery_ranges AS r USING facts AS f
    WHERE r.low = f.low AND f.ready_at IS NULL AND f.lease_until IS NULL
)
UPDATE delivery_ranges AS r SET ready_at = f.ready_at, lease_until = f.lease_until
FROM facts AS f WHERE r.low = f.low AND (f.ready_at IS NOT NULL OR f.lease_until IS NOT NULL)
"""

#: Reserves $2 places at $3 messages a second in campaign $1's pace; gives the seconds until the first of them.
#: Whoever comes late may catch up a quarter of a second.
RESERVE: Final = """
INSERT INTO campaign_paces AS p (campaign_id, next_at)
VALUES ($1, now() + make_interval(secs => $2::float8 / $3::float8))
ON CONFLICT (campaign_id) DO UPDATE
SET next_at = greatest(p.next_at, now() - interval '250 ms') + make_interval(secs => $2::float8 / $3::float8)
RETURNING extract(epoch FROM next_at - now())::float8 - $2::float8 / $3::float8
"""

#: Sliding windows of what is limited: $1 keys and $2 their lengths in seconds, sorted. The first makes those that are
#: missing, the second locks them and gives what was sent, and the time that all machines agree on; the third writes.
MAKE_WINDOWS: Final = """
INSERT INTO send_windows (key, seconds) SELECT key, seconds FROM unnest($1::text[], $2::int[]) AS w(key, seconds)
ON CONFLICT DO NOTHING
"""
LOCK_WINDOWS: Final = """
SELECT w.key, w.seconds, w.newest, w.counts, extract(epoch FROM clock_timestamp())::float8 AS now
FROM send_windows AS w JOIN unnest($1::text[], $2::int[]) AS asked(key, seconds) USING (key, seconds)
ORDER BY w.key, w.seconds FOR NO KEY UPDATE OF w
"""
WRITE_WINDOWS: Final = """
UPDATE send_windows AS w SET newest = n.newest, counts = string_to_array(n.counts, ',')::int[]
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) AS n(key, seconds, newest, counts)
WHERE w.key = n.key AND w.seconds = n.seconds
"""
#: Windows in which nothing counts any more.
FORGET_WINDOWS: Final = """
DELETE FROM send_windows WHERE (newest + 200) * seconds / 60 < extract(epoch FROM now())
"""
