"""The action `webhook`: what another program will be told, written down in the transaction of the rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from router.actions.errands import about, put_down
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.then.webhooks import WebhookAction

#: what an event carries under other names of the body, or is nobody's business
_APART = frozenset(
    {
        "id",
        "type",
        "occurred_at",
        "message_id",
        "campaign_id",
        "conversation_id",
        "case_id",
        "task_id",
        "depth",
    }
)


def plan(decision: Decision, number: int, work: Work) -> dict[str, Any]:
    """Where it goes, and its body; docs/webhooks.md describes that."""
    compiled, sighting = decision.rule.actions[number], decision.sighting
    assert isinstance(compiled.action, WebhookAction)
    order = compiled.action.webhook
    facts = sighting.facts(work.now)
    campaign = sighting.campaign
    body = {
        "type": "rule.acted",
        "timestamp": work.now,
        "rule": decision.rule.name,
        "version": decision.rule.version,
        "event": {
            "id": sighting.id,
            "type": sighting.type,
            "occurred_at": sighting.occurred_at,
            "data": {name: value for name, value in sighting.event.items() if name not in _APART},
        },
        "contact_id": sighting.contact_id,
        "message_id": sighting.message_id,
        "campaign": None if campaign is None else {"id": campaign["id"], "name": campaign["name"]},
        "conversation_id": sighting.conversation_id,
        "case_id": sighting.case_id,
        "task_id": sighting.task_id,
        "data": {name: compiled.texts[f"data.{name}"](facts) for name in order.data},
    }
    written = json.loads(json.dumps(body, default=_write, ensure_ascii=False))
    return {"url": order.url, "body": written}


def show(plan: dict[str, Any], work: Work) -> Shown:
    """Who would be told, without the path, which may be a secret."""
    return Shown("webhook", urlsplit(plan["url"]).netloc)


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Put them down; they are posted after the commit."""
    for item in planned:
        put_down(work, item, {**about(item), **item.plan})


def _write(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
