"""What a worker knows of the domains: rests that end, one probe at a time, letters before campaigns, odd spellings."""

from __future__ import annotations

import pytest

from domain.messages import DeliveryState, Outbound, Outcome
from outbox.addresses import LETTERS
from outbox.domains import Domains
from outbox.limits import DomainLimits
from outbox.queue import Claimed, monotonic
from outbox.settings import OutboxSettings


def claimed(message_id: int, address: str = "ada@busy.example", campaign_id: int = 1) -> Claimed:
    return Claimed(message_id, 0, 1, campaign_id, 0, address, "mail")


def message(message_id: int, address: str = "ada@busy.example") -> Outbound:
    return Outbound(message_id, 1, "news@example.org", address, b"")


def put_off(message_id: int) -> Outcome:
    return Outcome(message_id, 1, DeliveryState.DEFERRED, "451 4.7.0 slow down", "unavailable")


def resting(**changes: object) -> Domains:
    """Domains of which busy.example has put us off often enough for a rest."""
    domains = Domains(OutboxSettings().model_copy(update=changes))
    for number in (1, 2, 3):
        domains.note(message(number), put_off(number))
    return domains


def test_one_message_at_a_time_finds_out_whether_a_domain_takes_mail_again() -> None:
    domains = resting()
    after = monotonic() + 60
    assert domains.rest("busy.example", after)[0] == 1
    assert domains.begin("busy.example", claimed(4), after)
    assert domains.rest("busy.example", after + 1)[0] == 0  # in later steps, too, until there is an answer
    domains.note(message(9), Outcome(9, 1, DeliveryState.DEFERRED, "", "connection_lost"))
    assert domains.rest("busy.example", after + 1)[0] == 0
    domains.drop([claimed(4)])  # it was not marked
    assert domains.rest("busy.example", after + 1)[0] == 1
    domains.begin("busy.example", claimed(5), after + 1)
    domains.note(message(5), Outcome(5, 1, DeliveryState.SENT, "250 ok"))
    assert domains.rest("busy.example", after + 2) == (None, 0.0)


@pytest.mark.parametrize("reason", ["interrupted", "connection_lost", "timeout"])
def test_what_says_nothing_about_a_domain_does_not_end_its_rest(reason: str) -> None:
    domains = resting()
    domains.note(message(4), Outcome(4, 1, DeliveryState.DEFERRED, "", reason))
    assert domains.resting


def test_a_domain_that_gets_no_more_mail_is_forgotten() -> None:
    domains = resting(domain_rest_limit=100.0)
    domains.forget_old(monotonic() + 100)
    assert domains.resting
    domains.forget_old(monotonic() + 200)
    assert not domains.resting


def test_letters_wait_before_campaigns_and_do_not_use_up_each_others_room() -> None:
    domains = Domains(OutboxSettings(domains={"busy.example": DomainLimits(at_once=1)}))
    assert domains.begin("busy.example", claimed(1), monotonic())
    campaign = [claimed(number) for number in range(2, 7)]
    assert [domains.keep("busy.example", row) for row in campaign] == [True] * 4 + [False]
    assert domains.keep("busy.example", claimed(7, campaign_id=LETTERS))
    assert domains.recall(10) == []
    domains.drop([claimed(1)])
    assert [row.message_id for row in domains.recall(10)] == [7]


def test_what_is_not_ours_any_more_takes_no_place() -> None:
    domains = Domains(OutboxSettings(domains={"busy.example": DomainLimits(at_once=1)}))
    first, second = claimed(1), claimed(2)
    domains.begin("busy.example", first, monotonic())
    domains.keep("busy.example", second)
    domains.forget([first, second])
    assert domains.begin("busy.example", claimed(3), monotonic())
    assert domains.drain() == []


@pytest.mark.parametrize(
    "written", ["MÜLLER.example", "müller.example", "xn--mller-kva.Example", " müller.example "]
)
def test_a_domain_is_known_however_the_settings_write_it(written: str) -> None:
    domains = Domains(
        OutboxSettings(domains={written: DomainLimits(per_minute=5)}, providers={written: ("ÉTÉ.example",)})
    )
    assert domains.windows(domains.key("ada@xn--mller-kva.example")) == ((60, 5),)
    assert domains.windows(domains.key("ada@xn--t-9fab.example")) == ((60, 5),)
