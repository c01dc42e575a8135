"""Events in words: the sentence a timeline shows, its icon and tone, and what a task says about its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from domain.events import EventType
from web.i18n import N_, _
from web.times import write_talk
from web.words import label

_T: Final = EventType

#: type → (icon, tone, sentence); {thing} is what was clicked or fetched, {campaign} the campaign's name
_LINES: Final[Mapping[EventType, tuple[str, str, str]]] = {
    _T.QUEUED: ("clock", "", N_("“%(campaign)s” was put in the queue")),
    _T.SENT: ("send", "info", N_("“%(campaign)s” was sent")),
    _T.DELIVERED: ("mailbox", "info", N_("“%(campaign)s” arrived")),
    _T.DEFERRED: ("clock", "", N_("“%(campaign)s” was refused for now and will be tried again")),
    _T.BOUNCED: ("alert", "bad", N_("“%(campaign)s” came back")),
    _T.REJECTED: ("alert", "bad", N_("“%(campaign)s” was rejected")),
    _T.FAILED: ("alert", "bad", N_("“%(campaign)s” could not be sent")),
    _T.OPENED: ("open", "sun", N_("Opened “%(campaign)s”")),
    _T.CLICKED: ("click", "sun", N_("Clicked %(thing)s in “%(campaign)s”")),
    _T.DOWNLOADED: ("download", "sun", N_("Downloaded %(thing)s from “%(campaign)s”")),
    _T.VISITED: ("open", "sun", N_("Visited %(thing)s")),
    _T.ANSWERED: ("phone", "good", N_("Answered")),
    _T.CALLED: ("phone", "", N_("%(actor)s called")),
    _T.CALL_ENDED: ("phone", "", N_("A call ended")),
    _T.RECEIVED: ("mailbox", "info", N_("Wrote to us")),
    _T.AUTO_REPLIED: ("mailbox", "", N_("An automatic answer arrived")),
    _T.FILTERED: ("ban", "", N_("A message was taken for junk")),
    _T.GRANTED: ("shield", "good", N_("Consented: %(purpose)s")),
    _T.WITHDRAWN: ("shield", "bad", N_("Withdrew consent: %(purpose)s")),
    _T.COMPLAINED: ("alert", "bad", N_("Reported a message as unwanted")),
    _T.TASK_OPENED: ("tasks", "sun", N_("Task: %(task)s")),
    _T.TASK_ACCEPTED: ("check", "", N_("%(actor)s accepted the task")),
    _T.TASK_DECLINED: ("cross", "", N_("%(actor)s declined the task")),
    _T.TASK_RESCHEDULED: ("clock", "", N_("%(actor)s rescheduled the task")),
    _T.TASK_ESCALATED: ("alert", "bad", N_("The task was escalated")),
    _T.TASK_DONE: ("check", "good", N_("%(actor)s completed the task")),
    _T.CONVERSATION_ASSIGNED: ("people", "", N_("%(actor)s assigned the conversation")),
    _T.CONVERSATION_MOVED: ("conversations", "", N_("%(actor)s moved the conversation to another queue")),
    _T.CONVERSATION_CLOSED: ("check", "good", N_("%(actor)s closed the conversation")),
    _T.CONVERSATION_PARKED: ("clock", "", N_("%(actor)s lets the conversation wait for the contact")),
    _T.CONVERSATION_REOPENED: ("conversations", "", N_("%(actor)s opened the conversation again")),
    _T.CONVERSATION_JUDGED: ("shield", "", N_("%(actor)s decided whether the conversation is junk")),
    _T.OVERLOOKED: ("alert", "bad", N_("Nobody decided on a message in time")),
    _T.WARNED: ("clock", "sun", N_("The promised time is nearly over")),
    _T.BREACHED: ("alert", "bad", N_("The promised time has passed")),
    _T.PLACED: ("conversations", "", N_("%(actor)s decided where a message belongs")),
    _T.CASE_OPENED: ("case", "sun", N_("%(actor)s opened the case %(case)s")),
    _T.CASE_MOVED: ("case", "", N_("%(actor)s moved the case %(case)s to another stage")),
    _T.CASE_CHANGED: ("edit", "", N_("%(actor)s changed the case %(case)s")),
    _T.CASE_CLOSED: ("check", "good", N_("%(actor)s closed the case %(case)s")),
    _T.CASE_REOPENED: ("case", "", N_("%(actor)s opened the case %(case)s again")),
    _T.CASE_JOINED: ("case", "", N_("%(actor)s put something into the case %(case)s")),
    _T.CASE_LEFT: ("case", "", N_("%(actor)s took something out of the case %(case)s")),
    _T.CHANGED: ("edit", "", N_("%(field)s changed from “%(old)s” to “%(new)s”")),
    _T.REACHED: ("clock", "", N_("A day came that a rule waits for")),
    _T.NOTED: ("note", "", N_("%(note)s noted by %(actor)s")),
}

#: what is said instead when the message has a subject
_SUBJECTS: Final[Mapping[EventType, str]] = {
    _T.RECEIVED: N_("Wrote to us: “%(subject)s”"),
    _T.AUTO_REPLIED: N_("An automatic answer arrived: “%(subject)s”"),
    _T.FILTERED: N_("A message was taken for junk: “%(subject)s”"),
}

#: what a short message commanded → sentence
_TEXTED: Final[Mapping[str, str]] = {
    "stop": N_("Answered STOP: no more short messages"),
    "start": N_("Answered START: short messages may go again"),
    "help": N_("Asked for help by SMS"),
}

#: (direction, result) of a call that ended → tone, sentence
_CALLS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("out", "answered"): ("good", N_("%(actor)s talked with them on the phone")),
    ("out", "no_answer"): ("", N_("%(actor)s called: nobody answered")),
    ("out", "busy"): ("", N_("%(actor)s called: the line was busy")),
    ("out", "unreachable"): ("bad", N_("%(actor)s called: the number could not be reached")),
    ("out", "failed"): ("bad", N_("A call of %(actor)s failed")),
    ("out", "cancelled"): ("", N_("%(actor)s gave up a call before it was connected")),
    ("in", "answered"): ("good", N_("Called us and talked with %(actor)s")),
    ("in", "voicemail"): ("sun", N_("Called us and left a voice message")),
    ("in", "missed"): ("bad", N_("Called us: nobody answered")),
    ("in", "abandoned"): ("", N_("Called us and hung up before anybody's phone rang")),
    ("in", "failed"): ("bad", N_("Called us: the call broke off")),
}

#: what was put into a case → sentence, and when it was taken out
_PUT: Final[Mapping[str, tuple[str, str]]] = {
    "conversation": (
        N_("%(actor)s put a conversation into the case %(case)s"),
        N_("%(actor)s took a conversation out of the case %(case)s"),
    ),
    "task": (
        N_("%(actor)s put a task into the case %(case)s"),
        N_("%(actor)s took a task out of the case %(case)s"),
    ),
    "message": (
        N_("%(actor)s put a message into the case %(case)s"),
        N_("%(actor)s took a message out of the case %(case)s"),
    ),
}

_FIELDS: Final[Mapping[str, str]] = {
    "name": N_("Name"),
    "given_name": N_("Given name"),
    "family_name": N_("Family name"),
    "organisation": N_("Organisation"),
    "relation": N_("Relation"),
    "country": N_("Country"),
    "language": N_("Language"),
    "timezone": N_("Time zone"),
    "owner_id": N_("Owner"),
    "email": N_("E-mail address"),
    "phone": N_("Phone number"),
    "tags": N_("Tags"),
    "conversation.tags": N_("Tags of the conversation"),
    "conversation.priority": N_("Priority of the conversation"),
    "task.priority": N_("Priority of the task"),
}


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as a timeline shows it."""

    icon: str
    tone: str
    sentence: str
    detail: str = ""


