"""May I call? By who the contact is, where they live, and what they said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.call_basis import CallBasis, CallRefusal, find_call_right
from domain.consent import ConsentState

BEFORE = datetime(2026, 8, 10, 12, tzinfo=UTC)
NOW = datetime(2026, 8, 11, 12, tzinfo=UTC)
YES, NO = ConsentState.GRANTED, ConsentState.WITHDRAWN
ANA: dict[str, Any] = {"kind": "person", "relation": "prospect", "country": "FR"}


@pytest.mark.parametrize(
    ("contact", "entries", "now", "asked", "expected"),
    [
        pytest.param({}, [], BEFORE, None, CallBasis.NO_OBJECTION, id="a French consumer before the day"),
        pytest.param({}, [], NOW, None, CallRefusal.NO_CONSENT, id="a French consumer since the day"),
        pytest.param({"country": None}, [], NOW, None, CallRefusal.NO_CONSENT, id="an unknown country"),
        pytest.param({"country": "DE"}, [], BEFORE, None, CallRefusal.NO_CONSENT, id="another country"),
        pytest.param({"country": "XX"}, [], NOW, None, CallBasis.NO_OBJECTION, id="one of the settings"),
        pytest.param({}, [(BEFORE, YES)], NOW, None, CallBasis.CONSENT, id="consent"),
        pytest.param({}, [(BEFORE, YES), (NOW, NO)], NOW, None, CallRefusal.WITHDRAWN, id="taken back"),
        pytest.param({}, [(NOW, YES), (BEFORE, NO)], NOW, None, CallBasis.CONSENT, id="given again"),
        pytest.param({}, [(NOW, NO), (NOW, YES)], NOW, None, CallRefusal.WITHDRAWN, id="both at once"),
        pytest.param({"relation": "customer"}, [], NOW, None, CallBasis.CONTRACT, id="a customer"),
        pytest.param(
            {"relation": "customer"},
            [(BEFORE, NO)],
            NOW,
            None,
            CallRefusal.WITHDRAWN,
            id="a customer who objects",
        ),
        pytest.param({"kind": "organisation"}, [], NOW, None, CallBasis.PROFESSIONAL, id="a company"),
        pytest.param(
            {"organisation": "Dubreuil SA"}, [], NOW, None, CallBasis.PROFESSIONAL, id="of a company"
        ),
        pytest.param({"relation": "journalist"}, [], NOW, None, CallBasis.PROFESSIONAL, id="a journalist"),
        pytest.param(
            {"kind": "organisation"},
            [(BEFORE, NO)],
            NOW,
            None,
            CallRefusal.WITHDRAWN,
            id="a company that objects",
        ),
        pytest.param({}, [], NOW, NOW, CallBasis.REQUEST, id="an own request"),
        pytest.param({}, [(BEFORE, NO)], NOW, NOW, CallBasis.REQUEST, id="an own request after an objection"),
        pytest.param({}, [(NOW, NO)], NOW, BEFORE, CallRefusal.WITHDRAWN, id="an objection after a request"),
    ],
)
def test_the_law_asks_who_where_and_what_they_said(
    contact: dict[str, Any],
    entries: list[tuple[datetime, ConsentState]],
    now: datetime,
    asked: datetime | None,
    expected: object,
) -> None:
    right = find_call_right(ANA | contact, entries, now, asked_at=asked, silent={"XX"})
    assert (right.basis or right.refusal) is expected
    assert (right.basis is None) is isinstance(expected, CallRefusal)


def test_what_was_said_later_was_not_known_then() -> None:
    assert find_call_right(ANA, [(NOW, NO)], BEFORE).basis is CallBasis.NO_OBJECTION
    assert find_call_right(ANA, [(BEFORE, YES)], NOW).written() == {
        "basis": "consent",
        "since": BEFORE.isoformat(),
    }


moments = st.integers(-5, 5).map(lambda days: NOW + timedelta(days=days))


@given(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["person", "organisation"]),
            "relation": st.sampled_from(["prospect", "customer", "journalist", "citizen"]),
            "country": st.sampled_from(["FR", "DE", None]),
            "organisation": st.sampled_from([None, "Dubreuil SA"]),
        }
    ),
    st.lists(st.tuples(moments, st.sampled_from([YES, NO]))),
    moments,
)
def test_nobody_who_said_no_last_is_called_without_asking_for_it(
    contact: dict[str, Any], entries: list[tuple[datetime, ConsentState]], asked: datetime
) -> None:
    past = [entry for entry in entries if entry[0] <= NOW]
    objections = [at for at, state in past if state is NO]
    consents = [at for at, state in past if state is YES]
    right = find_call_right(contact, entries, NOW)
    if objections and (not consents or max(objections) >= max(consents)):
        assert right.refusal is CallRefusal.WITHDRAWN
        again = find_call_right(contact, entries, NOW, asked_at=asked)
        assert (again.basis is CallBasis.REQUEST) is (asked > max(objections))
    elif consents:
        assert right.basis is CallBasis.CONSENT
