"""What a condition may ask about: every field with its kind and one line of documentation, and the check of a tree.

The same catalogue serves the predicate, the SQL of segments, the messages to people and the rules reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from domain.conditions import Compare, Condition, Did, Value, WorkingTime, parse_moment, parts_of
from domain.errors import InvalidInput

_DEPTH: Final = 40
_SIZE: Final = 1000


class FieldKind(StrEnum):
    """What a field holds, and so what it may be compared with."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    OPEN = "open"  #: whatever JSON value was recorded: text, a number, true or false
    LIST = "list"  #: several texts; it is what one of them is
    FLAG = "flag"  #: true or false


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of the catalogue. `name` ends in `.*` where a name of your own follows."""

    name: str
    kind: FieldKind
    doc: str


class Place(StrEnum):
    """Where a condition stands, which decides what it may ask about."""

    SEGMENT = "segment"  #: about contacts; events only inside `did ... where`
    RULE = "rule"  #: about an event and its contact


_T, _N, _M, _O = FieldKind.TEXT, FieldKind.NUMBER, FieldKind.MOMENT, FieldKind.OPEN
_L, _F = FieldKind.LIST, FieldKind.FLAG

FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        Field("contact.id", _N, "the contact's number"),
        Field("contact.kind", _T, "person or organisation"),
        Field("contact.name", _T, "the full name as it is shown"),
        Field("contact.given_name", _T, "the given name of a person"),
        Field("contact.family_name", _T, "the family name of a person"),
        Field("contact.organisation", _T, "the organisation as it was written"),
        Field("contact.relation", _T, "prospect, customer and the others of domain/contacts.py"),
        Field("contact.country", _T, "ISO 3166-1 code of two letters, such as FR"),
        Field("contact.language", _T, "ISO 639-1 code of two letters, such as fr"),
        Field("contact.timezone", _T, "IANA name, such as Europe/Paris"),
        Field("contact.owner_id", _N, "the number of the user who looks after the contact"),
        Field("contact.created_at", _M, "when the contact was first stored"),
        Field("contact.updated_at", _M, "when the contact was last changed"),
        Field("contact.email", _T, "the first mail address"),
        Field("contact.email_domain", _T, "what follows the @ of the first mail address"),
        Field("contact.phone", _T, "the first phone number, in the form +33123456789"),
        Field("contact.fields.*", _O, "a field of your own, as an import column fields.* brings it"),
        Field("contact.tags", _L, "the tags of the contact"),
        Field("event.id", _N, "the event's number"),
        Field("event.type", _T, "what happened, as in domain/events.py: Opened, Clicked and the others"),
        Field("event.occurred_at", _M, "when it happened"),
        Field(
            "event.verdict", _T, "who was behind a hit: human, machine or unsure; missing for other events"
        ),
        Field("event.link_no", _O, "the number of the link that was followed"),
        Field("event.asset", _O, "the name of the file that was downloaded"),
        Field("event.reason", _O, "why a delivery failed, or why a task was declined"),
        Field("event.field", _O, "the contact's field that Changed"),
        Field("event.old", _O, "the value before a change"),
        Field("event.new", _O, "the value after a change"),
        Field("event.purpose", _O, "the purpose that was Granted or Withdrawn"),
        Field("event.source", _O, "where consent was given or withdrawn"),
        Field("event.kind", _O, "what was Noted: a meeting, a letter, a fax, a chat or a visit"),
        Field("event.outcome", _O, "how a task ended"),
        Field("event.mailbox", _O, "the address or number of ours that a message came to"),
        Field("event.command", _O, "what a short message asks for by itself: stop, start or help"),
        Field("event.queue", _O, "the queue that a mail's conversation is in, by name"),
        Field(
            "event.automatic", _O, "why a mail counts as written by a machine; missing when a person wrote"
        ),
        Field("event.junk", _O, "why a mail counts as junk; missing when it does not"),
        Field(
            "event.spf",
            _O,
            "whether the sending host was allowed: pass, fail, softfail, neutral, none and others",
        ),
        Field(
            "event.dkim", _O, "whether a signature of the sender's domain holds: pass, fail, none and others"
        ),
        Field("event.dmarc", _O, "whether the From address is its domain's own: pass, fail, none and others"),
        Field("event.result", _O, "how a call ended: answered, no_answer, missed, voicemail and others"),
        Field("event.attachments", _O, "how many files a mail brought"),
        Field("event.direction", _O, "in for a call of theirs, out for one of ours"),
        Field(
            "event.result",
            _O,
            "how a call ended: answered, voicemail, missed, abandoned, no_answer and others",
        ),
        Field("event.seconds", _O, "how long a talk, or a message on a line, lasted"),
        Field("event.line", _O, "the number of ours that a call came to, or that was shown"),
        Field("event.message_id", _N, "the number of the message it belongs to"),
        Field("event.campaign_id", _N, "the number of the campaign it belongs to"),
        Field("event.conversation_id", _N, "the number of the conversation it belongs to"),
        Field("event.case_id", _N, "the number of the case it belongs to"),
        Field("event.task_id", _N, "the number of the task it belongs to"),
        Field("event.actor_id", _N, "the number of the user who did it"),
        Field("event.data.*", _O, "any other fact that the event carries"),
        Field("message.id", _N, "the message's number"),
        Field("message.direction", _T, "in or out"),
        Field("message.channel", _T, "mail, sms or voice"),
        Field("message.tracking_level", _T, "none, aggregate, deliverability or full"),
        Field("message.created_at", _M, "when the message was written or arrived"),
        Field("campaign.id", _N, "the campaign's number"),
        Field("campaign.name", _T, "the campaign's name"),
        Field("campaign.channel", _T, "mail, sms or voice"),
        Field("campaign.purpose", _T, "the consent purpose that it is sent for"),
        Field("campaign.launched_at", _M, "when its sending began"),
        Field("conversation.id", _N, "the conversation's number"),
        Field("conversation.state", _T, "open, waiting or closed"),
        Field("conversation.queue", _T, "the queue that it is in, by name"),
        Field("conversation.channel", _T, "mail, sms or voice: of its first message"),
        Field("conversation.subject", _T, "its subject"),
        Field("conversation.priority", _T, "low, normal, high or urgent"),
        Field("conversation.tags", _L, "the tags of the conversation"),
        Field("conversation.assignee_id", _N, "the number of the user who has it"),
        Field("conversation.messages", _N, "how many messages it has"),
        Field("conversation.created_at", _M, "when it began"),
        Field("content.subject", _T, "the subject of the event's message"),
        Field("content.text", _T, "what its author wrote, without quotes and signature"),
        Field("content.body", _T, "its whole text, quotes included"),
        Field("content.files_text", _T, "what its files say: text files and PDF"),
        Field("content.language", _T, "the language it is written in, as ISO 639-1: en, fr and others"),
        Field("content.sender", _T, "the address or number that it came from"),
        Field("content.recipients", _L, "the addresses it was sent to, copies included"),
        Field("content.file_names", _L, "the names of its files"),
        Field("content.file_types", _L, "the media types of its files, such as application/pdf"),
        Field("content.forwarded_from", _T, "the address of the original author of a forwarded mail"),
        Field("content.headers.*", _T, "a header of the mail, in small letters: content.headers.list-id"),
        Field("case.id", _N, "the number of the case that the event belongs to"),
        Field("case.kind", _T, "the type of the case"),
        Field("case.state", _T, "open or closed"),
        Field("case.stage", _T, "the stage that the case is in"),
        Field("case.title", _T, "its title"),
        Field("case.owner_id", _N, "the number of the user who looks after it"),
        Field("case.created_at", _M, "when it was opened"),
        Field("case.fields.*", _O, "a field of the case's type"),
        Field("task.id", _N, "the number of the task that the event is about"),
        Field("task.kind", _T, "what sort of work it is"),
        Field("task.state", _T, "offered, accepted, done and the others"),
        Field("task.priority", _T, "low, normal, high or urgent"),
        Field("task.title", _T, "its title"),
        Field("task.assignee_id", _N, "the number of the user who has it"),
        Field("task.decide_by", _M, "until when it has to be decided on"),
        Field("task.due", _M, "until when it has to be done"),
    )
}

_EQUALITY: Final = frozenset({"is", "is_not", "in"})
_PARTIAL: Final = frozenset({"contains", "starts_with", "mentions"})


def find_field(name: str, *, where: str = "field") -> Field:
    """The catalogue's entry for a field as it is written. Raises InvalidInput with the names that come near."""
    field = FIELDS.get(name)
    if field is not None and not name.endswith("*"):
        return field
    room, _, rest = name.partition(".")
    first, dot, own = rest.partition(".")
    if dot and own and f"{room}.{first}.*" in FIELDS:
        if f"event.{own}" in FIELDS and room == "event":
            raise InvalidInput(where, f"{name} has a name of its own;", f"write event.{own}.")
        return FIELDS[f"{room}.{first}.*"]
    near = get_close_matches(name, FIELDS, n=3)
    offer = f"Did you mean {' or '.join(near)}?" if near else ""
    known = ", ".join(key for key in FIELDS if key.startswith(f"{room}."))
    raise InvalidInput(where, f"there is no field {name}.", offer or f"Known are {known}.")


