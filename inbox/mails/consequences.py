"""What a bounce, a complaint or a report of delivery means for us. Pure.

A report is believed when it came to the address that only the message's own envelope names (VERP), or when it returns
a Message-ID of ours together with the address that this message went to. Whatever else calls itself a bounce is told
on the timeline of the address's owner, and has no consequences: anybody can write one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from channels.mail.bounces import Kind, Recipient
from domain.events import EventType, NewEvent
from inbox.mails.arrived import Arrived, address_of
from inbox.mails.deeds import Effect, EffectKind
from inbox.mails.known import Earlier, Known
from inbox.mails.placing import campaign_message
from inbox.mails.understanding import short_id

LONGEST_WORDS: Final = 500  #: characters of what a server said

_KINDS: Final = {
    Kind.BOUNCE: EffectKind.BOUNCED,
    Kind.COMPLAINT: EffectKind.COMPLAINED,
    Kind.DELIVERED: EffectKind.DELIVERED,
}
_EVENTS: Final = {
    EffectKind.BOUNCED: EventType.BOUNCED,
    EffectKind.DELAYED: EventType.DEFERRED,
    EffectKind.COMPLAINED: EventType.COMPLAINED,
    EffectKind.DELIVERED: EventType.DELIVERED,
}


def read_effects(arrived: Arrived, known: Known) -> list[Effect]:
    """One effect for each address that a report speaks of; for the message's own address when it names none."""
    report = arrived.understood.report
    kind = _KINDS[report.kind]
    by_token = next(
        (known.messages[one.message_id] for one in arrived.bounced if one.message_id in known.messages), None
    )
    if by_token is not None:
        return [_about(by_token, kind, _finding_for(arrived, by_token.address or ""))]
    returned = list(_returned(arrived, known))
    effects = []
    for finding in report.recipients:
        address = address_of(finding.address)
        message = next((one for one in returned if address and one.address == address), None)
        if message is not None:
            effects.append(_about(message, kind, finding))
        elif address in known.contacts:
            effects.append(
                Effect(
                    _kind(kind, finding),
                    address,
                    None,
                    known.contacts[address],
                    None,
                    None,
                    False,
                    **_facts(finding),
                )
            )
    if not report.recipients and len(returned) == 1 and kind is not EffectKind.BOUNCED:
        effects.append(_about(returned[0], kind, None))
    return effects


def _finding_for(arrived: Arrived, address: str) -> Recipient | None:
    """What the report says about an address; else about its only one, which may be where that is forwarded to."""
    findings = arrived.understood.report.recipients
    same = next((one for one in findings if address_of(one.address) == address), None)
    return same or (findings[0] if findings else None)


def _returned(arrived: Arrived, known: Known) -> Iterator[Earlier]:
    header_id = short_id(arrived.understood.report.message_id)
    for message in known.by_header.get(header_id, ()):
        if message.direction == "out":
            yield message
    if sent := campaign_message(arrived, known, header_id):
        yield sent


def _about(message: Earlier, kind: EffectKind, finding: Recipient | None) -> Effect:
    return Effect(
        _kind(kind, finding),
        message.address or "",
        message.id,
        message.contact_id,
        message.campaign_id,
        message.conversation_id,
        True,
        unsettled=message.state == "uncertain",
        **_facts(finding),
    )


def _kind(kind: EffectKind, finding: Recipient | None) -> EffectKind:
    """A warning that a mail is late is no bounce: the server goes on trying, and says so again when it gives up."""
    if kind is EffectKind.BOUNCED and finding is not None and finding.action == "delayed":
        return EffectKind.DELAYED
    return kind


def _facts(finding: Recipient | None) -> dict[str, Any]:
    if finding is None:
        return {}
    return {
        "hard": finding.hard,
        "status": finding.status,
        "reason": finding.reason,
        "words": finding.words[:LONGEST_WORDS],
    }


def tell_effect(effect: Effect, at: datetime, report_id: int) -> NewEvent:
    """The event of an effect; `report_id` is the message that says so."""
    data: dict[str, Any] = {"report": report_id, "address": effect.address, "proven": effect.proven}
    if effect.kind in (EffectKind.BOUNCED, EffectKind.DELAYED):
        data |= {"reason": effect.reason, "status": effect.status, "hard": effect.hard, "reply": effect.words}
    return NewEvent(
        _EVENTS[effect.kind],
        at,
        contact_id=effect.contact_id,
        message_id=effect.message_id,
        campaign_id=effect.campaign_id,
        conversation_id=effect.conversation_id,
        data={name: value for name, value in data.items() if value != ""},
    )


@dataclass(frozen=True, slots=True)
class SoftRow:
    """Soft bounces of an address in a row."""

    count: int
    first_at: datetime


def count_soft(before: SoftRow | None, at: datetime, window: timedelta) -> SoftRow:
    """The row after one more soft bounce; a new row when the last one began too long ago."""
    if before is None or at - before.first_at > window:
        return SoftRow(1, at)
    return SoftRow(before.count + 1, before.first_at)
