"""The main menu: what each role finds there, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from web.access.people import Person
from web.access.permissions import OPEN_IN_DEMOS, Permission
from web.i18n import N_


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `icon` is a macro of icons.html. `primary` ones stand in the bar at the foot of a phone."""

    path: str
    title: str
    icon: str
    permission: Permission
    primary: bool = False


MENU: Final = (
    Entry("/tasks", N_("Tasks"), "tasks", Permission.TASKS_WORK, primary=True),
    Entry(
        "/conversations", N_("Conversations"), "conversations", Permission.CONVERSATIONS_WORK, primary=True
    ),
    Entry("/undecided", N_("Undecided"), "alert", Permission.CONVERSATIONS_SUPERVISE),
    Entry("/contacts", N_("Contacts"), "contacts", Permission.CONTACTS_SEE, primary=True),
    Entry("/cases", N_("Cases"), "case", Permission.CASES_WORK),
    Entry("/calls", N_("Calls"), "calls", Permission.TASKS_WORK),
    Entry("/presence", N_("Who is there"), "clock", Permission.TASKS_SUPERVISE),
    Entry("/campaigns", N_("Campaigns"), "campaigns", Permission.CAMPAIGNS_SEE, primary=True),
    Entry("/imports", N_("Imports"), "imports", Permission.IMPORTS_RUN),
    Entry("/mailbox", N_("Test mailbox"), "mailbox", Permission.MAILBOX_SEE),
    Entry("/phone", N_("Test phone"), "mobile", Permission.MAILBOX_SEE),
    Entry("/rules", N_("Rules"), "rules", Permission.RULES_SEE),
    Entry("/failed-actions", N_("Failed actions"), "broken", Permission.RULES_SEE),
    Entry("/queues", N_("Queues"), "queues", Permission.QUEUES_EDIT),
    Entry("/lines", N_("Phone lines"), "phone", Permission.QUEUES_EDIT),
    Entry("/unreadable", N_("Unreadable messages"), "broken", Permission.QUARANTINE_WORK),
    Entry("/do-not-contact", N_("Do-not-contact list"), "ban", Permission.SUPPRESSIONS_SEE),
    Entry("/mailboxes", N_("Mailboxes"), "doors", Permission.PEOPLE_ADMINISTER),
    Entry("/people", N_("People"), "people", Permission.PEOPLE_ADMINISTER),
)


def entries_for(person: Person, demo: bool = False) -> tuple[Entry, ...]:
    """The entries that this person may open."""
    opened = OPEN_IN_DEMOS if demo else frozenset()
    return tuple(entry for entry in MENU if person.may(entry.permission) or entry.permission in opened)
