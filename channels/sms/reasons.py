"""One vocabulary for why a short message did not arrive; where the meaning is the same, the words are those of mail.

Hard words speak of the number: it is put on the do-not-contact list. `opted_out` is no fault of the number but
a will of its owner, and is handled as a withdrawal of consent (`WITHDRAWALS`).
"""

from __future__ import annotations

from typing import Final

from channels.reasons import Reason

VOCABULARY: Final[dict[str, Reason]] = {
    # The number
    "number_invalid": Reason("This cannot be a phone number.", hard=True),
    "number_unknown": Reason("The number is not, or no longer, in service.", hard=True),
    "number_fixed": Reason("The number is a landline that takes no short messages.", hard=True),
    "number_unsuitable": Reason("The number is a short code or a premium number.", hard=True),
    "number_unreachable": Reason("The phone could not be reached."),
    "number_unverified": Reason("A trial account may write to verified numbers only."),
    # The person
    "opted_out": Reason("The person answered STOP and gets no more messages from this sender."),
    "recipient_refuses": Reason("The recipient or the carrier blocks messages from this sender."),
    # Who sends
    "auth_failed": Reason("The provider refused our account or its key; check the settings of this channel."),
    "sender_refused": Reason("The sender's number or name may not be used for this message."),
    "sender_unregistered": Reason("The carrier wants this sender to be registered or verified first."),
    "region_closed": Reason("The account may not write to this country; the provider's settings allow it."),
    "too_expensive": Reason("The message would cost more than allowed, or the account has no credit left."),
    # What is sent
    "content_invalid": Reason("The message is empty or malformed."),
    "media_unreadable": Reason(
        "The provider or the carrier could not take a picture or file of the message."
    ),
    "policy": Reason("The provider refuses the message for its rules."),
    "spam": Reason("The message was taken for spam."),
    "too_big": Reason("The message is too long."),
    "unsupported": Reason("The provider or the carrier lacks a feature that the message needs."),
    # The way
    "cancelled": Reason("The message was withdrawn at the provider before it was sent."),
    "connection_failed": Reason("The provider could not be reached."),
    "connection_lost": Reason("The connection to the provider broke."),
    "expired": Reason("The message waited longer than its validity."),
    "interrupted": Reason("Sending was interrupted on our side."),
    "protocol_error": Reason("The provider answered with something that we do not understand."),
    "throttled": Reason("The provider or the carrier takes no more messages for now."),
    "timeout": Reason("The provider or the carrier did not answer in time."),
    "unavailable": Reason("The provider or the carrier is unavailable for now."),
    # Nothing known
    "refused": Reason("The provider or the carrier refused without saying why."),
}

#: Reasons that are a withdrawal of consent for this channel.
WITHDRAWALS: Final = frozenset({"opted_out"})


def is_hard(reason: str) -> bool:
    """Whether a refusal for this reason condemns the number."""
    known = VOCABULARY.get(reason)
    return known is not None and known.hard
