"""Measuring links changes the links and nothing else, on real newsletters too."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.links import Numbering, measure_html
from templates.markup import tokens
from templates.measured import Link
from templates.plan import Plan
from templates.skeleton import Skeleton
from templates.source import MailTemplate
from tests.templates.wire import parsed, part

HERE = Path(__file__).parent
CORPORA = Path(os.environ.get("CLYTIE_CORPORA", HERE.parents[2] / "shared" / "corpora"))
NEWSLETTERS = sorted(HERE.glob("newsletters/*.html")) + sorted(CORPORA.glob("newsletters/blueprints/*.html"))
BASE = "https://n.example.org"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PIXEL = re.compile(r'<img src="https://n\.example\.org/o/ptok\.gif"[^>]*>')
CLICK = re.compile(r"https://n\.example\.org/c/ltok\.(\d+)")


class Hrefs(HTMLParser):
    """The web links and the comments that the standard library's parser finds."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.comments: list[str] = []
        self.skipped = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self.skipped = tag
        href = next((value for name, value in attrs if name == "href"), None)
        value = re.sub(r"[\t\r\n]", "", href or "").strip()
        if tag in ("a", "area") and not self.skipped and re.match("https?://", value, re.IGNORECASE):
            self.found.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == self.skipped:
            self.skipped = ""

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def plan_of(html: str, text: str | None = "text", **more: str) -> Plan:
    source = MailTemplate(subject="x", from_address="a@example.org", html=html, text=text, **more)
    return compile_plan(source, CampaignContext("c", BASE, {"site": "https://sender.example"}))


def html_of(plan: Plan, *, measured: bool = True, subtype: str = "html") -> str:
    tokens = ("ptok", "ltok") if measured else (None, None)
    contact = {"given_name": "Zoé", "fields": {"slug": "a&b", "list": ["p", "q"]}}
    return part(
        parsed(plan.compose(Recipient("z@e.org", contact, "m@e.org", "utok", *tokens), NOW).content), subtype
    )


@pytest.mark.parametrize("path", NEWSLETTERS, ids=lambda path: path.stem)
def test_every_link_and_comment_of_a_newsletter_survives_and_nothing_else_changes(path: Path) -> None:
    html = re.sub(r"\r\n?", "\n", path.read_text("utf-8", errors="replace"))
    plan = plan_of(f"{{% raw %}}{html}{{% endraw %}}" if "{" + "{" in html else html)
    measured = html_of(plan)
    before, after = Hrefs(html), Hrefs(measured)
    assert [link.url for link in plan.links] == before.found
    assert after.found == [f"{BASE}/c/ltok.{number}" for number in range(1, len(before.found) + 1)]
    assert after.comments == before.comments
    assert len(PIXEL.findall(measured)) == 1
    raws = {str(link.no): link.raw for link in plan.links}
    restored = CLICK.sub(lambda match: raws[match[1]], PIXEL.sub("", measured))
    assert restored == html.removesuffix("\n")
    assert html_of(plan, measured=False) == html.removesuffix("\n")


def test_a_link_knows_its_number_its_address_and_what_it_says() -> None:
    plan = plan_of(
        '<a href="https://a.example/?x=1&amp;y=2">See <b>all</b>\n seeds &amp; bulbs</a>'
        '<a href="http://b.example"><img alt="Brochure" src="x"></a>'
    )
    assert [(link.no, link.url, link.label) for link in plan.links] == [
        (1, "https://a.example/?x=1&y=2", "See all seeds & bulbs"),
        (2, "http://b.example", "Brochure"),
    ]


def test_links_in_both_branches_and_in_loops_over_contact_data_are_measured() -> None:
    plan = plan_of(
        "{% if contact.given_name %}<a href='https://a.example/'>a</a>{% else %}<a href='https://b.example/'>b</a>"
        "{% endif %}{% for one in contact.fields.list %}<a href='https://c.example/'>{{ one }}</a>{% endfor %}"
        "{% for n in [1, 2] %}<a href='https://d.example/{{ n }}'>d</a>{% endfor %}"
    )
    html = PIXEL.sub("", html_of(plan))
    assert [link.url for link in plan.links] == [
        "https://a.example/", "https://b.example/", "https://c.example/", "https://d.example/1", "https://d.example/2",
    ]  # fmt: skip
    assert CLICK.findall(html) == ["1", "3", "3", "4", "5"]


def test_a_link_with_personal_data_is_left_alone_and_reported() -> None:
    plan = plan_of(
        '<a href="https://a.example/{{ contact.fields.slug|urlencode }}">x</a>',
        text="https://a.example/{{ contact.fields.slug }} y",
    )
    assert not plan.links
    assert 'href="https://a.example/a%26b"' in html_of(plan)
    assert html_of(plan, subtype="plain") == "https://a.example/a&b y"
    assert len(plan.warnings) == 2
    assert "https://a.example/…" in plan.warnings[0]


def test_a_link_with_the_senders_data_is_measured() -> None:
    plan = plan_of('<a href="{{ sender.site }}/x">x</a>')
    assert plan.links == (Link(1, "https://sender.example/x"),)


def test_the_unsubscribe_link_and_downloads_have_addresses_of_their_own() -> None:
    plan = plan_of('<a href="{{ links.unsubscribe }}">x</a><a href="{{ asset(\'a b.pdf\') }}">y</a>')
    assert not plan.links
    assert not plan.warnings
    assert plan.assets == ("a b.pdf",)
    assert f'href="{BASE}/u/utok"' in html_of(plan)
    assert f'href="{BASE}/d/ltok/a%20b.pdf"' in html_of(plan)
    assert f'href="{BASE}/d/none/a%20b.pdf"' in html_of(plan, measured=False)


def test_a_link_of_the_text_has_the_number_of_the_same_link_in_the_html() -> None:
    plan = plan_of(
        '<a href="https://a.example/?x=1&amp;y=2">a</a><a href="https://b.example">b</a>',
        text="(see https://b.example), https://a.example/?x=1&y=2. Or http://c.example!",
    )
    expected = f"(see {BASE}/c/ltok.2), {BASE}/c/ltok.1. Or {BASE}/c/ltok.3!"
    assert html_of(plan, subtype="plain") == expected


def test_the_pixel_stands_before_the_end_of_the_body() -> None:
    assert re.search(
        r'/o/ptok\.gif"[^>]*></body>', html_of(plan_of("<body>a<!-- </body> -->b</body></html>"))
    )
    assert html_of(plan_of("<p>a</p>")).startswith('<p>a</p><img src="')


@given(st.text(st.sampled_from("<a href='\"=>x/!-[]&; \n\x00\x01https:/."), max_size=120))
def test_tokens_join_to_the_html_they_were_cut_from(html: str) -> None:
    found = list(tokens(html))
    assert "".join(html[token.start : token.end] for token in found) == html
    assert all(token.start < token.end for token in found)


@given(st.text(st.sampled_from("<a href='\"=>x/!-[]&; \nhttps:/."), max_size=120))
def test_measuring_any_html_changes_only_what_it_numbers(html: str) -> None:
    skeleton, numbering = Skeleton(html), Numbering()
    measure_html(skeleton, numbering)
    pieces = skeleton.pieces({})
    assert "".join(piece if isinstance(piece, str) else getattr(piece, "raw", "") for piece in pieces) == html
