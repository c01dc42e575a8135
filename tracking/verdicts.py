"""Judge the hits of a message: was it a person, a machine, or can nobody say?

Pure functions on values: the same hits give the same verdicts, whoever judges, however often. One certain reason
makes a hit automatic; so do two doubts; one doubt leaves it unclear; none makes it human. Behaviour decides, the
agent only supports: security gateways come with browsers' names (field-notes.md, "Hits by machines").
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from domain.events import EventType, Verdict
from tracking.agents import fetches_ahead, fetches_on_view, is_robot
from tracking.settings import TrackingSettings


class Reason(StrEnum):
    """Why a hit was judged as it was; kept with the hit, and shown to people."""

    # Known when the request arrives; certain
    HEAD = "head"  #: asked with HEAD, which no mail program or browser does when a person clicks
    PREFETCH = "prefetch"  #: the browser or proxy said that it fetches ahead
    # Certain
    INVISIBLE_LINK = "invisible_link"  #: followed a link that no person can see
    BURST = "burst"  #: one of several different links of the message followed within seconds
    WALK = "walk"  #: one of several links that one address followed one after the other
    # Certain for a click or a download, a doubt for an open
    RIGHT_AFTER_DELIVERY = "right_after_delivery"  #: within seconds after the mail was delivered
    # Doubts
    BESIDE_AUTOMATIC = "beside_automatic"  #: from where an automatic hit came a moment before or after
    NO_OPEN_BEFORE = (
        "no_open_before"  #: clicked soon after delivery, with no open before that can be believed
    )
    IMAGE_PROXY = "image_proxy"  #: a proxy that fetches pictures whether or not anybody looks
    KNOWN_ROBOT = "known_robot"  #: the agent calls itself a program
    NO_AGENT = "no_agent"  #: the request named no agent
    # Keeps from being human, and weighs nothing beside other doubts
    UNKNOWN_DELIVERY = "unknown_delivery"  #: nobody knows when the mail arrived: perhaps a moment before
    # For a person
    AFTER_OPEN = "after_open"  #: a click some time after an open that nothing speaks against
    FOLLOWED_BY_CLICK = "followed_by_click"  #: an open after which a person clicked
    ORDINARY = "ordinary"  #: nothing speaks against a person


#: What the request alone gives away; the other reasons need the neighbours.
NOTED_AT_ARRIVAL: Final = frozenset({Reason.HEAD, Reason.PREFETCH})
#: A campaign's link with this label is laid for machines; a mail hides it from people.
INVISIBLE_LABEL: Final = "(invisible)"
#: A hit so long before the delivery it belongs to means that the delivery's time is not known after all.
_CLOCK_ROOM: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class SeenHit:
    """A recorded hit. `noted`: reasons of NOTED_AT_ARRIVAL. `arrived_at`: machine time."""

    event_id: int
    type: EventType
    arrived_at: datetime
    link_no: int | None = None
    address: str | None = None
    agent: str | None = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    noted: frozenset[Reason] = frozenset()


@dataclass(frozen=True, slots=True)
class Mail:
    """What is known of the message: when it was delivered (machine time), its links and those nobody can see.

    `delivered_by`: the time until which it was delivered if at all, where nobody knows more.
    """

    delivered_at: datetime | None
    links: int = 0
    invisible: frozenset[int] = frozenset()
    delivered_by: datetime | None = None


class Judgement(NamedTuple):
    """A verdict and its reasons, the weightiest first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def judge_message(hits: Iterable[SeenHit], mail: Mail, settings: TrackingSettings) -> Mapping[int, Judgement]:
    """The judgement of each hit of one message, by event id."""
    seen = sorted(hits, key=lambda hit: (hit.arrived_at, hit.event_id))
    clicks = [hit for hit in seen if hit.type is not EventType.OPENED]
    opens = [hit for hit in seen if hit.type is EventType.OPENED]
    burst = _find_burst(clicks, mail, settings)
    walk = _find_walk(clicks, mail, settings)
    certain = {hit.event_id: _certain_reasons(hit, mail, burst, walk, settings) for hit in seen}
    beside = _find_beside(seen, certain, settings)
    doubts = {hit.event_id: _doubts_of_agent(hit) for hit in seen}
    for hit in opens:
        doubts[hit.event_id] += _doubts_of_open(hit, mail, beside, settings)
    untimed = {hit.event_id for hit in seen if _is_untimed(hit, mail, settings)}

    believable = [
        hit.arrived_at
        for hit in opens
        if not certain[hit.event_id] and not doubts[hit.event_id] and hit.event_id not in untimed
    ]
    judged: dict[int, Judgement] = {}
    for hit in clicks:
        after_open = bool(believable) and believable[0] < hit.arrived_at
        if not after_open:
            if hit.event_id in beside:
                doubts[hit.event_id].append(Reason.BESIDE_AUTOMATIC)
            if _is_within(hit, mail, settings.suspicion_seconds):
                doubts[hit.event_id].append(Reason.NO_OPEN_BEFORE)
        trust = Reason.AFTER_OPEN if after_open else Reason.ORDINARY
        judged[hit.event_id] = _weigh(
            certain[hit.event_id], doubts[hit.event_id], trust, untimed=hit.event_id in untimed
        )

    by_people = [hit.arrived_at for hit in clicks if judged[hit.event_id].verdict is Verdict.HUMAN]
    for hit in opens:
        if by_people and by_people[-1] >= hit.arrived_at:
            judged[hit.event_id] = _weigh(certain[hit.event_id], (), Reason.FOLLOWED_BY_CLICK)
        else:
            judged[hit.event_id] = _weigh(
                certain[hit.event_id], doubts[hit.event_id], Reason.ORDINARY, untimed=hit.event_id in untimed
            )
    return judged