def field_label(name: str) -> str:
    """The word for a field of a contact."""
    return _(_FIELDS[name]) if name in _FIELDS else name.removeprefix("case.").removeprefix("fields.")


def quote(name: str) -> str:
    """A name in the quotation marks of the reader's language."""
    return _("“%(name)s”") % {"name": name}


def name_link(link_label: str | None, url: str | None) -> str:
    """A link by its label, else by where it leads."""
    if link_label:
        return quote(link_label)
    if url:
        parts = urlsplit(url)
        return quote(f"{parts.netloc}{parts.path.rstrip('/')}")
    return _("a link")


def describe_event(row: Mapping[str, Any]) -> EventLine:
    """The line of an event; `row` is one of contacts.timeline."""
    kind = EventType(row["type"])
    icon, tone, sentence = _LINES[kind]
    data = row["data"] or {}
    if kind is EventType.CHANGED and data.get("field") == "task.evidence":
        verdict = label("verdict", data["new"])
        told = _("What led to the task “%(task)s” is now judged %(verdict)s")
        return EventLine("alert", "", told % {"task": row["task_title"] or "", "verdict": verdict})
    if kind is EventType.CHANGED and data.get("field") == "suppression":
        lifted = _("%(actor)s took an address off the do-not-contact list")
        return EventLine(
            "ban", "", lifted % {"actor": row["actor_name"] or _("Somebody")}, str(data.get("note", ""))
        )
    if kind is EventType.PLACED and data.get("field") == "contact":
        sentence = N_("%(actor)s made the author of a forwarded mail the contact")
    if kind is EventType.CHANGED and data.get("field") == "marketing_pause":
        if data.get("new") is None:
            sentence = N_("%(actor)s lifted the pause of marketing")
        else:
            sentence = N_("Marketing was paused")
    if kind is EventType.CHANGED and data.get("field") == "conversation.contact":
        sentence = N_("%(actor)s said whose conversation it is")
    if kind in (EventType.CASE_JOINED, EventType.CASE_LEFT) and data.get("what") in _PUT:
        sentence = _PUT[data["what"]][kind is EventType.CASE_LEFT]
    subject, preview = row.get("subject"), row.get("preview")
    if kind in _SUBJECTS and subject:
        sentence = _SUBJECTS[kind]
    if kind is EventType.SENT and data.get("via") == "outside":
        sentence = N_("%(actor)s sent “%(campaign)s” from elsewhere")
    if kind is EventType.CALL_ENDED:
        way = (str(data.get("direction", "out")), str(data.get("result", "")))
        tone, sentence = _CALLS.get(way, ("", sentence))
    elif kind is EventType.CALLED and data.get("direction") == "in":
        sentence = N_("Called us")
    elif kind is EventType.ANSWERED and data.get("direction"):
        sentence = N_("Took the call") if data["direction"] == "out" else N_("%(actor)s took their call")
    elif kind is EventType.RECEIVED and (row.get("spoken") or data.get("channel") == "voice"):
        icon, tone, sentence = "voicemail", "sun", N_("Left a voice message")
    elif kind is EventType.RECEIVED and data.get("channel") == "sms":
        icon, sentence = "mobile", _TEXTED.get(str(data.get("command")), N_("Wrote us an SMS"))
    words = {
        "campaign": row["campaign_name"] or subject or _("a message"),
        "subject": subject or "",
        "thing": name_link(row["link_label"], row["link_url"])
        if kind is EventType.CLICKED
        else quote(str(data.get("asset") or data.get("name") or data.get("url") or _("a file"))),
        "purpose": label("purpose", data.get("purpose", "")).lower() if data.get("purpose") else "",
        "task": row["task_title"] or "",
        "case": quote(row.get("case_title") or f"{data.get('kind', '')} {row.get('case_id') or ''}".strip()),
        "actor": row["actor_name"] or (_("A rule") if data.get("rule") else _("Somebody")),
        "field": field_label(str(data.get("field", ""))),
        "old": _shown(data.get("old")),
        "new": _shown(data.get("new")),
        "note": label("note_kind", data.get("kind", "note")),
    }
    if kind is EventType.TASK_OPENED and row["task_title"] is None:
        sentence = N_("A task of somebody else")
    detail = _detail(kind, data) or (" ".join(preview.split()) if kind in _SUBJECTS and preview else "")
    return EventLine(icon, tone, _(sentence) % words, detail)


