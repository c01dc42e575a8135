"""One vocabulary for why a mail did not arrive: for replies while we send, and for bounces that come later.

Each word has a sentence for people, and says whether the address itself is at fault for good (hard: it is put on
the do-not-contact list) or something else is (soft: only a series of them counts). docs/bounces.md is written
from this table.
"""

from __future__ import annotations

from typing import Final

from channels.reasons import Reason

VOCABULARY: Final[dict[str, Reason]] = {
    # The address
    "address_invalid": Reason("The address is malformed.", hard=True),
    "domain_unknown": Reason("The domain of the address takes no mail.", hard=True),
    "domain_closed": Reason("The domain says that it takes no mail at all.", hard=True),
    "mailbox_moved": Reason("The person left this mailbox for another one.", hard=True),
    "mailbox_unknown": Reason("The mailbox does not exist.", hard=True),
    # The mailbox
    "mailbox_busy": Reason("The mailbox cannot be reached now."),
    "mailbox_disabled": Reason("The mailbox is closed."),
    "mailbox_full": Reason("The mailbox is full."),
    "recipient_refuses": Reason("The recipient's own rules or filter refuse the message."),
    # Who sends
    "authentication": Reason("SPF, DKIM or DMARC of the message did not satisfy the server."),
    "auth_failed": Reason(
        "The server wants a login or encryption, or refused our login; check the mail settings."
    ),
    "host_blocked": Reason("The server refuses our host or its network address."),
    "relaying_denied": Reason("The server does not take mail for this domain from us."),
    "reputation": Reason("The server mistrusts our host or domain for what it sent before."),
    "reverse_dns": Reason("The name of our host does not match its network address."),
    "sender_refused": Reason("The server refuses the sender's address."),
    # What is sent
    "content_invalid": Reason("The message is malformed."),
    "policy": Reason("The server refuses the message for its policy or its reputation lists."),
    "spam": Reason("The message was taken for spam."),
    "too_big": Reason("The message is too big."),
    "unsupported": Reason("The server lacks a feature that the message needs."),
    "virus": Reason("The message was taken for harmful."),
    # The way
    "connection_failed": Reason("The server could not be reached."),
    "connection_lost": Reason("The connection broke."),
    "expired": Reason("Delivery was given up, or still waits, after trying for a long time."),
    "greylisted": Reason("The server asks to try again later (greylisting)."),
    "interrupted": Reason("Sending was interrupted on our side."),
    "protocol_error": Reason("The server answered with something that is no SMTP."),
    "routing_failed": Reason("No way to the server was found, or the message went in circles."),
    "throttled": Reason("The server takes no more messages for now."),
    "timeout": Reason("The server did not answer in time."),
    "tls_failed": Reason("Encryption could not be agreed on, or the certificate is not valid."),
    "unavailable": Reason("The server is unavailable for now."),
    # The receiving system
    "program_failed": Reason("A program that sorts the recipient's mail failed."),
    "system_failed": Reason("Something on the receiving system failed or is wrongly set up."),
    "system_full": Reason("The receiving system has no room left."),
    # Nothing known
    "refused": Reason("The server refused without saying why."),
}


def is_hard(reason: str, status: str) -> bool:
    """Whether a refusal for this reason, with this status (RFC 3463, may be empty), condemns the address.

    A domain that cannot be found, or takes no mail, only for now (4.x.x) is not condemned; a mailbox that does not
    exist is, since servers that answer so with 4.x.x never change their mind.
    """
    if reason.startswith("domain_") and status.startswith("4"):
        return False
    known = VOCABULARY.get(reason)
    return known is not None and known.hard
