"""Events in words: what a timeline says in the reader's language."""

from __future__ import annotations

import pytest

from domain.events import EventType
from web.console.event_words import describe_event
from web.i18n import speaking


def test_a_task_of_somebody_else_has_no_title_to_tell() -> None:
    row = dict.fromkeys(("data", "campaign_name", "link_label", "link_url", "task_title", "actor_name"))
    with speaking("fr"):
        line = describe_event({**row, "type": EventType.TASK_OPENED.value})
    assert (line.sentence, line.detail) == ("Une tâche de quelqu'un d'autre", "")


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "What led to the task “Call Ana” is now judged automatic"),
        ("fr", "Ce qui a motivé la tâche «\u00a0Call Ana\u00a0» est désormais jugé automatique"),
    ],
)
def test_a_timeline_tells_that_the_evidence_of_a_task_changed(language: str, sentence: str) -> None:
    row = {
        "type": EventType.CHANGED.value,
        "data": {"field": "task.evidence", "old": "human", "new": "machine", "about": 7},
        "campaign_name": "June",
        "link_label": None,
        "link_url": None,
        "task_title": "Call Ana",
        "actor_name": None,
    }
    with speaking(language):
        assert describe_event(row).sentence == sentence


@pytest.mark.parametrize("kind", EventType)
def test_every_event_has_a_sentence_even_when_nothing_else_is_known(kind: EventType) -> None:
    row = dict.fromkeys(("data", "campaign_name", "link_label", "link_url", "task_title", "actor_name"))
    assert describe_event({**row, "type": kind.value}).sentence


def test_what_was_put_into_a_case_is_told_with_its_title() -> None:
    row = dict.fromkeys(("campaign_name", "link_label", "link_url", "task_title"))
    row |= {"case_title": "Roof", "actor_name": "Rosa"}
    with speaking("en"):
        line = describe_event({**row, "type": "CaseLeft", "data": {"kind": "sale", "what": "conversation"}})
    assert line.sentence == "Rosa took a conversation out of the case “Roof”"
