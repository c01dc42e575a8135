"""The Date header (RFC 5322 section 3.3) and what stands there instead: two-digit years, asctime, ISO 8601, other
languages, named zones, wrong weekdays. The result is aware; without a zone it is taken as UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from channels.mail.reading.defects import Defect

_EARLIEST, _LATEST = 1900, 2099
_TIME = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:[.,]\d{1,9})?)?(?:\s?(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?P<zone>(?:[a-z]{1,5}|utc|gmt)?\s?[+-]\s?\d{1,2}:?\d{0,2}|[a-z]{1,5})"
_WEEKDAY = r"(?:[^\W\d]{2,12}+[.,]{0,2}\s?)?,?\s?"
_AT = r"(?:(?:at|à|um|a las|alle|om|às|o|kl)\.?\s)?"
_MONTH = r"(?P<month>[^\W\d]{3,12})\.?"
_FORMS = tuple(
    re.compile(form, re.VERBOSE)
    for form in (
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]?(?:de\s)?{_MONTH},?[\s-]?(?:de\s)?(?P<year>\d{{2,4}})"
        rf"(?:,?\s?{_AT}{_TIME})?(?:\s?{_ZONE})?",
        rf"{_WEEKDAY}{_MONTH}\s?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?:{_TIME}\s(?:{_ZONE}\s)?)(?P<year>\d{{4}})"
        r"(?:\s(?P<later>[+-]\d{4}|[a-z]{1,5}))?",
        rf"{_WEEKDAY}{_MONTH}\s?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<year>\d{{4}})(?:,?\s{_AT}{_TIME})?(?:\s?{_ZONE})?",
        rf"{_WEEKDAY}(?P<year>\d{{4}})[-/.](?P<number>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:[t\s]\s?{_AT}{_TIME})?(?:\s?{_ZONE})?",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})\.\s?(?P<number>\d{{1,2}})\.\s?(?P<year>\d{{2,4}}),?(?:\s{_AT}{_TIME})?(?:\s?{_ZONE})?",
        rf"{_WEEKDAY}(?P<one>\d{{1,2}})[/-](?P<two>\d{{1,2}})[/-](?P<year>\d{{4}}),?(?:\s{_AT}{_TIME})?(?:\s?{_ZONE})?",
    )
)
_RFC = re.compile(
    r"(?:[A-Za-z]{3},\s)?(\d{1,2})\s([A-Z][a-z]{2})\s(\d{4})\s(\d\d):(\d\d):(\d\d)\s([+-])(\d\d)(\d\d)(?:\s\([^()]{1,20}\))?"
)
_MONTHS = {
    month: number
    for number, names in enumerate(
        (
            "jan januar january janvier janv enero ene gennaio gen januari janeiro stycznia sty",
            "feb februar february février févr fév fevrier fevr febrero febbraio februari fevereiro fev lutego lut",
            "mar mär mrz märz maerz march mars marzo maart mrt março marco marca",
            "apr april avril avr abril abr aprile kwietnia kwi",
            "may mai mayo maggio mag mei maio maja maj",
            "jun juni june juin junio giugno giu junho czerwca cze",
            "jul juli july juillet juil julio luglio lug julho lipca lip",
            "aug august août aout aoû agosto ago augustus augusti sierpnia sie",
            "sep sept september septembre septiembre settembre set setembro września wrz",
            "oct okt oktober october octobre octubre ottobre ott outubro out października paź",
            "nov november novembre noviembre novembro listopada lis",
            "dec dez dezember december décembre déc decembre diciembre dic dicembre dezembro grudnia gru",
        ),
        start=1,
    )
    for month in names.split()
}
_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10, "ast": -4, "adt": -3, "bst": 1, "west": 1, "cet": 1,
    "met": 1, "mez": 1, "cest": 2, "mest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "sast": 2, "jst": 9, "kst": 9,
    "hkt": 8, "sgt": 8, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "brt": -3,
}  # fmt: skip
_OFFSET = re.compile(r"([+-])\s?(\d{1,2}):?(\d{2})?$")
_LEFT_OVER = re.compile(r"\d:\d|(?<=[ :\d])[\d:]")
_SPACED_COLON = re.compile(r" ?: ?")
_COMMENT = re.compile(r"\([^()]*+\)?")


def read_date(value: str, defects: set[str]) -> datetime | None:
    """The moment a Date header names; None, with a defect, when it names none or an absurd one."""
    fast = _RFC.fullmatch(value)
    if fast and (month := _MONTHS.get(fast[2].lower())):
        day, year, hour, minute, second = (int(fast[n]) for n in (1, 3, 4, 5, 6))
        sign = -1 if fast[7] == "-" else 1
        moment = _moment(year, month, day, hour, minute, second, sign * (int(fast[8]) * 60 + int(fast[9])))
    else:
        moment = _read_other(value)
    if moment is None:
        defects.add(Defect.BAD_DATE)
    return moment


def _read_other(value: str) -> datetime | None:
    text = " ".join(_COMMENT.sub(" ", value[:200]).lower().replace('"', " ").split())
    text = _SPACED_COLON.sub(":", text)
    if re.fullmatch(r"\d{9,10}", text):
        return _moment(1970, 1, 1, 0, 0, 0, 0, since=int(text))
    for form in _FORMS:
        # Words after the date (a zone's long name, a second zone) say nothing that is needed.
        if match := form.match(text):
            if _LEFT_OVER.search(text, match.end()):
                continue  # half of a time is left over, say
            return _from_match(match.groupdict())
    return None


def _from_match(found: dict[str, str | None]) -> datetime | None:
    month = _month(found)
    year, day = int(found["year"] or 0), int(found.get("day") or 0)
    if found.get("one"):  # 13/2/2020 has one reading only; 1/2/2020 has two
        one, two = int(found["one"] or 0), int(found["two"] or 0)
        if one == two or two > 12:
            month, day = one, two
        elif one > 12:
            month, day = two, one
        else:
            return None
    if year < 100:
        year += 2000 if year < 70 else 1900
    elif year < 1000:  # years since 1900, as some programs count (RFC 5322 section 4.3)
        year += 1900
    hour = int(found.get("hour") or 0)
    if found.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] == "p" else 0)
    offset = _offset(found.get("zone") or found.get("later") or "")
    return _moment(
        year, month, day, hour, int(found.get("minute") or 0), int(found.get("second") or 0), offset
    )


def _month(found: dict[str, str | None]) -> int:
    if found.get("number"):
        return int(found["number"] or 0)
    name = found.get("month") or ""
    return _MONTHS.get(name) or _MONTHS.get(name[:3], 0)


def _offset(zone: str) -> int:
    """Minutes east of Greenwich; unknown names count as UTC."""
    if match := _OFFSET.search(zone):
        digits = match[2] + (match[3] or "")
        hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
        return (hours * 60 + minutes) * (-1 if match[1] == "-" else 1)
    return _ZONES.get(zone.strip(), 0) * 60


def _moment(
    year: int, month: int, day: int, hour: int, minute: int, second: int, offset: int, *, since: int = 0
) -> datetime | None:
    if abs(offset) >= 24 * 60:
        offset = 0
    try:
        moment = datetime(
            year, month, day, hour, minute, min(second, 59) if second == 60 else second,
            tzinfo=timezone(timedelta(minutes=offset)) if offset else UTC,
        )  # fmt: skip
    except ValueError:
        return None
    moment += timedelta(seconds=since)
    return moment if _EARLIEST <= moment.year <= _LATEST else None
