"""The words people read for values that the code uses; one table per kind of value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.i18n import N_, _

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {
        "administrator": N_("Administrator"),
        "marketer": N_("Marketer"),
        "rep": N_("Sales rep"),
        "agent": N_("Support agent"),
        "manager": N_("Team manager"),
    },
    "task_state": {
        "offered": N_("to decide"),
        "needs_information": N_("waits for an answer"),
        "accepted": N_("accepted"),
        "declined": N_("declined"),
        "rescheduled": N_("rescheduled"),
        "in_progress": N_("in progress"),
        "done": N_("done"),
        "cancelled": N_("cancelled"),
        "escalated": N_("escalated"),
    },
    "task_kind": {
        "callback": N_("Call back"),
        "todo": N_("To do"),
        "interview": N_("Interview"),
    },
    "task_move": {
        "accept": N_("Accept"),
        "decline": N_("Decline"),
        "reschedule": N_("Reschedule"),
        "ask": N_("Ask for information"),
        "answer": N_("Answer"),
        "start": N_("Start"),
        "finish": N_("Complete"),
        "cancel": N_("Cancel the task"),
        "escalate": N_("Escalate"),
        "offer": N_("Offer again"),
    },
    "priority": {
        "low": N_("low"),
        "normal": N_("normal"),
        "high": N_("high"),
        "urgent": N_("urgent"),
    },
    "outcome": {
        "reached": N_("Reached"),
        "interested": N_("Interested"),
        "not_interested": N_("Not interested"),
        "no_answer": N_("No answer"),
        "voicemail": N_("Left a voice message"),
        "wrong_number": N_("Wrong number"),
        "call_again": N_("Wants another call"),
        "done": N_("Done"),
        "not_possible": N_("Not possible"),
        "held": N_("It took place"),
        "not_held": N_("It did not take place"),
    },
    "decline_reason": {
        "not_mine": N_("Not my area"),
        "no_time": N_("No time"),
        "not_relevant": N_("Not relevant any more"),
        "duplicate": N_("Done already, by another task"),
        "other": N_("Another reason"),
    },
    "hit_reason": {
        "head": N_("asked with HEAD, as no person does"),
        "prefetch": N_("fetched ahead by a program"),
        "invisible_link": N_("followed a link that no person can see"),
        "burst": N_("several links within seconds"),
        "walk": N_("several links from one address, one after the other"),
        "right_after_delivery": N_("seconds after delivery"),
        "beside_automatic": N_("beside an automatic hit"),
        "no_open_before": N_("clicked soon after delivery, with no believable open before"),
        "image_proxy": N_("fetched by a picture proxy"),
        "known_robot": N_("a program that names itself"),
        "no_agent": N_("a request that names no program"),
        "unknown_delivery": N_("nobody knows when the mail arrived"),
        "after_open": N_("some time after an open"),
        "followed_by_click": N_("followed by a click"),
        "ordinary": N_("nothing speaks against a person"),
    },
    "campaign_state": {
        "draft": N_("draft"),
        "running": N_("sending"),
        "paused": N_("paused"),
        "cancelled": N_("cancelled"),
        "done": N_("all sent"),
    },
    "delivery_state": {
        "queued": N_("waiting"),
        "claimed": N_("being sent"),
        "sending": N_("being sent"),
        "sent": N_("sent"),
        "deferred": N_("will be tried again"),
        "rejected": N_("rejected"),
        "uncertain": N_("delivery unconfirmed"),
        "cancelled": N_("withdrawn before sending"),
    },
    "delivery_reason": {
        "address_invalid": N_("The address is malformed."),
        "auth_failed": N_(
            "The server wants a login or encryption, or refused our login; check the mail settings."
        ),
        "connection_failed": N_("The server could not be reached."),
        "connection_lost": N_("The connection broke."),
        "content_invalid": N_("The message is malformed."),
        "domain_unknown": N_("The domain of the address takes no mail."),
        "greylisted": N_("The server asks to try again later (greylisting)."),
        "interrupted": N_("Sending was interrupted on our side."),
        "mailbox_busy": N_("The mailbox cannot be reached now."),
        "mailbox_disabled": N_("The mailbox is closed."),
        "mailbox_full": N_("The mailbox is full."),
        "mailbox_unknown": N_("The mailbox does not exist."),
        "policy": N_("The server refuses the message for its policy or its reputation lists."),
        "protocol_error": N_("The server answered with something that is no SMTP."),
        "throttled": N_("The server takes no more messages for now."),
        "timeout": N_("The server did not answer in time."),
        "tls_failed": N_("Encryption could not be agreed on, or the certificate is not valid."),
        "too_big": N_("The message is too big."),
        "unavailable": N_("The server is unavailable for now."),
        "unsupported": N_("The server lacks a feature that the message needs."),
        "refused": N_("The server refused without saying why."),
        "contact_gone": N_("The contact was removed."),
        "lease_expired": N_("The process that sent it ended meanwhile."),
        "channel_broke": N_("Something broke on our side while sending."),
        "suppressed": N_("The address is on the do-not-contact list."),
    },
    "verdict": {
        "human": N_("human"),
        "machine": N_("automatic"),
        "unsure": N_("unclear"),
    },
    "hits": {
        "Opened": N_("Opens"),
        "Clicked": N_("Clicks"),
        "Downloaded": N_("Downloads"),
    },
    "purpose": {
        "newsletter": N_("Receive the newsletter"),
        "measure": N_("Have opens and clicks recorded"),
        "personalise": N_("Have content chosen for them"),
        "profile": N_("Be scored and grouped"),
        "calls": N_("Be called for prospecting"),
    },
    "consent_state": {
        "granted": N_("granted"),
        "withdrawn": N_("withdrawn"),
        "never": N_("never asked"),
    },
    "contact_kind": {
        "person": N_("person"),
        "organisation": N_("organisation"),
    },
    "relation": {
        "prospect": N_("prospect"),
        "customer": N_("customer"),
        "supplier": N_("supplier"),
        "partner": N_("partner"),
        "distributor": N_("distributor"),
        "employee": N_("employee"),
        "candidate": N_("candidate"),
        "journalist": N_("journalist"),
        "citizen": N_("citizen"),
        "other": N_("other"),
    },
    "import_state": {
        "waiting": N_("waiting"),
        "running": N_("running"),
        "done": N_("finished"),
        "failed": N_("failed"),
        "cancelled": N_("stopped"),
    },
    "rule_result": {
        "acted": N_("acted"),
        "held": N_("waited for a verdict"),
        "repeated": N_("already done"),
        "refused": N_("condition not met"),
        "failed": N_("failed"),
    },
    "tracking_policy": {
        "none": N_("count nothing"),
        "aggregate": N_("count anonymously"),
        "deliverability": N_("count anonymously, and keep the day of the last open"),
    },
    "note_kind": {
        "call": N_("Call"),
        "meeting": N_("Meeting"),
        "letter": N_("Letter"),
        "fax": N_("Fax"),
        "chat": N_("Chat"),
        "visit": N_("Visit"),
        "note": N_("Note"),
    },
}


def label(kind: str, value: object) -> str:
    """The word for a value in the current language; a value the table does not know stands for itself."""
    text = str(getattr(value, "value", value))
    known = WORDS[kind].get(text)
    return _(known) if known else text.replace("_", " ")
