"""How long composing one newsletter takes: the compiled plan against jinja2 and the standard library's EmailMessage.

5 KB multipart mail, ten measured links, a pixel, three personal fields; microseconds per recipient, median of
several rounds.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from jinja2 import Template

from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.environment import View, environment
from templates.source import MailTemplate

BASE = "https://news.example.org"
NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
WORDS = "A plain sentence about how seeds are sorted, dried and kept until the next spring comes round. "


def newsletter() -> MailTemplate:
    """A mail of about 5 KB with ten links and three personal fields."""
    links = "".join(
        f'<p style="margin:0 0 12px">{WORDS}{WORDS}<a href="https://www.example.org/read/{n}?a=1&amp;b=2">Read</a></p>\n'
        for n in range(10)
    )
    return MailTemplate(
        subject="News for {{ contact.given_name|default('you') }}",
        from_name="Sunflower Seeds",
        from_address="news@example.org",
        html="<!doctype html><html><body><h1>Dear {{ contact.given_name|default('reader') }} {{ contact.family_name }},"
        f"</h1>\n<p>what is new in {{{{ contact.country }}}}:</p>\n{links}"
        '<p><a href="{{ links.unsubscribe }}">Unsubscribe</a></p></body></html>\n',
        text="Dear {{ contact.given_name|default('reader') }} {{ contact.family_name }},\n\nwhat is new in "
        "{{ contact.country }}: https://www.example.org/read/0?a=1&b=2\n\nUnsubscribe: {{ links.unsubscribe }}\n",
    )


def recipients(count: int) -> list[Recipient]:
    """Believable recipients, one name in four not ASCII."""
    names = [("Claire", "Moreau"), ("Zoé", "Lefèvre"), ("James", "Carter"), ("Anna", "Schmidt")]
    people = []
    for number in range(count):
        given, family = names[number % 4]
        contact = {
            "given_name": given,
            "family_name": family,
            "name": f"{given} {family}",
            "country": "FR",
            "fields": {},
        }
        token = f"AbCdEfGhIjKlMnOpQrStUvWxYz0123456789{number:06d}"
        address, mail = f"person.{number}@example.net", f"m.{number}.1@example.org"
        people.append(Recipient(address, contact, mail, "u" + token, "m" + token, "m" + token))
    return people


def _plan(people: Sequence[Recipient]) -> Callable[[], object]:
    plan = compile_plan(newsletter(), CampaignContext("Spring", BASE))
    return lambda: deque((plan.compose(person, NOW) for person in people), maxlen=0)


def _email(people: Sequence[Recipient]) -> Callable[[], object]:
    source = newsletter()
    subject, text = (
        environment(html=False).from_string(part) for part in (source.subject, source.full_text())
    )
    html = environment(html=True).from_string(source.html)
    return lambda: [_message(source, (subject, text, html), person) for person in people]


def _message(source: MailTemplate, parts: tuple[Template, Template, Template], person: Recipient) -> bytes:
    context = {
        "contact": View("contact", person.contact),
        "links": View("links", {"unsubscribe": f"{BASE}/u/{person.unsubscribe_token}"}),
    }
    subject, text, html = (part.render(context) for part in parts)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(source.from_name, addr_spec=source.from_address)
    message["To"] = Address(person.contact["name"], addr_spec=person.address)
    message["Subject"] = subject
    message["Date"] = format_datetime(NOW)
    message["Message-ID"] = f"<{person.message_id}>"
    message["List-Unsubscribe"] = f"<{BASE}/u/{person.unsubscribe_token}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text, cte="quoted-printable")
    for number in range(10):
        old = f"https://www.example.org/read/{number}?a=1&amp;b=2"
        html = html.replace(old, f"{BASE}/c/{person.link_token}.{number + 1}")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _median(run: Callable[[], object], count: int, rounds: int) -> float:
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) / count * 1e6)
    return statistics.median(times)


def run(rounds: int = 5) -> list[dict[str, str | float]]:
    """Measure both, in µs per recipient; `ratio` tells how many times faster the plan is."""
    ours = _median(_plan(recipients(5_000)), 5_000, rounds)
    yardstick = _median(_email(recipients(100)), 100, rounds)
    return [
        {
            "name": "compose: compiled plan / jinja2 and EmailMessage",
            "ours": round(ours, 2),
            "yardstick": round(yardstick, 1),
            "unit": "µs per recipient, less is better",
            "ratio": round(yardstick / ours, 1),
        }
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
