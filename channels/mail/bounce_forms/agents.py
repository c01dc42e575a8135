"""Programs that put mail into a mailbox: Dovecot, mail.local, procmail, maildrop, vpopmail, vmailmgr."""

from __future__ import annotations

from typing import Final

#: What tells the program (lower case), then its complaints and the reason for each.
_AGENTS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "was automatically rejected:",
        (
            ("mailbox doesn't exist", "mailbox_unknown"),
            ("quota exceeded", "mailbox_full"),
            ("not enough disk space", "mailbox_full"),
        ),
    ),
    (
        "mail.local: ",
        (
            ("unknown user", "mailbox_unknown"),
            ("user unknown", "mailbox_unknown"),
            ("invalid mailbox path", "mailbox_unknown"),
            ("user missing home directory", "mailbox_unknown"),
            ("quota exceeded", "mailbox_full"),
            ("mailbox full", "mailbox_full"),
            ("temporary file write error", "system_failed"),
        ),
    ),
    (
        "procmail: ",
        (
            ("quota exceeded while writing", "mailbox_full"),
            ("no space left to finish writing", "system_full"),
        ),
    ),
    (
        "maildrop: ",
        (
            ("invalid user specified", "mailbox_unknown"),
            ("cannot find system user", "mailbox_unknown"),
            ("maildir over quota", "mailbox_full"),
        ),
    ),
    (
        "vdelivermail: ",
        (
            ("no mailbox here by that name", "mailbox_unknown"),
            ("account is locked", "recipient_refuses"),
            ("user does not exist, but will deliver to", "recipient_refuses"),
            ("is over quota", "mailbox_full"),
        ),
    ),
    (
        "vdeliver: ",
        (
            ("invalid or unknown", "mailbox_unknown"),
            ("does not refer to a virtual user", "mailbox_unknown"),
            ("quota violation", "mailbox_full"),
        ),
    ),
)


def agent_reason(text: str) -> tuple[str, str]:
    """The reason that a delivery agent gives in a text, and the line in which it does; both empty when none speaks."""
    lower = text.lower()
    for name, complaints in _AGENTS:
        start = lower.find(name)
        if start < 0:
            continue
        for complaint, reason in complaints:
            found = lower.find(complaint, start)
            if found >= 0:
                begin = text.rfind("\n", 0, found) + 1
                return reason, text[begin : begin + 500].split("\n")[0].strip()
    return "", ""
