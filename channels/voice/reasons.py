"""One vocabulary for why a call did not come about; where the meaning is the same, the words are those of messages."""

from __future__ import annotations

from typing import Final

from channels.reasons import Reason

VOCABULARY: Final[dict[str, Reason]] = {
    # The number
    "number_invalid": Reason("This cannot be a phone number.", hard=True),
    "number_unknown": Reason("The number is not, or no longer, in service.", hard=True),
    "number_unreachable": Reason("The phone could not be reached."),
    "number_unsuitable": Reason("The number is a short code or a premium number."),
    "number_unverified": Reason("A trial account may call verified numbers only."),
    # The person
    "recipient_refuses": Reason("The phone, or its carrier, refuses calls from this number."),
    "busy": Reason("The phone is busy."),
    "no_answer": Reason("Nobody answered."),
    # Who calls
    "auth_failed": Reason("The provider refused our account or its key; check the settings of this channel."),
    "sender_refused": Reason("This number may not be shown as the caller's."),
    "region_closed": Reason("The account may not call this country; the provider's settings allow it."),
    "policy": Reason("The provider refuses the call for its rules."),
    # What is said
    "content_invalid": Reason("What is to be said is empty, too long or malformed."),
    "unsupported": Reason("The provider lacks a feature that the call needs."),
    # The way
    "cancelled": Reason("The call was withdrawn before anybody answered."),
    "connection_failed": Reason("The provider could not be reached."),
    "connection_lost": Reason("The connection to the provider broke."),
    "interrupted": Reason("Placing the call was interrupted on our side."),
    "protocol_error": Reason("The provider answered with something that we do not understand."),
    "throttled": Reason("The provider takes no more calls for now."),
    "timeout": Reason("The provider did not answer in time."),
    "unavailable": Reason("The provider or the network is unavailable for now."),
    # Nothing known
    "refused": Reason("The provider or the network refused without saying why."),
}
