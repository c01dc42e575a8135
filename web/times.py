"""Moments and lengths of time in the words of the reader's language and time zone. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, format_timedelta

from web.i18n import _, current_language, ngettext


def local(moment: datetime, zone: str) -> datetime:
    """The moment on the wall clock of a time zone (IANA name; UTC when it is unknown)."""
    try:
        return moment.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError):
        return moment.astimezone(ZoneInfo("UTC"))


def write_day(day: date, today: date) -> str:
    """ "today", "tomorrow", "yesterday", or the date, with the year only when it is another one."""
    distance = (day - today).days
    if distance == 0:
        return _("today")
    if distance == 1:
        return _("tomorrow")
    if distance == -1:
        return _("yesterday")
    if day.year == today.year:
        return format_date(day, "EEE d MMM", locale=current_language())
    return format_date(day, "d MMM yyyy", locale=current_language())


def write_moment(moment: datetime, now: datetime, zone: str) -> str:
    """A day and a time: "today, 16:30"."""
    here, today = local(moment, zone), local(now, zone).date()
    clock = format_time(here, "HH:mm", locale=current_language())
    return _("%(day)s, %(time)s") % {"day": write_day(here.date(), today), "time": clock}


def write_full_moment(moment: datetime, zone: str) -> str:
    """The day's name, the date and the time: "Sunday 22 November, 05:50"."""
    here = local(moment, zone)
    day = format_date(here.date(), "EEEE d MMMM", locale=current_language())
    return _("%(day)s, %(time)s") % {
        "day": day,
        "time": format_time(here, "HH:mm", locale=current_language()),
    }


def write_time(moment: datetime, zone: str) -> str:
    """The time of day: "16:30"."""
    return str(format_time(local(moment, zone), "HH:mm", locale=current_language()))


def write_length(length: timedelta) -> str:
    """A length of time in at most two units: "3 h 20 min", "2 days", "40 s"."""
    seconds = int(abs(length).total_seconds())
    if seconds < 60:
        return _("%(n)s s") % {"n": seconds}
    minutes = seconds // 60
    if minutes < 60:
        return _("%(n)s min") % {"n": minutes}
    if minutes < 24 * 60:
        hours, rest = divmod(minutes, 60)
        if rest == 0:
            return _("%(n)s h") % {"n": hours}
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}
    days = minutes // (24 * 60)
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": days}


def write_talk(seconds: int) -> str:
    """The length of a talk as phones show it: "0:07", "12:40", "1:02:03"."""
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def write_remaining(moment: datetime, now: datetime) -> str:
    """How long until a deadline, or since it passed: "3 h 20 min left", "25 min late"."""
    length = write_length(moment - now)
    if moment >= now:
        return _("%(length)s left") % {"length": length}
    return _("%(length)s late") % {"length": length}


def write_ago(moment: datetime, now: datetime) -> str:
    """How long ago: "just now", "5 minutes ago"."""
    past = now - moment
    if timedelta(seconds=-5) <= past < timedelta(seconds=45):
        return _("just now")
    return str(format_timedelta(-past, add_direction=True, locale=current_language(), threshold=1))