def _weigh(
    certain: Sequence[Reason], doubts: Sequence[Reason], trust: Reason, *, untimed: bool = False
) -> Judgement:
    if certain or len(doubts) >= 2:
        return Judgement(Verdict.MACHINE, (*certain, *doubts))
    if doubts:
        return Judgement(Verdict.UNSURE, tuple(doubts))
    if untimed:
        return Judgement(Verdict.UNSURE, (Reason.UNKNOWN_DELIVERY,))
    return Judgement(Verdict.HUMAN, (trust,))


def _certain_reasons(
    hit: SeenHit, mail: Mail, burst: Collection[int], walk: Collection[int], settings: TrackingSettings
) -> list[Reason]:
    reasons = sorted(hit.noted)
    if hit.type is EventType.OPENED:
        return reasons
    if hit.link_no is not None and hit.link_no in mail.invisible:
        reasons.append(Reason.INVISIBLE_LINK)
    if hit.event_id in burst:
        reasons.append(Reason.BURST)
    elif hit.event_id in walk:
        reasons.append(Reason.WALK)
    if _is_within(hit, mail, settings.scanner_seconds):
        reasons.append(Reason.RIGHT_AFTER_DELIVERY)
    return reasons


def _is_within(hit: SeenHit, mail: Mail, seconds: float) -> bool:
    """Whether the hit came less than `seconds` after the delivery (or just before its result was written)."""
    if mail.delivered_at is None:
        return False
    return -_CLOCK_ROOM <= hit.arrived_at - mail.delivered_at < timedelta(seconds=seconds)


def _is_untimed(hit: SeenHit, mail: Mail, settings: TrackingSettings) -> bool:
    """Whether nobody can tell how soon after delivery the hit came.

    So it is while the delivery has no result, and for what came long before a result that was late.
    """
    if mail.delivered_at is not None:
        return hit.arrived_at - mail.delivered_at < -_CLOCK_ROOM
    if mail.delivered_by is not None:
        return hit.arrived_at - mail.delivered_by < timedelta(seconds=settings.suspicion_seconds)
    return True


