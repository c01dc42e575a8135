"""What an HTTP answer of a provider, or its absence, means for a message: pure, the same for every provider.

Creating a message knows no idempotency key, so a request that may have been read is never repeated by itself
(promise 3). The provider says of its answers (www.twilio.com/docs/api/errors/20429, …/20500): 429 was never
processed; a 500 to a message may have sent it all the same. So 4xx are refusals, 503 with a time to come back is one
too, any other 5xx and every answer that we cannot read leave the message uncertain.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.messages import DeliveryState

#: Refusals that another attempt may overcome; auth_failed waits for an administrator, as it does for mail.
_PASSING = frozenset({"auth_failed", "throttled", "unavailable", "timeout"})


class Judgement(NamedTuple):
    """State and reason of a message after an attempt."""

    state: DeliveryState
    reason: str


def judge_answer(status: int, reason: str, *, has_retry_after: bool = False) -> Judgement:
    """What an answer that is no success means. `reason` is our word for the provider's code, `refused` without one."""
    if status == 429:
        return Judgement(DeliveryState.DEFERRED, "throttled")
    if status in (401, 403, 407) and reason == "refused":
        return Judgement(DeliveryState.DEFERRED, "auth_failed")
    if status == 408:
        return Judgement(DeliveryState.DEFERRED, "timeout")  # the server says that it got no whole request
    if 400 <= status < 500:
        state = DeliveryState.DEFERRED if reason in _PASSING else DeliveryState.REJECTED
        return Judgement(state, reason)
    if status == 503 and has_retry_after:
        return Judgement(DeliveryState.DEFERRED, "unavailable")
    if status >= 500:
        return Judgement(DeliveryState.UNCERTAIN, "unavailable")
    if 300 <= status < 400:
        return Judgement(
            DeliveryState.DEFERRED, "protocol_error"
        )  # nobody took it; redirects are not followed
    return Judgement(DeliveryState.UNCERTAIN, "protocol_error")


def judge_silence(reason: str, *, written: bool) -> Judgement:
    """What the end of a request without an answer means: before anything was written, trying again is safe."""
    return Judgement(DeliveryState.UNCERTAIN if written else DeliveryState.DEFERRED, reason)


def seconds_of(retry_after: str, longest: float) -> float | None:
    """Seconds that a Retry-After header asks for, at most `longest`; None when it says nothing we understand.

    Dates (RFC 9110, 10.2.3) are not read: providers of messages send seconds.
    """
    try:
        seconds = float(retry_after)
    except ValueError:
        return None
    return min(seconds, longest) if seconds >= 0 else None
