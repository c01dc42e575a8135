"""MJML and style sheets become what mail clients understand, and jinja2 stays what it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InvalidInput, NotFound
from templates.catalogue import listed, load
from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.plaintext import derive_text
from templates.preview import check
from templates.source import MailTemplate
from templates.styling import prepare
from tests.templates.wire import parsed, part

SENDER = {
    "name": "Heliotrope",
    "postal_address": "12 rue des Tournesols, 69003 Lyon",
    "website": "https://www.example.org",
}
CAMPAIGN = CampaignContext("Spring", "https://n.example.org", SENDER, assets={"brochure.pdf"})
PEOPLE: list[dict[str, Any]] = [
    {"name": "Claire Moreau", "given_name": "Claire", "country": "FR", "organisation": "Dupont & Fils", "email": "c@example.org"},
    {"name": "", "given_name": None, "country": "DE", "organisation": None, "email": "d@example.org"},
]  # fmt: skip


def test_rules_move_to_the_elements_and_media_queries_stay() -> None:
    html = prepare(
        "<html><head><style>p{color:red} @media print{p{color:blue}}</style></head><body><p>x</p></body></html>"
    )
    assert 'style="color:red' in html
    assert "@media print" in html


def test_jinja_tags_survive_in_any_place() -> None:
    source = (
        '<html><head><style>b{color:red}</style></head><body><table><tbody>{% for x in contact.fields.l %}<tr><td class="{{ x }}">'
        "{{ x|default('<b>\"&') }}{# note #}</td></tr>{% endfor %}</tbody></table><b>jinja0x</b></body></html>"
    )
    html = prepare(source)
    for tag in (
        "{% for x in contact.fields.l %}<tr>",
        '<td class="{{ x }}">',
        "{{ x|default('<b>\"&') }}{# note #}</td>",
    ):
        assert tag in html
    assert "</tr>{% endfor %}" in html
    assert "jinja0x</b>" in html


def test_mjml_becomes_html_with_its_conditions_in_order() -> None:
    html = prepare(
        "<mjml><mj-body><mj-section><mj-column><mj-text>{% if contact.name %}<b>Hi {{ contact.name }}</b>{% else %}Hello{% endif %}"
        '</mj-text><mj-button href="{{ sender.website }}/x">Go</mj-button></mj-column></mj-section></mj-body></mjml>'
    )
    assert html.startswith("<!DOCTYPE html>")
    assert "{% if contact.name %}<b>Hi {{ contact.name }}</b>{% else %}Hello{% endif %}" in html
    assert 'href="{{ sender.website }}/x"' in html
    assert "<mj-" not in html


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<mjml><mj-bod></mjml>", "not valid MJML"),
        ("<mjml><mj-body><mj-include path='/etc/passwd' /></mj-body></mjml>", "not valid MJML"),
        ("<mjml><mj-body>{% if contact.name %}<mj-section></mj-section>{% endif %}<mj-foo title='{{ sender.name }}' /></mj-body></mjml>", ""),
        ("<mjml><mj-head><mj-style>{{ sender.name }}</mj-style></mj-head><mj-body><mj-column mj-class='{{ x }}'></mj-column></mj-body></mjml>", "cannot be kept"),
    ],
)  # fmt: skip
def test_what_mjml_cannot_keep_is_refused_and_nothing_is_lost_in_silence(source: str, said: str) -> None:
    if not said:
        assert prepare(source).count("{% if contact.name %}") == 1
        return
    with pytest.raises(InvalidInput, match=said):
        prepare(source)


def test_the_newsletter_exists_in_both_languages() -> None:
    assert listed()["newsletter"] == ("en", "fr")
    with pytest.raises(NotFound):
        load("newsletter", "../../etc", "a@example.org")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_newsletter_can_be_sent_to_anybody(language: str) -> None:
    source = load("newsletter", language, "news@example.org", "Heliotrope")
    trial = check(source, CAMPAIGN, PEOPLE)
    claire, other = trial.rendered
    assert claire is not None
    assert other is not None
    assert "Dupont &amp; Fils" in claire.html
    assert "Claire" in claire.subject
    assert "law/car-parks" in claire.text
    assert "law/car-parks" not in other.text
    assert trial.assets == ("brochure.pdf",)
    assert len(trial.links) == 7
    assert not trial.warnings
    assert claire.size < 24_000
    assert "{{" not in claire.html
    assert claire.html.count("display:none") == 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_newsletter_offers_the_same_links_in_html_and_text(language: str) -> None:
    source = load("newsletter", language, "news@example.org")
    plan = compile_plan(source, CAMPAIGN)
    recipient = Recipient("c@example.org", PEOPLE[0], "m@e.org", "u" * 30, "p" * 30, "l" * 30)
    message = parsed(plan.compose(recipient, datetime(2026, 6, 1, tzinfo=UTC)).content)
    for number in (1, 2, 3, 4, 6, 7):
        assert f"/c/{'l' * 30}.{number}" in part(message, "html")
        assert f"/c/{'l' * 30}.{number}" in part(message, "plain")
    assert f"/c/{'l' * 30}.5" not in part(message, "html")


def test_the_derived_text_says_what_the_html_says() -> None:
    html = (
        "<html><head><title>no</title><style>no</style></head><body><div style='display:none'>no {{ no }}</div>"
        "<h1>Dear {{ contact.name }},</h1><p>one &amp; two<br>three</p><ul><li>a<li>b</ul><!-- no -->"
        "{% if contact.country %}<p><a href='https://a.example/?x=1&amp;y=2'>Read</a></p>{% endif %}"
        "<img src='x' alt='A roof'><a href='#top'>Top</a> &#123;&#123; braces }}</body></html>"
    )
    assert derive_text(html) == (
        "Dear {{ contact.name }},\n\none & two\nthree\n\n- a\n- b\n{% if contact.country %}\n"
        "Read <https://a.example/?x=1&y=2>\n\n{% endif %}A roofTop {{ '{' }}{ braces }}\n"
    )


def test_the_preheader_stands_hidden_at_the_top_or_where_the_html_says() -> None:
    source = MailTemplate(
        subject="x", from_address="a@e.org", preheader="R&D {{ contact.name }}", html="<html>\n<body class='{{ 1 > 0 }}'>\n<p>x</p></body></html>"
    )  # fmt: skip
    assert "<body class='{{ 1 > 0 }}'><div style=\"display:none" in source.full_html()
    assert "R&amp;D {{ contact.name }}</div>\n<p>x" in source.full_html()
    assert "R&" not in source.full_text()
    placed = source.model_copy(update={"html": "<i>{{ preheader }}</i>"})
    assert placed.full_html() == "<i>R&amp;D {{ contact.name }}</i>"


def test_the_templates_folder_holds_what_the_catalogue_lists() -> None:
    folder = Path(__file__).parents[2] / "templates" / "mail"
    for name, languages in listed().items():
        for language in languages:
            assert all((folder / f"{name}.{language}.{kind}").is_file() for kind in ("mjml", "txt", "toml"))
