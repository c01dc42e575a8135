"""Every error that a room raises on purpose. The message is the sentence a person reads."""

from __future__ import annotations


class ClytieError(Exception):
    """Root of all errors raised on purpose; `str(error)` is fit for people to read."""


class InvalidInput(ClytieError):
    """Something from outside is wrong: names the field and the remedy.

    `field` is the name as the sender wrote it (`contacts[3].country`), `problem` what is wrong,
    `remedy` what to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{field}: {problem}" + (f" {remedy}" if remedy else ""))


class NotFound(ClytieError):
    """The thing that was asked for does not exist (or may not be seen by whoever asks)."""


class Conflict(ClytieError):
    """Somebody else was faster, or the state does not allow the move; nothing was changed."""


class Forbidden(ClytieError):
    """Whoever asks is known, and may not do this."""


class ConfigurationError(ClytieError):
    """A setting is missing or wrong. Never retried: an administrator has to act."""


class Unavailable(ClytieError):
    """A part of the house (the database, Redis) cannot be reached now; try again later."""


class UnsupportedFeature(ClytieError):
    """A channel was asked for something that its provider does not offer; never dropped in silence."""


class DeliveryError(ClytieError):
    """A message was not delivered. `permanent` tells whether trying again is pointless.

    `reply` holds the words of the other side. `uncertain` is set when the message may have arrived
    all the same (the answer to the final dot was lost): such a message is never sent again by itself.
    """

    def __init__(self, reply: str, *, permanent: bool, uncertain: bool = False) -> None:
        self.reply = reply
        self.permanent = permanent
        self.uncertain = uncertain
        super().__init__(reply)
