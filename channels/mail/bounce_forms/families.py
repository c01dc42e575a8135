"""Every private form, in the order in which they are tried: the telling ones before those that resemble many."""

from __future__ import annotations

from typing import Final

from channels.mail.bounce_forms import (
    exchange,
    exim,
    gateways,
    groupware,
    postfix,
    providers,
    qmail,
    sendmail,
)
from channels.mail.bounce_forms.form import Form
from channels.mail.bounce_forms.notice import Notice
from channels.mail.bounce_forms.plain import is_by_machine

FORMS: Final[tuple[Form, ...]] = (
    *providers.FORMS,
    *gateways.FORMS,
    *groupware.FORMS,
    *exchange.FORMS,
    *exim.FORMS,
    *postfix.FORMS,
    *sendmail.FORMS,
    *qmail.FORMS,
)


#: The forms that are known by a header, each with those headers.
_HEADED: Final = tuple((form, headed) for form in FORMS if (headed := form.headed))


def find_form(notice: Notice) -> Form | None:
    """The form that a report has, or None."""
    by_machine = is_by_machine(notice)
    forms = FORMS if by_machine else _headed(notice)
    return next((form for form in forms if form.fits(notice, by_machine=by_machine)), None)


def _headed(notice: Notice) -> list[Form]:
    """The forms whose headers are there; in nearly every person's mail few or none."""
    names = notice.headers.keys()
    return [form for form, headed in _HEADED if not names.isdisjoint(headed)]
