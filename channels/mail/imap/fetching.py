"""Which mails are new, how large they are, and their bytes. Blocking; runs in the connection's thread.

Mails are asked for by UID in windows, so that neither a command nor an answer grows with the mailbox; their size is
known before their bytes are asked for; bytes come by BODY.PEEK, which leaves every flag alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

#: UIDs searched at first at a time; empty stretches are crossed in growing steps
_WINDOW: Final = 5_000
#: mails whose sizes are asked for at a time: some servers take lines of no more than 8,000 characters
_SIZES: Final = 500
#: a larger mail is fetched in pieces
PIECE: Final = 1 << 20
#: what is kept of a mail that is too large
BEGINNING: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail in the folder: its UID, its size as the server says, when the server got it."""

    uid: int
    size: int
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """New mails in the order of their UIDs; whatever is new up to `through`, which is one of them, is here."""

    entries: tuple[Entry, ...]
    through: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail's bytes; None with the server's words when it does not give them. `vanished`: it was deleted meanwhile."""

    entry: Entry
    raw: bytes | None
    words: str = ""
    vanished: bool = False
    cut: bool = False  #: larger than allowed: `raw` is only its beginning


def list_new(client: IMAPClient, after: int, end: int | None, since: date | None = None) -> Listing:
    """Some of the mails with a UID above `after`, up to `end` (None: whatever there is).

    Nothing is left when `through` has reached `end`, or is `after`: it never passes the last mail that is there, for
    some servers name a next UID that is too high. Raises IMAPClientError, OSError.
    """
    filters = ["SINCE", since] if since else []
    if end is None:
        uids = [uid for uid in client.search(["UID", f"{after + 1}:*", *filters]) if uid > after]
        return _with_sizes(client, sorted(uids), max(uids, default=after))
    start, width = after + 1, _WINDOW
    while start <= end:
        stop = min(end, start + width - 1)
        uids = [uid for uid in client.search(["UID", f"{start}:{stop}", *filters]) if uid > after]
        if uids:
            return _with_sizes(client, sorted(uids), max(uids))
        start, width = stop + 1, width * 8
    return Listing((), after)


def find_last(client: IMAPClient) -> int:
    """The highest UID in the folder; 0 when it is empty. Raises IMAPClientError, OSError."""
    return max(client.search(["UID", "*"]), default=0)


def count_new(client: IMAPClient, exists: int, after: int) -> int:
    """About how many mails have a UID above `after`: by their place in the folder, without listing them."""
    if not exists or not after:
        return exists
    low, high = 1, exists + 1  # the first sequence number above `after`, by bisection
    client.use_uid = False
    try:
        while low < high:
            middle = (low + high) // 2
            found = client.fetch([middle], ["UID"]).get(middle, {}).get(b"UID")
            if found is None or int(found) > after:
                high = middle
            else:
                low = middle + 1
    finally:
        client.use_uid = True
    return exists - low + 1


def plan_batches(entries: Sequence[Entry], most_bytes: int, most_mails: int) -> Iterator[list[Entry]]:
    """The entries in order, in groups of at most so many mails and bytes; a larger mail goes alone."""
    batch: list[Entry] = []
    total = 0
    for entry in entries:
        if batch and (total + entry.size > most_bytes or len(batch) >= most_mails):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += entry.size
    if batch:
        yield batch


def fetch_batch(client: IMAPClient, entries: Sequence[Entry], size_limit: int) -> list[Fetched]:
    """The mails' bytes, in the entries' order; of a mail above the limit only the beginning.

    One mail that the server cannot give does not keep the others from coming. Raises IMAPClientError when the
    connection is broken, OSError.
    """
    together = _fetch_together(
        client, [entry.uid for entry in entries if entry.size <= min(PIECE, size_limit)]
    )
    found = []
    for entry in entries:
        raw = together.pop(entry.uid, None)
        found.append(Fetched(entry, raw) if raw is not None else _fetch_alone(client, entry, size_limit))
    return found


def _fetch_together(client: IMAPClient, uids: Sequence[int]) -> dict[int, bytes]:
    if len(uids) < 2:
        return {}
    try:
        answer = client.fetch(uids, ["BODY.PEEK[]"])
    except IMAPClient.AbortError:
        raise
    except IMAPClientError:  # one of them cannot be given: each by itself will show which
        return {}
    return {uid: said[b"BODY[]"] for uid, said in answer.items() if said.get(b"BODY[]")}


def _fetch_alone(client: IMAPClient, entry: Entry, size_limit: int) -> Fetched:
    try:
        if entry.size > size_limit:
            return _beginning(entry, _fetch_piece(client, entry.uid, 0, BEGINNING))
        if entry.size <= PIECE:
            answer = client.fetch([entry.uid], ["BODY.PEEK[]"])
            raw = answer.get(entry.uid, {}).get(b"BODY[]")
        else:
            raw = _fetch_pieces(client, entry.uid, size_limit)
            if raw is not None and len(raw) > size_limit:  # larger than the server said
                return _beginning(entry, raw[:BEGINNING])
    except IMAPClient.AbortError:
        raise
    except IMAPClientError as error:
        return Fetched(entry, None, words=str(error)[:500])
    if raw is not None:
        return Fetched(entry, raw)
    if _exists(client, entry.uid):
        return Fetched(entry, None, words="the server lists the mail but gives no content")
    return Fetched(entry, None, vanished=True)


def _beginning(entry: Entry, raw: bytes | None) -> Fetched:
    return Fetched(entry, raw or b"", cut=True)


def _fetch_pieces(client: IMAPClient, uid: int, size_limit: int) -> bytes | None:
    """The whole mail, piece by piece; a little more than the limit when it is larger."""
    pieces = bytearray()
    while len(pieces) <= size_limit:
        piece = _fetch_piece(client, uid, len(pieces), PIECE)
        if piece is None:
            return None
        pieces += piece
        if len(piece) < PIECE:
            break
    return bytes(pieces)


def _fetch_piece(client: IMAPClient, uid: int, start: int, length: int) -> bytes | None:
    said = client.fetch([uid], [f"BODY.PEEK[]<{start}.{length}>"]).get(uid)
    if said is None:
        return None
    piece = said.get(f"BODY[]<{start}>".encode())
    return b"" if piece is None else bytes(piece)


def _exists(client: IMAPClient, uid: int) -> bool:
    return uid in client.search(["UID", str(uid)])


def _with_sizes(client: IMAPClient, uids: Sequence[int], through: int) -> Listing:
    """The first of these mails with their sizes; a mail that was deleted meanwhile is left out."""
    chunk = uids[:_SIZES]
    try:
        answer = client.fetch(chunk, ["RFC822.SIZE", "INTERNALDATE"])
    except IMAPClient.AbortError:
        raise
    except (IMAPClientError, ValueError):  # a date that nobody can read
        answer = client.fetch(chunk, ["RFC822.SIZE"])
    missing = [uid for uid in chunk if uid not in answer]
    # Deleted since the search, or left out by a server in trouble: then they are asked for one by one.
    there = set(client.search(["UID", ",".join(map(str, missing))])) if missing else set()
    entries = tuple(
        Entry(uid, _size(answer.get(uid, {})), _utc(answer.get(uid, {}).get(b"INTERNALDATE")))
        for uid in chunk
        if uid in answer or uid in there
    )
    return Listing(entries, chunk[-1] if len(uids) > len(chunk) else through)


def _size(said: Mapping[bytes, Any]) -> int:
    """A mail of unknown size is fetched in pieces."""
    size = said.get(b"RFC822.SIZE")
    return size if isinstance(size, int) else PIECE + 1


def _utc(moment: object) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC)
