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
    # Certain for a click or a download, a doubt for an open
    RIGHT_AFTER_DELIVERY = "right_after_delivery"  #: within seconds after the mail was delivered
    # Doubts
    BESIDE_AUTOMATIC = "beside_automatic"  #: from where an automatic hit came a moment before or after
    NO_OPEN_BEFORE = "no_open_before"  #: clicked soon after delivery, though the pixel was never fetched
    IMAGE_PROXY = "image_proxy"  #: a proxy that fetches pictures whether or not anybody looks
    KNOWN_ROBOT = "known_robot"  #: the agent calls itself a program
    NO_AGENT = "no_agent"  #: the request named no agent
    # For a person
    AFTER_OPEN = "after_open"  #: a click some time after an open
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
    """What is known of the message: when it was delivered (machine time), its links and those nobody can see."""

    delivered_at: datetime | None
    links: int = 0
    invisible: frozenset[int] = frozenset()


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
    certain = {hit.event_id: _certain_reasons(hit, mail, burst, settings) for hit in seen}
    beside = _find_beside(seen, certain, settings)

    believable = [hit.arrived_at for hit in opens if not certain[hit.event_id]]
    judged: dict[int, Judgement] = {}
    for hit in clicks:
        doubts = _doubts_of_agent(hit)
        after_open = bool(believable) and believable[0] < hit.arrived_at
        if not after_open:
            if hit.event_id in beside:
                doubts.append(Reason.BESIDE_AUTOMATIC)
            if _is_within(hit, mail, settings.suspicion_seconds):
                doubts.append(Reason.NO_OPEN_BEFORE)
        trust = Reason.AFTER_OPEN if after_open else Reason.ORDINARY
        judged[hit.event_id] = _weigh(certain[hit.event_id], doubts, trust)

    by_people = [hit.arrived_at for hit in clicks if judged[hit.event_id].verdict is Verdict.HUMAN]
    for hit in opens:
        doubts = _doubts_of_agent(hit)
        if by_people and by_people[-1] >= hit.arrived_at:
            judged[hit.event_id] = _weigh(certain[hit.event_id], (), Reason.FOLLOWED_BY_CLICK)
            continue
        early = _is_within(hit, mail, settings.scanner_seconds)
        if early:
            doubts.append(Reason.RIGHT_AFTER_DELIVERY)
        if hit.event_id in beside:
            doubts.append(Reason.BESIDE_AUTOMATIC)
        if hit.agent and (fetches_ahead(hit.agent) or (early and fetches_on_view(hit.agent))):
            doubts.append(Reason.IMAGE_PROXY)
        judged[hit.event_id] = _weigh(certain[hit.event_id], doubts, Reason.ORDINARY)
    return judged


def _weigh(certain: Sequence[Reason], doubts: Sequence[Reason], trust: Reason) -> Judgement:
    if certain or len(doubts) >= 2:
        return Judgement(Verdict.MACHINE, (*certain, *doubts))
    if doubts:
        return Judgement(Verdict.UNSURE, tuple(doubts))
    return Judgement(Verdict.HUMAN, (trust,))


def _certain_reasons(
    hit: SeenHit, mail: Mail, burst: Collection[int], settings: TrackingSettings
) -> list[Reason]:
    reasons = sorted(hit.noted)
    if hit.type is EventType.OPENED:
        return reasons
    if hit.link_no is not None and hit.link_no in mail.invisible:
        reasons.append(Reason.INVISIBLE_LINK)
    if hit.event_id in burst:
        reasons.append(Reason.BURST)
    if _is_within(hit, mail, settings.scanner_seconds):
        reasons.append(Reason.RIGHT_AFTER_DELIVERY)
    return reasons


def _is_within(hit: SeenHit, mail: Mail, seconds: float) -> bool:
    """Whether the hit came less than `seconds` after the delivery (or just before its result was written)."""
    if mail.delivered_at is None:
        return False
    return -_CLOCK_ROOM <= hit.arrived_at - mail.delivered_at < timedelta(seconds=seconds)


def _doubts_of_agent(hit: SeenHit) -> list[Reason]:
    if not hit.agent:
        return [Reason.NO_AGENT]
    return [Reason.KNOWN_ROBOT] if is_robot(hit.agent) else []


def _find_burst(clicks: Sequence[SeenHit], mail: Mail, settings: TrackingSettings) -> set[int]:
    """The clicks that belong to a burst: so many different links, or all there are, within burst_seconds."""
    needed = settings.burst_links if mail.links < 2 else min(settings.burst_links, mail.links)
    window = timedelta(seconds=settings.burst_seconds)
    found: set[int] = set()
    inside: dict[int, int] = {}
    start = 0
    for end, hit in enumerate(clicks):
        inside[hit.link_no or 0] = inside.get(hit.link_no or 0, 0) + 1
        while hit.arrived_at - clicks[start].arrived_at > window:
            left = clicks[start].link_no or 0
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            start += 1
        if len(inside) >= needed:
            found.update(each.event_id for each in clicks[start : end + 1])
    return found


def _find_beside(
    seen: Sequence[SeenHit], certain: Mapping[int, Sequence[Reason]], settings: TrackingSettings
) -> set[int]:
    """Hits from the address of an automatic one, within beside_seconds of it."""
    automatic: dict[str, list[datetime]] = {}
    for hit in seen:
        if certain[hit.event_id] and hit.address is not None:
            automatic.setdefault(hit.address, []).append(hit.arrived_at)
    room = timedelta(seconds=settings.beside_seconds)
    found = set()
    for hit in seen:
        times = automatic.get(hit.address or "")
        if times and not certain[hit.event_id]:
            nearby = bisect_right(times, hit.arrived_at + room) - bisect_left(times, hit.arrived_at - room)
            if nearby:
                found.add(hit.event_id)
    return found
