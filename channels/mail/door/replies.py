"""What the doors answer (RFC 5321, 4.2; enhanced status codes of RFC 3463)."""

from __future__ import annotations

from typing import Final

RECIPIENT_TAKEN: Final = "250 2.1.5 recipient ok"
TOO_MANY_RECIPIENTS: Final = "452 4.5.3 too many recipients, send the mail again for the others"
UNKNOWN_RECIPIENT: Final = "550 5.1.1 no such mailbox here"
NOT_NOW: Final = "451 4.3.0 we cannot take this now, try again later"
NO_ROOM: Final = "452 4.3.1 too many mails at a time, try again later"
TOO_LARGE: Final = "552 5.3.4 the mail is too large"
GO_ON: Final = "354 end data with <CR><LF>.<CR><LF>"
NEED_RECIPIENT: Final = "503 5.5.1 need RCPT command"
TOO_MANY_ERRORS: Final = "421 4.7.0 too many errors, try again later"
TOO_SLOW: Final = "421 4.4.2 too slow, closing the connection"


def taken(name: str) -> str:
    """The mail is safe; `name` is what we call it."""
    return f"250 2.0.0 taken as {name}" if name else "250 2.0.0 taken"
