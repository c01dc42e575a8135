"""Amazon SES by way of SNS: a mail whose text is JSON (also of the kind that breaks long lines with an exclamation mark)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure
from channels.mail.bounce_forms.notice import Notice

_KINDS: Final = {"Bounce": "bounce", "Complaint": "complaint", "Delivery": "delivered"}
_HINTS: Final = {"MailboxFull": "mailbox_full", "MessageTooLarge": "too_big"}


@dataclass(slots=True)
class Notification:
    """What Amazon tells: the kind in our words, the recipients, and the few facts beside them."""

    kind: str
    failures: list[Failure]
    feedback_type: str = ""
    reporter: str = ""
    arrival: str = ""
    message_id: str = ""


def read_notification(notice: Notice) -> Notification | None:
    """The notification in a mail of SNS, or None."""
    text = notice.text.lstrip()
    if not text.startswith("{") or '"' not in text[:20]:
        return None
    payload = _decode(text)
    if isinstance(payload.get("Message"), str):
        payload = _decode(payload["Message"])
    kind = payload.get("notificationType") or payload.get("eventType")
    if not isinstance(kind, str) or kind not in _KINDS:
        return None
    told, mail = _mapping(payload.get(kind.lower())), _mapping(payload.get("mail"))
    listed = told.get(
        {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients", "Delivery": "recipients"}[kind]
    )
    failures: list[Failure] = []
    for one in listed[:FAILURES_LIMIT] if isinstance(listed, list) else []:
        entry = {"emailAddress": one} if isinstance(one, str) else _mapping(one)
        failure = Failure(
            _text(entry, "emailAddress"), status=_text(entry, "status"), action=_text(entry, "action")
        )
        words = _text(entry, "diagnosticCode") or _text(told, "smtpResponse")
        failure.say(words.partition("; ")[2] or words)
        failure.hint = _HINTS.get(_text(told, "bounceSubType"), "")
        if "@" in failure.address:
            failures.append(failure)
    common = _mapping(mail.get("commonHeaders"))
    return Notification(
        _KINDS[kind],
        failures,
        feedback_type=_text(told, "complaintFeedbackType") or ("abuse" if kind == "Complaint" else ""),
        reporter=_text(told, "reportingMTA").removeprefix("dsn; ") or _text(told, "userAgent"),
        arrival=_text(told, "timestamp"),
        message_id=_text(common, "messageId").strip("<>") or _text(mail, "messageId"),
    )


def _decode(text: str) -> dict[str, Any]:
    whole = text.split("\n--\n", 1)[0].replace("!\n ", "")
    try:
        return _mapping(json.JSONDecoder().raw_decode(whole.replace("\n", ""))[0])
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(mapping: dict[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value[:2_000] if isinstance(value, str) else ""
