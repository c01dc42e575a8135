"""What a filled plan carries besides its content: headers, tokens, flags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.plan import Plan
from templates.source import MailTemplate
from tests.templates.wire import parsed, part, received

NOW = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
CAMPAIGN = CampaignContext(
    "Spring",
    "https://n.example.org",
    {"name": "Seeds"},
    asset_token="campaign",
    unsubscribe_mailbox="leave@example.org",
    list_id="news.example.org",
    feedback_id="7:spring:clytie",
)
SOURCE = MailTemplate(
    subject="News",
    from_name="Sunflower Seeds",
    from_address="news@example.org",
    reply_to="office@example.org",
    html="<body><a href='https://a.example/'>a</a><a href=\"{{ asset('b.pdf') }}\">b</a></body>",
    language="fr-CA",
)


def recipient(**values: Any) -> Recipient:
    return Recipient(**({"address": "z@example.net", "contact": {"name": "Zoé"}, "message_id": "m7@example.org",
                         "unsubscribe_token": "utok"} | values))  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(SOURCE, CAMPAIGN)


def test_the_headers_of_a_newsletter(plan: Plan) -> None:
    headers = parsed(plan.compose(recipient(), NOW).content)
    assert {name: str(value) for name, value in headers.items() if name != "Content-Type"} == {
        "From": "Sunflower Seeds <news@example.org>",
        "To": "Zoé <z@example.net>",
        "Subject": "News",
        "Date": "Mon, 01 Jun 2026 08:30:00 +0000",
        "Message-ID": "<m7@example.org>",
        "Reply-To": "office@example.org",
        "List-Unsubscribe": "<https://n.example.org/u/utok>, <mailto:leave@example.org?subject=unsubscribe%20utok>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Id": "<news.example.org>",
        "Feedback-ID": "7:spring:clytie",
        "Content-Language": "fr-CA",
        "MIME-Version": "1.0",
    }
    assert headers.get_content_type() == "multipart/alternative"


def test_only_what_the_recipient_allows_is_measured(plan: Plan) -> None:
    def html(**tokens: str) -> str:
        return part(parsed(plan.compose(recipient(**tokens), NOW).content), "html")

    base = "https://n.example.org"
    full = html(pixel_token="mtok", link_token="mtok")
    assert f"{base}/o/mtok.gif" in full
    assert f"{base}/c/mtok.1" in full
    assert f"{base}/d/mtok/b.pdf" in full
    day = html(pixel_token="mtok", link_token="atok")
    assert f"{base}/o/mtok.gif" in day
    assert f"{base}/c/atok.1" in day
    assert f"{base}/d/atok/b.pdf" in day
    nothing = html()
    assert nothing == (
        f"<body><a href='https://a.example/'>a</a><a href=\"{base}/d/campaign/b.pdf\">b</a></body>"
    )
    assert "/o/" not in html(link_token="atok")
    assert "https://a.example/" in html(pixel_token="mtok")


def test_a_mail_is_seven_bit_unless_the_address_is_not_ascii(plan: Plan) -> None:
    plain = plan.compose(recipient(contact={"name": "日本 é 🌻"}), NOW)
    assert plain.content.isascii()
    assert (plain.utf8, plain.eightbit) == (False, False)
    international = plan.compose(recipient(address="zoé@exämple.org"), NOW)
    assert (international.utf8, international.eightbit) == (True, False)
    assert "<zoé@exämple.org>".encode() in international.content


def test_the_content_without_its_last_line_is_the_message_itself(plan: Plan) -> None:
    content = plan.compose(recipient(contact={"name": "."}), NOW).content
    assert received(content) == content[:-3]


def test_the_same_recipient_gets_the_same_bytes_at_every_attempt(plan: Plan) -> None:
    again = compile_plan(SOURCE, CAMPAIGN)
    assert plan.compose(recipient(), NOW) == again.compose(recipient(), NOW)


def test_the_boundary_cannot_occur_in_any_content(plan: Plan) -> None:
    boundary = parsed(plan.compose(recipient(), NOW).content).get_boundary()
    assert boundary is not None
    source = SOURCE.model_copy(update={"html": "--{{ contact.name }}\n--{{ contact.name }}--", "text": "x"})
    evil = compile_plan(source, CAMPAIGN)
    content = evil.compose(recipient(contact={"name": "x"}), NOW).content
    guessed = parsed(content).get_boundary()
    message = parsed(evil.compose(recipient(contact={"name": guessed}), NOW).content)
    assert part(message, "html") == f"--{guessed}\n--{guessed}--"
    assert len(list(message.iter_parts())) == 2


def test_filling_a_plan_is_far_faster_than_email_message() -> None:
    from benchmarks.compose import run

    assert float(run(rounds=1)[0]["ratio"]) > 50
