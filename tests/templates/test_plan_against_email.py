"""The promise of the plan: its bytes parse back to what plain jinja2 and EmailMessage give."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import escape

from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.encoding import flat
from templates.source import MailTemplate
from tests.templates.wire import display_name, parsed, part, read, received

BASE = "https://n.example.org"
NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
PIXEL = re.compile(r'<img src="https://n\.example\.org/o/ptok\.gif"[^>]*>')
SENDER = {"name": "Graines & Cie", "city": "Évry"}

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)
odd = st.sampled_from(
    ["", ".", "..", ".\n.", "From me", "a\r\nb", "a\rb", "\n", " ", "é" * 80, "x" * 1200, "🌻" * 30, "=?utf-8?q?x?=",
     'O"Neil\\ <b>', "Bcc: a@b.example\r\n\r\nboo", "--=_", " trailing ", "\t", "=2E", "a=\nb", "日本語" * 40]
)  # fmt: skip
values = texts | odd | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@dataclass
class Draft:
    """A template under construction: as written, and as it reads once links are measured."""

    written: str = ""
    measured: str = ""
    html: bool = True
    links: list[str] = field(default_factory=list)

    def add(self, written: str, measured: str | None = None) -> None:
        self.written += written
        self.measured += written if measured is None else measured

    def link(self) -> None:
        url = f"https://shop.example.com/{len(self.links)}?a=1&b=2"
        self.links.append(url)
        before, after = ('<a href="', '">go</a>') if self.html else ("<", "> ")
        written = str(escape(url)) if self.html else url
        self.add(before + written + after, f"{before}{BASE}/c/ltok.{len(self.links)}{after}")


prints = st.sampled_from(
    [
        "{{ contact.given_name|default('dear') }}",
        "{{ contact.family_name|default('é & <b>') }}",
        "{{ contact.fields.note|default('.') }}",
        "{{ contact.fields.note|default('none')|upper|replace('A', '<')|trim }}",
        "{{ (contact.country|default('?')) ~ '&' ~ sender.city }}",
        "{{ 'Mr' if contact.country == 'FR' else 'x & y' }}",
        "{{ contact.fields.count + 1 }}",
        "{{ sender.name }} {{ sender.city|upper }}",
        "{{ links.unsubscribe }}",
        "{{ contact.given_name|default('x')|truncate(5) }}",
    ]
)
literal = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="{}%#<>&"), max_size=60
) | st.sampled_from(["\n", ".\n", "\n.", "\n..", " \n", "x" * 300, "é" * 100, "From x\n", "\n\n", "=", "  "])


@st.composite
def drafts(draw: st.DrawFn, html: bool, depth: int = 2) -> Draft:
    draft = Draft(html=html)
    _fill(draw, draft, depth)
    return draft


def _fill(draw: st.DrawFn, draft: Draft, depth: int) -> None:
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(
            st.sampled_from(
                ["literal", "print", "link", "if", "elif", "for", "static", "set", "setif", "macro"]
            )
        )
        if depth == 0 and kind not in ("literal", "link"):
            kind = "print"
        if kind == "literal":
            draft.add(draw(literal))
        elif kind == "print":
            draft.add(draw(prints))
        elif kind == "link":
            draft.link()
        elif kind == "if":
            draft.add(draw(st.sampled_from(["{% if contact.country == 'FR' %}", "{% if contact.given_name %}",
                                            "{% if not contact.fields.note is defined %}",
                                            "{% if 'x' in contact.family_name|default('') or contact.fields.count > 2 %}"])))  # fmt: skip
            _fill(draw, draft, depth - 1)
            draft.add("{% else %}")
            _fill(draw, draft, depth - 1)
            draft.add("{% endif %}")
        elif kind == "elif":
            draft.add("{% if sender.city == 'Paris' %}P{% elif contact.country == 'DE' %}")
            _fill(draw, draft, depth - 1)
            draft.add("{% elif sender.name %}")
            _fill(draw, draft, depth - 1)
            draft.add("{% endif %}")
        elif kind == "for":
            draft.add("{% for one in contact.fields.tags %}{{ loop.index }}{{ one }}")
            _fill(draw, draft, depth - 1)
            draft.add("{% endfor %}")
        elif kind == "static":
            draft.add("{% for one in ['é', '<', 3] %}{{ one }}.\n{% endfor %}")
        elif kind == "set":
            draft.add("{% set greeting = 'Hi ' ~ contact.given_name|default('you') %}{{ greeting }}")
        elif kind == "setif":
            draft.add(
                "{% set mood = 1 %}{% if contact.country == 'FR' %}{% set mood = 2 %}{% endif %}{{ mood }}"
            )
        else:
            draft.add(
                "{% macro card(x) %}<b>{{ x }}{{ contact.country|default('') }}</b>{% endmacro %}{{ card('é') }}"
            )


people = st.fixed_dictionaries(
    {
        "given_name": values,
        "family_name": values,
        "name": values,
        "country": st.sampled_from(["FR", "DE", "", None]),
        "fields": st.fixed_dictionaries(
            {
                "note": values,
                "count": st.integers(-3, 9),
                "tags": st.lists(values.filter(str.strip), max_size=3),
            }
        ),
    }
)


def _clean(value: Any) -> Any:
    """What the plan takes as not filled in is not there; line ends are \\n."""
    if isinstance(value, dict):
        return {
            k: _clean(v) for k, v in value.items() if v is not None and (not isinstance(v, str) or v.strip())
        }
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return re.sub(r"\r\n?", "\n", value) if isinstance(value, str) else value


def _render(source: str, contact: dict[str, Any], *, html: bool) -> str:
    plain = Environment(autoescape=html, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True)
    return plain.from_string(source).render(
        contact=_clean(contact),
        sender=SENDER,
        campaign={"name": "c"},
        links={"unsubscribe": f"{BASE}/u/utok"},
    )


def _expected(contact: dict[str, Any], subject: str, text: str, html: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Zoé & Cie", addr_spec="news@example.org")
    message["To"] = Address(flat(contact["name"]), addr_spec="someone@example.net")
    message["Subject"] = flat(_render(subject, contact, html=False))
    message.set_content(_render(text, contact, html=False), cte="quoted-printable")
    message.add_alternative(_render(html, contact, html=True), subtype="html", cte="quoted-printable")
    return message


SUBJECTS = st.sampled_from(
    ["Plain", "Ça bouge, {{ contact.given_name|default('vous') }} !", "{{ contact.family_name|default('News') }}",
     "{% if contact.country == 'FR' %}Bonjour{% else %}Hello{% endif %} {{ contact.fields.note|default('') }}.",
     "A very long subject about {{ contact.given_name|default('you') }} and all the seeds that can be sown in the spring"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    subject=SUBJECTS, html=drafts(html=True), text=drafts(html=False), contact=people, measured=st.booleans()
)
@example(
    subject="Plain",
    html=Draft("a", "a"),
    text=Draft("x", "x"),
    contact={"name": "x" * 1500, "fields": {}},
    measured=False,
)
def test_the_bytes_of_a_plan_parse_back_to_what_jinja2_and_email_message_give(
    subject: str, html: Draft, text: Draft, contact: dict[str, Any], measured: bool
) -> None:
    body = f"<html><body>{html.written}</body></html>"
    source = MailTemplate(
        subject=subject,
        from_name="Zoé & Cie",
        from_address="news@example.org",
        html=body,
        text=text.written + ".",
    )
    plan = compile_plan(source, CampaignContext("c", BASE, SENDER))
    token = ("ptok", "ltok") if measured else (None, None)
    content = plan.compose(
        Recipient("someone@example.net", contact, "m.1@example.org", "utok", *token), NOW
    ).content

    head, _, bodies = content.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, bodies.split(b"\r\n"))) <= 76
    got = parsed(content)
    reference_text = text.written
    if measured:
        body = f"<html><body>{html.measured}</body></html>"
        reference_text = _measured_text(text, html)
    expected = read(_expected(contact, subject, reference_text + ".", body).as_bytes())
    assert not got.defects
    got_html = part(got, "html")
    if measured:
        assert len(PIXEL.findall(got_html)) == 1
        got_html = PIXEL.sub("", got_html)
    assert got_html == part(expected, "html")
    assert part(got, "plain") == part(expected, "plain")
    assert str(got["Subject"]) == flat(_render(subject, contact, html=False))
    assert display_name(content, "To") == flat(contact["name"])
    assert got["To"].addresses[0].addr_spec == "someone@example.net"
    assert got["From"] == expected["From"]
    assert [name for name, _ in got.items()].count("Bcc") == 0
    assert plan.refusals(contact) == ()


def _measured_text(text: Draft, html: Draft) -> str:
    """Links of the text that the HTML has too share its numbers; others are numbered after them."""
    known = list(html.links)
    source = text.written
    for url in text.links:
        if url not in known:
            known.append(url)
    for number, url in enumerate(known, 1):
        source = source.replace(f"<{url}>", f"<{BASE}/c/ltok.{number}>")
    return source


def test_no_line_of_a_mail_starts_with_a_dot_before_the_last() -> None:
    source = MailTemplate(
        subject="x", from_address="a@example.org", html=".{{ contact.name }}\n.", text="{{ contact.name }}."
    )
    plan = compile_plan(source, CampaignContext("c", BASE))
    for name in (".", "..x", ".\n.\n", "é."):
        content = plan.compose(Recipient("b@example.org", {"name": name}, "m@e.org", "u"), NOW).content
        assert not [line for line in content[:-3].split(b"\r\n") if line.startswith(b".")]
        assert received(content) == content[:-3]
