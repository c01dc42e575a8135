"""Templates of the console: jinja2 with autoescape, gettext in the reader's language, and the words for values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import phonenumbers
from babel import Locale
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

from channels.mail.subjects import bare_subject
from domain.errors import ClytieError
from web.access.people import Person
from web.console.event_words import describe_reason
from web.console.navigation import entries_for
from web.i18n import LANGUAGES, N_, _, current_language, ngettext
from web.mails.file_names import file_name, file_url
from web.sentences import translate_error, translate_sentence
from web.static_files import static_url
from web.times import (
    local,
    write_ago,
    write_day,
    write_full_moment,
    write_moment,
    write_remaining,
    write_talk,
    write_time,
)
from web.words import WORDS, label

#: {{ contact.given_name|default('…') }}: shown to marketers as [given name]
_EXPRESSION: Final = re.compile(r"\{\{-?\s*(?:\w+\.)*(\w+)[^}]*\}\}")
FOLDER: Final = Path(__file__).parents[2] / "templates" / "console"


class ConsoleEnvironment(Environment):
    """Unknown names are errors; a key that a stored mapping (an outcome, a template's source) lacks is None."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The attribute, or the key of a mapping."""
        found = super().getattr(obj, attribute)
        return None if isinstance(found, Undefined) and isinstance(obj, Mapping) else found


def write_phone(number: str | None) -> str:
    """A phone number in groups, with the country's code; as it is when it is none."""
    if number and "@" in number:  # an address stands where numbers do, too
        return number
    try:
        return phonenumbers.format_number(
            phonenumbers.parse(number or ""), phonenumbers.PhoneNumberFormat.INTERNATIONAL
        )
    except phonenumbers.NumberParseException:
        return number or ""


def write_origin(source: str) -> str:
    """Who or what put an address on the do-not-contact list."""
    kind, _colon, name = source.partition(": ")
    if kind == "console" and name:
        return _("added by %(name)s") % {"name": name}
    known = {"bounce": N_("by a report of a failed delivery"), "complaint": N_("by a complaint")}
    return _(known[source]) if source in known else source


def write_size(size: int) -> str:
    """A file's size in the unit that makes it readable: "312 KB"."""
    if size < 1_000_000:
        return _("%(n)s KB") % {"n": format_decimal(max(1, round(size / 1000)), locale=current_language())}
    return _("%(n)s MB") % {"n": format_decimal(round(size / 1_000_000, 1), locale=current_language())}


def write_cost(price: Decimal | None, currency: str | None) -> str:
    """What something cost us; providers write what we pay as a negative amount. Empty while it is not known."""
    if price is None:
        return ""
    paid = -price if price < 0 else price
    if not currency:
        return format_decimal(paid, format="#,##0.00##", locale=current_language())
    pattern = str(current_locale().currency_formats["standard"].pattern)
    if paid < 1:  # a part costs some hundredths of a cent more or less
        pattern = pattern.replace("0.00", "0.00##")
    return format_currency(paid, currency, format=pattern, locale=current_language(), currency_digits=False)


def write_title(conversation: Mapping[str, Any]) -> str:
    """What a conversation is called: its subject, or with whom it is, where it began by phone."""
    if conversation["subject"] and conversation["channel"] == "voice":  # the name of the line that was called
        return _("Call to %(line)s") % {"line": conversation["subject"]}
    if conversation["subject"]:
        return str(conversation["subject"])
    name = write_phone(conversation["contact_name"]) or write_phone(conversation["from_address"])
    words = {"sms": N_("SMS with %(name)s"), "voice": N_("Call with %(name)s")}.get(conversation["channel"])
    if words is None:
        return _("(no subject)")
    return _(words) % {"name": name} if name else _("SMS") if conversation["channel"] == "sms" else _("Call")


def current_locale() -> Locale:
    """What Babel knows about the reader's language."""
    return Locale.parse(current_language())


@cache
def environment() -> Environment:
    """The environment of all pages."""
    env = ConsoleEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    env.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.policies.update({"urlize.target": "_blank", "urlize.rel": "noopener noreferrer nofollow"})
    env.globals.update(
        static=static_url,
        label=label,
        country=lambda code: current_locale().territories.get(code, code) if code else "",
        tongue=lambda code: current_locale().languages.get(code, code) if code else "",
        labels=lambda kind, values: [label(kind, value) for value in values],
        labelled=lambda kind, values: [(value, label(kind, value)) for value in values],
        reason=describe_reason,
        phone=write_phone,
        file_name=file_name,
        file_url=file_url,
        subject=lambda text: _EXPRESSION.sub(lambda found: f"[{found[1].replace('_', ' ')}]", text or ""),
        sentence=translate_sentence,
        error_text=lambda error: translate_error(error) if isinstance(error, ClytieError) else str(error),
        why_suppressed=lambda reason: label(
            "suppression" if reason in WORDS["suppression"] else "delivery_reason", reason
        ),
        origin=write_origin,
        size=write_size,
        talk=write_talk,
        cost=write_cost,
        title_of=write_title,
        bare=lambda subject: bare_subject(subject or "").lower(),
        count=lambda number: format_decimal(number, locale=current_language()),
        percent=lambda part, whole: (
            format_percent(
                part / whole,
                "#,##0.# %" if current_language() == "fr" else "#,##0.#%",
                locale=current_language(),
            )
            if whole
            else "–"
        ),
        LANGUAGES=LANGUAGES,
    )
    return env


def render(
    template: str, *, person: Person | None, now: datetime, path: str, demo: bool, values: Mapping[str, Any]
) -> str:
    """The page as text. `now` is business time; moments are written in the person's time zone."""
    zone = person.timezone if person else "UTC"
    return (
        environment()
        .get_template(template)
        .render(
            {
                "person": person,
                "language": current_language(),
                "path": path,
                "navigation": entries_for(person, demo) if person else (),
                "demo": demo,
                "now": now,
                "moment": lambda at: write_moment(at, now, zone),
                "day": lambda at: write_day(local(at, zone).date(), local(now, zone).date()),
                "date": lambda at: write_day(at, local(now, zone).date()),
                "full_moment": lambda at: write_full_moment(at, zone),
                "clock_time": lambda at: write_time(at, zone),
                "remaining": lambda at: write_remaining(at, now),
                "ago": lambda at: write_ago(at, now),
                "iso": lambda at: at.isoformat(),
                **values,
            }
        )
    )
