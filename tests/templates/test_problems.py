"""A template that cannot be sent is refused before anything is: by part, line and remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from domain.errors import InvalidInput
from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.environment import MissingField, TemplateProblem
from templates.plan import Plan
from templates.source import MailTemplate

CAMPAIGN = CampaignContext("c", "https://n.example.org", {"name": "Seeds"}, fields={"size"}, assets={"b.pdf"})
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def plan_of(html: str, **more: Any) -> Plan:
    return compile_plan(
        MailTemplate(**({"subject": "x", "from_address": "a@example.org", "html": html} | more)), CAMPAIGN
    )


@pytest.mark.parametrize(
    ("html", "line", "said"),
    [
        (
            "a\n{{ contact.frist_name }}",
            2,
            "no variable contact.frist_name. Did you mean contact.family_name?",
        ),
        ("{{ contact.given_name }}\n\n{{ person }}", 3, "no variable person. There are: asset, campaign"),
        (
            "{{ contact.fields.sise }}",
            1,
            "no variable contact.fields.sise. Did you mean contact.fields.size?",
        ),
        ("{{ sender.phone }}", 1, "no variable sender.phone. Did you mean sender.name?"),
        ("{{ links.prefs }}", 1, "no variable links.prefs. There are: links.unsubscribe"),
        ("\n\n{% if contact.name %}", 3, "Unexpected end of template"),
        ("{{ contact.name|uper }}", 1, "no filter uper. Did you mean upper?"),
        ("{% if contact.name is nice %}{% endif %}", 1, "no test nice"),
        ("{% include 'other' %}", 1, "one piece"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{{ sender.name.__class__ }}", 1, "unsafe"),
        ("{{ 'x' * 1000000 }}", 1, "too long"),
        ("{{ 10 ** 100000 }}", 1, "too large"),
        ("{{ '%1000000d' % 1 }}", 1, "does not format"),
        ("{% for n in range(100000) %}{% endfor %}", 1, "limited to 1000"),
        ("{{ sender }}", 1, "sender cannot be printed as a whole"),
        ("{% set contact = 1 %}", 1, "contact is given"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 1, "without end"),
        ("{{ " + "(" * 400 + "1" + ")" * 400 + " }}", 1, "nested too deeply"),
        ("{{ " + "1+" * 3000 + "1 }}", 1, "nested too deeply"),
        ("<a href=\"{{ asset('c.pdf') }}\">", 1, "no file c.pdf to download. There are: b.pdf"),
        ("\n{% for x in contact.fields.size %}{{ asset('c.pdf') }}{% endfor %}", 2, "no file c.pdf"),
        ("{{ asset(contact.name) }}", 1, "one file"),
        ("{{ asset('../b.pdf') }}", 1, "no file ../b.pdf"),
    ],
)
def test_a_wrong_template_is_refused_with_its_line_and_a_remedy(html: str, line: int, said: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        plan_of(html)
    assert caught.value.part == "html"
    assert caught.value.line == line
    assert said in str(caught.value)


@pytest.mark.parametrize("part", ["subject", "preheader", "text"])
def test_the_part_that_is_wrong_is_named(part: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        plan_of("x", **{part: "{{ nobody }}"})
    assert caught.value.field == f"{part}, line 1"


def test_fields_that_every_recipient_needs_are_known_before_the_launch() -> None:
    plan = plan_of(
        "{{ contact.given_name }} {{ contact.family_name|default('x') }} {{ contact.fields.size|upper }}"
        "{% if contact.country %}{{ contact.country }}{% endif %}",
        subject="{{ contact.organisation }}",
        text="x",
    )
    assert plan.required_fields == {"contact.given_name", "contact.fields.size", "contact.organisation"}


def test_a_contact_that_lacks_a_field_is_refused_by_its_name() -> None:
    plan = plan_of(
        "{{ contact.given_name }}{% if contact.country == 'FR' %}{{ contact.fields.size }}{% endif %}"
    )
    full = {"given_name": "A", "country": "FR", "fields": {"size": 3}}
    assert plan.refusals(full) == ()
    assert plan.refusals({"given_name": "A", "country": "DE"}) == ()
    assert [one.field for one in plan.refusals({"given_name": " ", "country": "FR"})] == [
        "contact.given_name",
        "contact.fields.size",
    ]
    with pytest.raises(MissingField, match=r"contact\.given_name\|default"):
        plan.compose(Recipient("a@b.org", {}, "m@e.org", "u"), NOW)


def test_what_breaks_for_one_contact_only_is_told_with_its_line() -> None:
    plan = plan_of("\n{{ contact.fields.size + 1 }}", text="x")
    assert plan.refusals({"fields": {"size": 1}}) == ()
    assert [one.field for one in plan.refusals({"fields": {"size": "big"}})] == ["html, line 2"]


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "a\nBcc: b@c.de"},
        {"subject": ""},
        {"from_name": "x\r\nBcc: b@c.de"},
        {"from_name": "{{ sender.name }}"},
        {"from_address": "a@b.de, c@d.de"},
        {"reply_to": "a@b.de\r\nX: y"},
        {"html": "a\x00b"},
        {"language": "en\r\nX: y"},
    ],
)
def test_headers_cannot_be_smuggled_into_a_template(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        plan_of(values.pop("html", "x"), **values)


@pytest.mark.parametrize(
    "values",
    [{"address": "a@b.de\r\nBcc: c@d.de"}, {"message_id": "m@e.org>\r\nX: y"}, {"unsubscribe_token": "u/../x"},
     {"link_token": "l\r\n."}, {"pixel_token": ".p"}],
)  # fmt: skip
def test_headers_cannot_be_smuggled_in_with_a_recipient(values: dict[str, str]) -> None:
    good: dict[str, Any] = {
        "address": "a@b.de",
        "contact": {},
        "message_id": "m@e.org",
        "unsubscribe_token": "u",
    }
    with pytest.raises(InvalidInput):
        plan_of("x").compose(Recipient(**(good | values)), NOW)


@pytest.mark.parametrize(
    "base", ["", "n.example.org", "https://n.example.org/", "https://n.example.org\r\nX: y", "ftp://x"]
)
def test_a_base_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(InvalidInput, match="base_url"):
        compile_plan(MailTemplate(subject="x", from_address="a@b.de", html="x"), CampaignContext("c", base))