def _doubts_of_open(
    hit: SeenHit, mail: Mail, beside: Collection[int], settings: TrackingSettings
) -> list[Reason]:
    doubts = []
    early = _is_within(hit, mail, settings.scanner_seconds)
    if early:
        doubts.append(Reason.RIGHT_AFTER_DELIVERY)
    if hit.event_id in beside:
        doubts.append(Reason.BESIDE_AUTOMATIC)
    if hit.agent and (fetches_ahead(hit.agent) or (early and fetches_on_view(hit.agent))):
        doubts.append(Reason.IMAGE_PROXY)
    return doubts


def _doubts_of_agent(hit: SeenHit) -> list[Reason]:
    if not hit.agent:
        return [Reason.NO_AGENT]
    return [Reason.KNOWN_ROBOT] if is_robot(hit.agent) else []


def _find_burst(clicks: Sequence[SeenHit], mail: Mail, settings: TrackingSettings) -> set[int]:
    """The clicks that belong to a burst: so many different links, or all there are, within burst_seconds."""
    needed = settings.burst_links if mail.links < 2 else min(settings.burst_links, mail.links)
    return _find_crowds(clicks, needed, settings.burst_seconds)


def _find_walk(clicks: Sequence[SeenHit], mail: Mail, settings: TrackingSettings) -> set[int]:
    """The clicks of an address that walks through the mail within suspicion_seconds.

    In the first suspicion_seconds after delivery, burst_links different links are a walk. Later, when people read
    and choose, only all the links of a mail are, if it has more of them than that.
    """
    by_address: dict[str | None, list[SeenHit]] = {}
    for hit in clicks:
        by_address.setdefault(hit.address, []).append(hit)
    found: set[int] = set()
    for walked in by_address.values():
        soon = [hit for hit in walked if _is_within(hit, mail, settings.suspicion_seconds)]
        found |= _find_crowds(soon, settings.burst_links, settings.suspicion_seconds + _CLOCK_ROOM.seconds)
        if mail.links > settings.burst_links:
            found |= _find_crowds(walked, mail.links, settings.suspicion_seconds)
    return found


def _find_crowds(clicks: Sequence[SeenHit], needed: int, seconds: float) -> set[int]:
    """The clicks, of these in order, that are among `needed` different links followed within so many seconds."""
    window = timedelta(seconds=seconds)
    found: set[int] = set()
    inside: dict[int, int] = {}
    start = marked = 0
    for end, hit in enumerate(clicks):
        inside[hit.link_no or 0] = inside.get(hit.link_no or 0, 0) + 1
        while hit.arrived_at - clicks[start].arrived_at > window:
            left = clicks[start].link_no or 0
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            start += 1
        if len(inside) >= needed:
            found.update(each.event_id for each in clicks[max(start, marked) : end + 1])
            marked = end + 1
    return found


def _find_beside(
    seen: Sequence[SeenHit], certain: Mapping[int, Sequence[Reason]], settings: TrackingSettings
) -> set[int]:
    """Hits from the address of an automatic one, within beside_seconds of it; of a walk, within suspicion_seconds."""
    found: set[int] = set()
    for walking, seconds in ((False, settings.beside_seconds), (True, settings.suspicion_seconds)):
        automatic: dict[str, list[datetime]] = {}
        for hit in seen:
            reasons = certain[hit.event_id]
            if reasons and hit.address is not None and (not walking or Reason.WALK in reasons):
                automatic.setdefault(hit.address, []).append(hit.arrived_at)
        room = timedelta(seconds=seconds)
        for hit in seen:
            times = automatic.get(hit.address or "")
            if (
                times
                and not certain[hit.event_id]
                and bisect_right(times, hit.arrived_at + room) > bisect_left(times, hit.arrived_at - room)
            ):
                found.add(hit.event_id)
    return found
