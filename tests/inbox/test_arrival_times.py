"""When a mail from a file once arrived."""

from __future__ import annotations

import pytest

from inbox.arrival.times import when_received

RECEIVED = b"Received: from a by b (x; y)\r\n\tfor <c@d>; Tue, 4 Feb 2020 10:00:00 +0100\r\n"
EARLIER = b"Received: from z by a; Mon, 3 Feb 2020 09:00:00 +0000\r\n"
DATE = b"Date: Sun, 2 Feb 2020 08:00:00 +0000\r\n"
LINE = "From a@b Wed Feb  5 11:00:00 2020"


@pytest.mark.parametrize(
    ("raw", "from_line", "name", "moment"),
    [
        (RECEIVED + EARLIER + DATE + b"\r\nbody", LINE, "1580900000.x", "2020-02-04T10:00:00+01:00"),
        (DATE + b"\r\n" + RECEIVED, LINE, "", "2020-02-05T11:00:00+00:00"),
        (DATE, "From - ", "1580900000.M1P2.host:2,S", "2020-02-05T10:53:20+00:00"),
        (DATE, "", "letter.eml", "2020-02-02T08:00:00+00:00"),
        (b"Received: nonsense\n" + DATE, "", "", "2020-02-02T08:00:00+00:00"),
        (b"Date: Sun, 2 Feb 2094 08:00:00 +0000\n\n", "", "", None),
        (b"Date: Thu, 1 Jan 1970 00:00:00 +0000\n\n", "From x Thu Jan  1 00:00:00 1970", "", None),
        (b"\xff\x00" * 1000, "From \x00", "\x00", None),
    ],
)
def test_the_best_trace_tells(raw: bytes, from_line: str, name: str, moment: str | None) -> None:
    found = when_received(raw, from_line, name)
    assert (found and found.isoformat()) == moment


def test_hostile_headers_take_no_time() -> None:
    assert when_received(b"Received:" + b" \n\t" * 20_000 + b"\n" + b"Received:\n" * 5000) is None
    assert when_received(b"Date: " + b"(" * 60_000) is None
