"""What a call's result suggests as the outcome of the task that it was placed from; the person decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.calls import CallResult
from domain.tasks import CallOutcome

_SUGGESTED: Final[Mapping[CallResult, CallOutcome]] = {
    CallResult.ANSWERED: CallOutcome.REACHED,
    CallResult.NO_ANSWER: CallOutcome.NO_ANSWER,
    CallResult.BUSY: CallOutcome.CALL_AGAIN,
    CallResult.UNREACHABLE: CallOutcome.NO_ANSWER,
}


def suggest_outcome(result: str | None) -> CallOutcome | None:
    """The outcome that this result (domain.calls.CallResult) speaks for; None when it tells nothing of the contact."""
    return _SUGGESTED.get(CallResult(result)) if result else None
