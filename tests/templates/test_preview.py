"""Nothing a marketer writes can hang or fill a server: a preview runs in a process that can be killed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from domain.errors import InvalidInput
from templates.context import CampaignContext
from templates.preview import check, preview
from templates.source import MailTemplate

CAMPAIGN = CampaignContext("c", "https://n.example.org", {"name": "Seeds"}, fields={"size"})
LOOP = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}BODY{% endfor %}{% endfor %}{% endfor %}"


def mail(html: str, **more: Any) -> MailTemplate:
    return MailTemplate(**({"subject": "x", "from_address": "a@example.org", "html": html} | more))


def test_a_preview_shows_each_contact_its_mail() -> None:
    source = mail(
        "<p>Dear {{ contact.name }}, <a href='https://a.example/'>read</a></p>",
        subject="For {{ contact.name }}",
    )
    trial = preview(source, CAMPAIGN, [{"name": "Zoé"}, {"name": ""}, {"name": "Tom & Co"}])
    zoe, nobody, tom = trial.rendered
    assert zoe is not None
    assert tom is not None
    assert nobody is None
    assert (zoe.subject, zoe.text) == ("For Zoé", "Dear Zoé, read <https://a.example/>\n")
    assert "Tom &amp; Co" in tom.html
    assert [(place, refusal.field) for place, refusal in trial.refusals] == [(1, "contact.name")]
    assert [link.url for link in trial.links] == ["https://a.example/"]
    assert trial.required_fields == {"contact.name"}


def test_a_missing_field_is_refused_with_its_line_and_how_many_lack_it() -> None:
    people = [{"email": f"p{n}@example.org", "given_name": "A" if n % 2 else None} for n in range(5)]
    with pytest.raises(InvalidInput) as caught:
        check(mail("<p>\n{{ contact.given_name }}</p>"), CAMPAIGN, people)
    assert str(caught.value) == (
        "html, line 2: contact.given_name is empty for 3 of 5 contacts, first p0@example.org. "
        "Write {{ contact.given_name|default('…') }} to say what stands in for it."
    )


def test_an_unknown_variable_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"html, line 2: there is no variable contact\.shoe_size"):
        check(mail("\n{{ contact.shoe_size }}"), CAMPAIGN, [{}])


@pytest.mark.parametrize("body", ["", "{{ contact.name }}"], ids=["for everybody", "for a contact"])
def test_a_template_that_never_ends_is_stopped_and_its_line_named(body: str) -> None:
    start = time.monotonic()
    with pytest.raises(InvalidInput, match="html, line 2: this does not come to an end"):
        check(mail("\n" + LOOP.replace("BODY", body), text="x"), CAMPAIGN, [{"name": "x"}], seconds=1)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("step", ["ns.x ~ ns.x", "ns.x ~ 1", "(ns.x|int) * (ns.x|int)"])
def test_a_template_that_eats_memory_or_time_is_stopped(step: str) -> None:
    loop = "{% for n in range(1000) %}{% for m in range(1000) %}{% set ns.x = STEP %}{% endfor %}{% endfor %}"
    source = mail("{% set ns = namespace(x='1234567890') %}" + loop.replace("STEP", step) + "x", text="x")
    start = time.monotonic()
    with pytest.raises(InvalidInput, match=r"more memory or time|come to an end"):
        check(source, CAMPAIGN, [{}], seconds=1, megabytes=300)
    assert time.monotonic() - start < 10


def test_a_process_that_hears_no_alarm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("templates.preview._START", "import time; time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(InvalidInput, match="template: it did not come to an end within 1 s"):
        check(mail("x"), CAMPAIGN, [{}], seconds=1)
    assert time.monotonic() - start < 10


def test_the_process_of_a_preview_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD", "")
    assert preview(mail("x"), CAMPAIGN, [{}]).rendered[0] is not None
