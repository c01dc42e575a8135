"""A request to the interface, once it is known who asks: its fields read with the provider's rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from channels.sandbox.carrier.parts import Parts
from channels.sandbox.carrier.records import Account
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import Shape

Record = TypeVar("Record")
PAGE_SIZE = 50
PAGE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, by whom, about which account."""

    parts: Parts
    request: web.Request
    account: Account
    form: MultiMapping[str]

    def field(self, name: str, default: str = "") -> str:
        """A field of the form; `default` when it is not there."""
        return self.form.get(name, default)

    def fields(self, name: str) -> list[str]:
        """A field that may be given several times."""
        return list(self.form.getall(name, []))

    def number(self, name: str, default: float) -> float:
        """A field that is a number. Raises Refusal."""
        value = self.form.get(name)
        try:
            return default if value is None else float(value)
        except ValueError as error:
            raise Refusal(20001) from error

    def flag(self, name: str) -> bool:
        """A field that is true or false."""
        return self.field(name).lower() == "true"

    def method(self, name: str, default: str = "POST") -> str:
        """A field that is GET or POST. Raises Refusal."""
        value = self.field(name, default).upper()
        if value not in ("GET", "POST"):
            raise Refusal(20001)
        return value

    def path(self, name: str) -> str:
        """A part of the address."""
        return self.request.match_info[name]

    def find(self, records: dict[str, Record], sid: str) -> Record:
        """A record of this account. Raises Refusal: 20404."""
        record = records.get(sid)
        if record is None or getattr(record, "account_sid", self.account.sid) != self.account.sid:
            raise Refusal(20404, self.request.path)
        return record

    def own(self, records: dict[str, Record]) -> list[Record]:
        """The account's records, the newest first."""
        sid = self.account.sid
        return [record for record in reversed(records.values()) if getattr(record, "account_sid", "") == sid]

    def within(self, name: str, moment: datetime | None) -> bool:
        """Whether a moment lies where `name`, `name<` and `name>` of the query want it. Raises Refusal."""
        query = self.request.query
        for sign in ("", "<", ">"):
            wanted = query.get(name + sign)
            if wanted is None:
                continue
            if moment is None:
                return False
            begin, end = _read_span(wanted)
            if (sign != "<" and moment < begin) or (sign != ">" and moment >= end):
                return False
        return True


Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


def answer(shape: Shape, status: int = 200) -> web.Response:
    """A record as the answer."""
    return web.json_response(shape, status=status)


def answer_page(
    asked: Asked, name: str, records: Sequence[Record], show: Callable[[Record], Shape]
) -> web.Response:
    """One page of a list, with the way to the next. Raises Refusal."""
    query = asked.request.query
    try:
        size = min(PAGE_LIMIT, max(1, int(query.get("PageSize", PAGE_SIZE))))
        page = max(0, int(query.get("Page", 0)))
    except ValueError as error:
        raise Refusal(20001) from error
    start = page * size
    after = query.get("PageToken", "")[2:]
    if after:  # the list may have grown at its beginning meanwhile
        sids = [_sid_of(record) for record in records]
        start = sids.index(after) + 1 if after in sids else start
    chosen = records[start : start + size]

    def uri(number: int, token: str = "") -> str:
        kept = [(key, value) for key, value in query.items() if key not in ("Page", "PageSize", "PageToken")]
        more = [
            ("PageSize", str(size)),
            ("Page", str(number)),
            *([("PageToken", "PA" + token)] if token else []),
        ]
        return f"{asked.request.path}?{urlencode([*kept, *more])}"

    more_follows = start + size < len(records)
    shape: Shape = {
        name: [show(record) for record in chosen],
        "page": page,
        "page_size": size,
        "start": start,
        "end": start + max(0, len(chosen) - 1),
        "uri": uri(page),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(page - 1) if page else None,
        "next_page_uri": uri(page + 1, _sid_of(chosen[-1])) if more_follows else None,
    }
    return answer(shape)


def _sid_of(record: object) -> str:
    return str(getattr(record, "sid", "") or getattr(record, "call_sid", "") or record)


def _read_span(text: str) -> tuple[datetime, datetime]:
    """A day, or a second, as a span."""
    try:
        if len(text) == 10:
            begin = datetime.combine(date.fromisoformat(text), time(), UTC)
            return begin, begin + timedelta(days=1)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(20001) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=0), moment.replace(microsecond=0) + timedelta(seconds=1)
