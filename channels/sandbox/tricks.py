"""How the test mailbox misbehaves on command, so that every ending of a delivery can be seen and tested.

A recipient's tag chooses: mail to `anna+reject@example.org` is rejected. The table can be changed while the
door is open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Trick(StrEnum):
    """What the door does with a mail to a recipient."""

    TAKE = "take"  #: store it and answer 250
    DEFER = "defer"  #: 451 to RCPT
    FULL = "full"  #: 452 to RCPT: the mailbox is full
    REJECT = "reject"  #: 550 to RCPT: no such mailbox
    SPAM = "spam"  #: 554 to the content
    LOST = "lost"  #: drop the connection after the final dot; nothing is stored
    KEPT = "kept"  #: store it, then drop the connection instead of answering
    SLOW = "slow"  #: answer after `Tricks.slow_seconds`


#: The replies to RCPT of the tricks that refuse there.
RCPT_REPLIES: dict[Trick, str] = {
    Trick.DEFER: "451 4.3.0 deferred on request",
    Trick.FULL: "452 4.2.2 mailbox full on request",
    Trick.REJECT: "550 5.1.1 no such mailbox, on request",
}
CONTENT_REFUSED = "554 5.7.1 content refused on request"


@dataclass
class Tricks:
    """Which trick applies to whom: the recipient's tag (the part after `+`), else `everybody`."""

    by_tag: dict[str, Trick] = field(default_factory=lambda: {trick.value: trick for trick in Trick})
    everybody: Trick = Trick.TAKE
    slow_seconds: float = 2.0

    def choose(self, recipient: str) -> Trick:
        """The trick for this recipient."""
        local = recipient.rpartition("@")[0]
        tag = local.rpartition("+")[2] if "+" in local else ""
        return self.by_tag.get(tag.lower(), self.everybody)