def describe_call(direction: str, result: str | None, actor: str | None) -> str:
    """How a call that ended is told: "Rosa Martin called: nobody answered"."""
    _tone, sentence = _CALLS.get((direction, result or ""), ("", N_("A call ended")))
    return _(sentence) % {"actor": actor or _("Somebody")}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "–" if value is None or value == "" else str(value)


def _detail(kind: EventType, data: Mapping[str, Any]) -> str:
    if kind is EventType.TASK_DONE and data.get("outcome"):
        return label("outcome", data["outcome"])
    if kind in (EventType.REJECTED, EventType.BOUNCED, EventType.FAILED, EventType.DEFERRED):
        return str(data.get("reply") or data.get("reason") or "")
    if kind is EventType.CALL_ENDED and data.get("seconds"):
        return write_talk(int(data["seconds"]))
    if kind is EventType.TASK_DECLINED and data.get("reason"):
        return label("decline_reason", data["reason"])
    return ""


def describe_reason(task: Any) -> str:
    """Why a task exists, in one line: what the contact did."""
    if task.event_type is None:
        return str(task.title)
    data = task.event_data or {}
    return describe_event(
        {
            "type": task.event_type,
            "data": data,
            "campaign_name": task.campaign_name,
            "link_label": task.link_label,
            "link_url": task.link_url,
            "task_title": task.title,
            "actor_name": None,
        }
    ).sentence
