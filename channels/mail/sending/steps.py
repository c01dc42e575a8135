"""Where a session stands: what the server's next reply answers, and how long we wait for it.

Plain numbers, because they are compared for every reply.

    MAIL ─▶ RCPT ─▶ DATA ─▶ (POURING ─▶) DOT ─▶ the next MAIL, or IDLE
      a refusal anywhere: the group's other replies, a LONE_DOT if 354 came all the same, RSET, the next MAIL
"""

from __future__ import annotations

from typing import Final

from channels.mail.settings import Timeouts

OPENING: Final = 0  #: greeting, EHLO, STARTTLS, AUTH; has its own timeouts
IDLE: Final = 1  #: nothing asked, no work
RSET: Final = 2
MAIL: Final = 3
RCPT: Final = 4
DATA: Final = 5
POURING: Final = 6  #: a long content is being written
DOT: Final = 7  #: the end of the content was written
LONE_DOT: Final = 8  #: an empty content was ended, for no recipient (RFC 2920 3.1)
QUIT: Final = 9
HUNG_UP: Final = 10  #: cut by us, asyncio has not told yet
GONE: Final = 11


def waits(timeouts: Timeouts) -> tuple[float, ...]:
    """Seconds to wait in each step, by the step's number."""
    forever = float("inf")
    by_step = {
        IDLE: timeouts.idle,
        RSET: timeouts.command,
        MAIL: timeouts.mail,
        RCPT: timeouts.rcpt,
        DATA: timeouts.data,
        POURING: timeouts.block,
        DOT: timeouts.dot,
        LONE_DOT: timeouts.dot,
        QUIT: timeouts.quit,
    }
    return tuple(by_step.get(step, forever) for step in range(GONE + 1))