def check_condition(condition: Condition, place: Place, *, name: str = "condition") -> None:
    """See that every field exists, stands where it may, and is compared with what it can be compared with.

    `name` is how the sender calls the condition. Raises InvalidInput naming the place and the remedy.
    """
    for size, (where, part, inside_did, depth) in enumerate(_walk(condition, name), start=1):
        if depth > _DEPTH or size > _SIZE:
            raise InvalidInput(where, f"conditions go {_DEPTH} deep and have {_SIZE} parts at most.")
        if isinstance(part, Did) and inside_did:
            raise InvalidInput(
                where, "a did stands inside another one;", "join two did with all or any instead."
            )
        if place is Place.SEGMENT and isinstance(part, WorkingTime):
            raise InvalidInput(f"{where}.working_time", "works in rules only;", "leave it out of segments.")
        if place is Place.SEGMENT and isinstance(part, Did) and part.same is not None:
            raise InvalidInput(f"{where}.same", "works in rules only;", "leave it out of segments.")
        if isinstance(part, Compare):
            field = find_field(part.field, where=f"{where}.field")
            if place is Place.SEGMENT and (only := _only_in_rules(part)):
                raise InvalidInput(f"{where}.{only}", "works in rules only;", "leave it out of segments.")
            if place is Place.SEGMENT and not inside_did and not part.field.startswith("contact."):
                raise InvalidInput(
                    f"{where}.field",
                    f"{part.field} says nothing about a contact by itself;",
                    f"write it inside did, such as {{did: Opened, where: {{field: {part.field}, ...}}}}.",
                )
            if inside_did and not part.field.startswith(_OF_EVENTS):
                raise InvalidInput(
                    f"{where}.field",
                    f"{part.field} is not known of past events;",
                    "inside did, ask for contact.*, event.*, message.* or campaign.*.",
                )
            _check_operand(part, field, where)


