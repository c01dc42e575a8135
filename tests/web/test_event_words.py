"""Events in words: what a timeline says in the reader's language."""

from __future__ import annotations

import pytest

from domain.events import EventType
from web.console.event_words import describe_event
from web.i18n import speaking


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "What led to the task “Call Ana” is now judged automatic"),
        ("fr", "Ce qui a motivé la tâche « Call Ana » est désormais jugé automatique"),
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
