"""Who may do what: the one table of roles and permissions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is here for."""

    ADMINISTRATOR = "administrator"
    MARKETER = "marketer"
    REP = "rep"
    AGENT = "agent"
    MANAGER = "manager"


class Permission(StrEnum):
    """One thing that a page or a route of the API asks for."""

    TASKS_WORK = "tasks.work"  #: see and move one's own tasks and those of one's teams
    TASKS_SUPERVISE = "tasks.supervise"  #: see and move everybody's tasks
    CONTACTS_SEE = "contacts.see"
    CONTACTS_EDIT = "contacts.edit"
    CONSENTS_EDIT = "consents.edit"
    IMPORTS_RUN = "imports.run"
    CAMPAIGNS_SEE = "campaigns.see"
    CAMPAIGNS_EDIT = "campaigns.edit"
    CAMPAIGNS_LAUNCH = "campaigns.launch"  #: launch, pause, resume, cancel
    MESSAGES_SEND = "messages.send"  #: single mails through the API, by other programs
    RULES_SEE = "rules.see"
    MAILBOX_SEE = "mailbox.see"  #: the test mailbox and the test phones
    CONVERSATIONS_WORK = "conversations.work"  #: see, answer and move those of one's teams and open queues
    CONVERSATIONS_SUPERVISE = "conversations.supervise"  #: those of every queue that is not confidential
    CASES_WORK = "cases.work"  #: see and work on those that are not confidential, and on one's own
    CASES_SETUP = "cases.setup"  #: their types
    QUEUES_EDIT = "queues.edit"
    QUARANTINE_WORK = "quarantine.work"  #: messages that could not be read
    SUPPRESSIONS_SEE = "suppressions.see"  #: the do-not-contact list
    SUPPRESSIONS_EDIT = "suppressions.edit"
    PEOPLE_ADMINISTER = "people.administer"  #: users and teams
    CLOCK_ADVANCE = "clock.advance"  #: demo only


_P, _R = Permission, Role
_EVERYBODY: Final = frozenset(Role)

GRANTS: Final[Mapping[Permission, frozenset[Role]]] = {
    _P.TASKS_WORK: _EVERYBODY,
    _P.TASKS_SUPERVISE: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.CONTACTS_SEE: _EVERYBODY,
    _P.CONTACTS_EDIT: _EVERYBODY,
    _P.CONSENTS_EDIT: _EVERYBODY,
    _P.IMPORTS_RUN: frozenset({_R.ADMINISTRATOR, _R.MARKETER}),
    _P.CAMPAIGNS_SEE: frozenset({_R.ADMINISTRATOR, _R.MARKETER, _R.MANAGER}),
    _P.CAMPAIGNS_EDIT: frozenset({_R.ADMINISTRATOR, _R.MARKETER}),
    _P.CAMPAIGNS_LAUNCH: frozenset({_R.ADMINISTRATOR, _R.MARKETER}),
    _P.MESSAGES_SEND: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.RULES_SEE: frozenset({_R.ADMINISTRATOR, _R.MARKETER, _R.MANAGER}),
    _P.MAILBOX_SEE: frozenset({_R.ADMINISTRATOR, _R.MARKETER}),
    _P.CONVERSATIONS_WORK: frozenset({_R.ADMINISTRATOR, _R.MANAGER, _R.AGENT, _R.REP}),
    _P.CONVERSATIONS_SUPERVISE: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.CASES_WORK: _EVERYBODY,
    _P.CASES_SETUP: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.QUEUES_EDIT: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.QUARANTINE_WORK: frozenset({_R.ADMINISTRATOR, _R.MANAGER}),
    _P.SUPPRESSIONS_SEE: _EVERYBODY,
    _P.SUPPRESSIONS_EDIT: frozenset({_R.ADMINISTRATOR, _R.MANAGER, _R.MARKETER, _R.AGENT}),
    _P.PEOPLE_ADMINISTER: frozenset({_R.ADMINISTRATOR}),
    _P.CLOCK_ADVANCE: _EVERYBODY,
}


#: in a demo everybody may be Claire, read her mail and take her phone
OPEN_IN_DEMOS: Final = frozenset({Permission.MAILBOX_SEE})


def may(role: Role, permission: Permission) -> bool:
    """Tell whether people of this role have the permission."""
    return role in GRANTS[permission]