#: what `did ... where` may ask of the events that it counts
_OF_EVENTS: Final = ("contact.", "event.", "message.", "campaign.")


def _only_in_rules(part: Compare) -> str | None:
    """The key of a comparison that is not made in SQL."""
    if part.operator == "mentions":
        return "mentions"
    return None if part.field.startswith(_OF_EVENTS) else "field"


def _walk(condition: Condition, name: str) -> Iterator[tuple[str, Condition, bool, int]]:
    stack: list[tuple[str, Condition, bool, int]] = [(name, condition, False, 1)]
    while stack:
        where, part, inside_did, depth = stack.pop()
        yield where, part, inside_did, depth
        inner = inside_did or isinstance(part, Did)
        stack += [
            (f"{where}.{step}", child, inner, depth + 1) for step, child in reversed(list(parts_of(part)))
        ]


def _check_operand(compare: Compare, field: Field, where: str) -> None:
    operator, value = compare.operator, compare.value
    place = f"{where}.{operator}"
    if operator == "missing" or field.kind is FieldKind.OPEN:
        return
    if operator in _PARTIAL:
        if field.kind not in (FieldKind.TEXT, FieldKind.LIST):
            raise InvalidInput(
                place, f"{compare.field} holds a {field.kind.value}, not text;", "use is or less."
            )
        return
    if operator in _EQUALITY:
        for one in value if operator == "in" else (value,):
            equality_operand(one, field, place)
        return
    if field.kind in (FieldKind.TEXT, FieldKind.LIST, FieldKind.FLAG):
        raise InvalidInput(
            place,
            f"{compare.field} holds {_HOLDS[field.kind]}, which has no order;",
            "use is, in or contains.",
        )
    if (field.kind is FieldKind.NUMBER) != isinstance(value, int | float):
        raise InvalidInput(
            place, f"{compare.field} holds a {field.kind.value};", f"compare it with a {field.kind.value}."
        )


_HOLDS: Final = {FieldKind.TEXT: "text", FieldKind.LIST: "a list of texts", FieldKind.FLAG: "true or false"}


def equality_operand(value: Value, field: Field, place: str) -> object:
    """What `is` really compares a field of a fixed kind with. Raises InvalidInput when it cannot be equal."""
    match field.kind:
        case FieldKind.FLAG if isinstance(value, bool):
            return value
        case FieldKind.FLAG:
            raise InvalidInput(place, f"{field.name} holds true or false;", "write one of them.")
        case FieldKind.TEXT | FieldKind.LIST if isinstance(value, str):
            return value
        case FieldKind.TEXT | FieldKind.LIST:
            raise InvalidInput(place, f"{field.name} holds text;", f'write "{value}" in quotes.')
        case FieldKind.NUMBER if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case FieldKind.NUMBER:
            raise InvalidInput(place, f"{field.name} holds a number;", "write a number without quotes.")
        case FieldKind.MOMENT:
            moment = parse_moment(value) if isinstance(value, str) else None
            if moment is None:
                raise InvalidInput(
                    place, f"{field.name} holds a moment;", "write it like 2026-03-01T09:30:00Z."
                )
            return moment
    return value


def describe_fields() -> list[Field]:
    """The whole catalogue in its order, for documentation and forms."""
    return list(FIELDS.values())
