"""The inside of a preview: what runs in the process that can be killed. Reads an order, writes an answer, as JSON."""

from __future__ import annotations

import json
import resource
import signal
import sys
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import FrameType
from typing import Any, Final

from domain.errors import InvalidInput
from templates.compilation import compile_plan
from templates.context import CampaignContext, Recipient
from templates.environment import Endless
from templates.plan import Plan
from templates.source import MailTemplate

_LARGEST: Final = 5_000_000
_MARGIN: Final = 2


def run() -> None:
    """Answer the order on the standard input."""
    order = json.load(sys.stdin)
    _limit(order["seconds"], order["megabytes"])
    try:
        answer = _answer(order)
    except InvalidInput as error:
        answer = {"problem": {"field": error.field, "problem": error.problem, "remedy": error.remedy}}
    except Endless:
        answer = {"problem": {"field": "template", "problem": "it does not come to an end.", "remedy": ""}}
    except MemoryError:
        sys.exit(1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    json.dump(answer, sys.stdout)


def _limit(seconds: float, megabytes: int) -> None:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Endless

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    for limit, value in (
        (resource.RLIMIT_AS, megabytes * 2**20),
        (resource.RLIMIT_CPU, int(seconds) + _MARGIN),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):  # macOS knows no RLIMIT_AS; the clock still holds
            continue


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    campaign = CampaignContext(**order["campaign"])
    plan = compile_plan(MailTemplate.model_validate(order["source"]), campaign)
    rendered: list[dict[str, Any] | None] = []
    refusals = []
    for place, contact in enumerate(order["contacts"]):
        found = plan.refusals(contact)
        refusals += [(place, refusal) for refusal in found]
        rendered.append(None if found else _rendered(plan, contact))
    return {
        "rendered": rendered,
        "refusals": refusals,
        "links": [{"no": one.no, "url": one.url, "raw": one.raw, "label": one.label} for one in plan.links],
        "assets": plan.assets,
        "warnings": plan.warnings,
        "required_fields": sorted(plan.required_fields),
        "uses": plan.uses,
    }


def _rendered(plan: Plan, contact: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    token = "x" * 30
    recipient = Recipient("preview@example.org", contact, "preview@example.org", token)
    content = plan.compose(recipient, now).content
    recipient.pixel_token = recipient.link_token = token
    size = len(plan.compose(recipient, now).content)
    if size > _LARGEST:
        raise InvalidInput(
            "template", f"the mail has {size:,} octets.", "Most servers take less than 10 MB; cut it."
        )
    message = message_from_bytes(content[:-3], policy=default)
    return {
        "subject": str(message["Subject"]),
        "html": _part(message, "html"),
        "text": _part(message, "plain"),
        "size": size,
    }


def _part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    return "" if body is None else str(body.get_content()).replace("\r\n", "\n")
