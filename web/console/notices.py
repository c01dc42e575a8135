"""What a page says right after something was done; the URL carries only the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.i18n import N_, _

NOTICES: Final[Mapping[str, str]] = {
    "signed_out": N_("You are signed out."),
    "welcome": N_("Welcome. Your account is ready."),
    "task_accept": N_("Accepted. It is on your list now."),
    "task_decline": N_("Declined. It went back, with your reason."),
    "task_reschedule": N_("Rescheduled."),
    "task_ask": N_("Asked. The task waits for the answer."),
    "task_answer": N_("Answered. The task is open for a decision again."),
    "task_start": N_("Started. Good luck with the call."),
    "task_finish": N_("Done. The outcome is on the timeline."),
    "task_cancel": N_("Cancelled."),
    "task_escalate": N_("Passed on to the supervisor."),
    "task_offer": N_("Offered again."),
    "conversation_assigned": N_("Assigned."),
    "conversation_moved": N_("Moved to the other queue."),
    "conversation_closed": N_("Closed. It opens again by itself when the contact writes."),
    "conversation_reopened": N_("Open again."),
    "conversation_waits": N_("It waits for the contact now. It opens again by itself when they write."),
    "conversation_junk": N_("Held as junk."),
    "conversation_cleared": N_("Not junk. It waits for an answer now."),
    "conversation_noted": N_("The note is saved. Only colleagues see it."),
    "conversation_parties": N_("Changed who takes part."),
    "conversation_contact": N_("The conversation is on their timeline now."),
    "conversation_joined": N_("The message belongs to this conversation now."),
    "conversation_apart": N_("The message stays in a conversation of its own."),
    "draft_dropped": N_("The draft is thrown away."),
    "answer_undone": N_("Taken back. Nothing was sent; your answer is below."),
    "case_opened": N_("The case is open."),
    "case_moved": N_("Moved to the other stage."),
    "case_closed": N_("The case is closed."),
    "case_reopened": N_("The case is open again."),
    "case_saved": N_("The case is saved."),
    "case_people": N_("Changed who has a part in the case."),
    "case_things": N_("Changed what belongs to the case."),
    "case_types_saved": N_("The types are saved. They hold from now on."),
    "queue_saved": N_("The queue is saved."),
    "suppression_lifted": N_("Taken off the list. Mail goes to this address again."),
    "suppression_added": N_("On the list. Nothing is sent to this address any more."),
    "unreadable_again": N_("It will be read again in a moment."),
    "unreadable_discarded": N_("Discarded."),
    "reply_sent": N_("Sent. It comes in at the front door, as if from outside."),
    "trick_added": N_("The carrier will misbehave so."),
    "trick_ended": N_("Taken back. The carrier behaves again."),
    "note_saved": N_("The note is on the timeline."),
    "contact_saved": N_("The contact is saved."),
    "consent_granted": N_("The consent is in the history."),
    "consent_withdrawn": N_("The withdrawal is in the history. It also works on mail already sent."),
    "campaign_saved": N_("The draft is saved."),
    "campaign_launch": N_("Launched. The messages are on their way."),
    "trial_sent": N_("The test is on its way to that phone."),
    "campaign_pause": N_("Paused. Nothing more leaves until you resume it."),
    "campaign_resume": N_("Resumed."),
    "unconfirmed_sent": N_("Noted: it arrived."),
    "unconfirmed_rejected": N_("Noted: it did not arrive."),
    "unconfirmed_queued": N_("It is sent again, in a moment."),
    "campaign_cancel": N_("Cancelled. What was sent stays sent."),
    "segment_saved": N_("The segment is saved."),
    "import_started": N_("The file is here; the import has started."),
    "user_saved": N_("The user is saved."),
    "team_saved": N_("The team is saved."),
    "token_ended": N_("The API token no longer works."),
    "notices_seen": N_("Seen."),
    "action_again": N_("It is tried again at once."),
    "action_given_up": N_("Given up. The rule's log keeps who said so."),
    "pause_lifted": N_("The pause is lifted. Campaigns are sent to them again."),
    "settings_saved": N_("Saved."),
    "call_placed": N_("Your phone rings. Take it, then we call."),
    "line_saved": N_("The phone line is saved. The next caller hears it."),
    "clock_advanced": N_("The demo's clock went forward."),
}


def notice_text(code: str) -> str:
    """The sentence of a code, translated; nothing for an unknown one."""
    return _(NOTICES[code]) if code in NOTICES else ""
