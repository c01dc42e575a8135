"""Reasons for refusals: one vocabulary, what is hard, and how words, statuses and replies lead to a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.mail.bounce_forms.codes import find_command, find_reply, find_status, prefer_status
from channels.mail.bounce_forms.failure import Failure
from channels.mail.bounce_forms.families import FORMS
from channels.mail.bounce_forms.judging import judge, status_reason
from channels.mail.bounce_forms.phrases import PHRASES
from channels.mail.bounce_reference import write_reference
from channels.mail.bounces import classify
from channels.mail.reasons import VOCABULARY, is_hard
from channels.mail.sending.outcomes import REASONS
from tests.channels.bounce_mails import status_report

PAGE = Path(__file__).parents[2] / "docs" / "bounces.md"


def reason_of(words: str, status: str = "", command: str = "", host: str = "") -> str:
    return judge(Failure("who@there.example", words=words, status=status, command=command, host=host))[0]


def test_the_page_is_in_step_with_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_reference(), (
        "run: python -m channels.mail.bounce_reference > docs/bounces.md"
    )


def test_replies_and_bounces_share_one_vocabulary() -> None:
    assert set(REASONS) == set(VOCABULARY)
    assert all(reason.gloss.endswith(".") for reason in VOCABULARY.values())


def test_tables_use_only_words_of_the_vocabulary() -> None:
    assert set(PHRASES) <= set(VOCABULARY)
    assert {reason for form in FORMS for _, reason in form.hints} <= set(VOCABULARY)
    statuses = [f"{kind}.{subject}.{detail}" for kind in "45" for subject in range(8) for detail in range(40)]
    assert {status_reason(status) for status in statuses} <= {"", *VOCABULARY}


def test_phrases_are_in_lower_case_and_hints_too() -> None:
    for phrase in (
        *(one for group in PHRASES.values() for one in group),
        *(one for form in FORMS for one, _ in form.hints),
    ):
        assert phrase == phrase.lower()  # fmt: skip


def test_what_speaks_against_an_address_is_hard() -> None:
    hard = {word for word in VOCABULARY if is_hard(word, "5.0.0")}
    assert hard == {"address_invalid", "domain_closed", "domain_unknown", "mailbox_moved", "mailbox_unknown"}


@pytest.mark.parametrize("reason", ["domain_unknown", "domain_closed"])
def test_a_domain_that_is_missing_only_for_now_is_not_condemned(reason: str) -> None:
    assert not is_hard(reason, "4.4.4")


def test_an_unknown_reason_is_soft() -> None:
    assert not is_hard("whatever", "5.1.1")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("550 5.1.1 <who@there.example>: Recipient address rejected: User unknown in virtual table", "mailbox_unknown"),
        ("550-5.1.1 The email account that you tried to reach does not exist. gsmtp", "mailbox_unknown"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "mailbox_unknown"),
        ("552 5.2.2 The email account that you tried to reach is over quota", "mailbox_full"),
        ("452 4.2.2 Mailbox full", "mailbox_full"),
        ("550 5.2.1 The email account that you tried to reach is disabled", "mailbox_disabled"),
        ("550 5.1.6 recipient no longer on server", "mailbox_moved"),
        ("550 5.7.26 Unauthenticated email from x.example is not accepted due to domain's DMARC policy", "authentication"),
        ("550 5.7.23 The message was rejected because of Sender Policy Framework violation", "authentication"),
        ("550 5.7.25 The IP address sending this message does not have a PTR record setup", "reverse_dns"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "host_blocked"),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "host_blocked"),
        ("554 5.7.1 Relay access denied", "relaying_denied"),
        ("554 5.7.1 This message has been identified as spam", "spam"),
        ("552 5.3.4 Message size exceeds fixed limit", "too_big"),
        ("421 4.7.0 Too many connections from your host", "throttled"),
        ("450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages", "throttled"),
        ("550 5.4.6 Hop count exceeded - possible mail loop", "routing_failed"),
        ("556 5.1.10 there.example does not accept mail (nullMX)", "domain_closed"),
        ("550 5.1.2 Host unknown (Name server: there.example: host not found)", "domain_unknown"),
        ("554 5.7.0 Virus detected in your message", "virus"),
        ("550 5.7.1 Message rejected due to local policy", "policy"),
        ("451 4.3.0 Temporary system problem. Try again later", "system_failed"),
        ("550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]", "spam"),
        ("550 5.5.0 Adresse d au moins un destinataire invalide. Invalid recipient. LPN416 [416]", "mailbox_unknown"),
        ("554 IB103 Connection refused. This IP address has a poor reputation", "reputation"),
        ("550 5.1.0 192.0.2.1 is blocked. AUP#CXBL", "host_blocked"),
        ("550 AUP#1310", "throttled"),
        ("550 http://mail.i.ua/err/4/", "mailbox_full"),
        ("550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized", "sender_refused"),
        ("503 Improper sequence of commands", "protocol_error"),
        ("something that nobody ever read", "refused"),
    ],
)  # fmt: skip
def test_words_of_servers_lead_to_a_reason(words: str, reason: str) -> None:
    assert reason_of(words) == reason


@pytest.mark.parametrize(
    ("host", "words", "status", "reason"),
    [
        (
            "x.mail.protection.outlook.com",
            "550 Recipient address rejected: Access denied",
            "5.4.1",
            "mailbox_unknown",
        ),
        (
            "",
            "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable",
            "",
            "mailbox_unknown",
        ),
        (
            "x.protection.outlook.com",
            "550 5.7.509 Access denied, sending domain does not pass",
            "",
            "authentication",
        ),
        ("mx1.mail.icloud.com", "550 Inactive email address", "", "mailbox_unknown"),
        ("smtp.secureserver.net", "550 recipient not found", "", "mailbox_unknown"),
        ("mx.cox.net", "550 recipient rejected", "", "mailbox_unknown"),
        ("x.mimecast.com", "550 Invalid Recipient", "", "mailbox_unknown"),
        ("mx3.qq.com", "550 Mailbox not found", "", "mailbox_unknown"),
        ("mx3.qq.com", "550 Connection frequency limited", "", "throttled"),
        ("mta6.am0.yahoodns.net", "554 dd This user doesn't have a yahoo.com account", "", "mailbox_unknown"),
        ("lsean.ezweb.ne.jp", "550 <who@there.example>: User unknown", "", "mailbox_unknown"),
        ("lsean.ezweb.ne.jp", "550 : User unknown", "", "recipient_refuses"),
        ("mfsmax.docomo.ne.jp", "552 too much mail data", "", "mailbox_full"),
    ],
)
def test_some_receivers_mean_more_by_their_words(host: str, words: str, status: str, reason: str) -> None:
    assert reason_of(words, status, host=host) == reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("550-5.7.1 This message does not have authentication information or fails to pass 550-5.7.1 authentication "
         "checks. 550 5.7.1 See the page", "authentication"),
        ("delivery temporarily suspended: connect to mx[192.0.2.1]: Connection timed out", "expired"),
    ],
)  # fmt: skip
def test_what_servers_put_between_their_words_does_not_hide_them(words: str, reason: str) -> None:
    assert reason_of(words) == reason


@pytest.mark.parametrize(
    ("status", "command", "reason"),
    [
        ("5.1.1", "", "mailbox_unknown"),
        ("5.0.0", "RCPT", "mailbox_unknown"),
        ("5.0.0", "DATA", "recipient_refuses"),
        ("5.0.0", "", "recipient_refuses"),
        ("5.2.0", "RCPT", "mailbox_unknown"),
        ("5.2.1", "DATA", "recipient_refuses"),
    ],
)
def test_an_unknown_user_is_believed_at_rcpt_or_with_its_status(
    status: str, command: str, reason: str
) -> None:
    assert reason_of("550 User unknown", status, command) == reason


@pytest.mark.parametrize(
    ("failure", "reason", "status"),
    [
        (Failure("a@b.example", words="452 try later"), "refused", "4.0.0"),
        (Failure("a@b.example", words="a temporary problem"), "refused", "4.0.0"),
        (Failure("a@b.example", words="550 no"), "refused", "5.0.0"),
        (Failure("a@b.example", words=""), "refused", "5.0.0"),
        (Failure("a@b.example", action="delayed"), "expired", "5.0.0"),
        (Failure("a@b.example", status="5.2.2"), "mailbox_full", "5.2.2"),
        (Failure("a@b.example", words="exit 75", local=True), "program_failed", "5.0.0"),
    ],
)
def test_a_class_is_derived_where_no_status_is_given(failure: Failure, reason: str, status: str) -> None:
    assert judge(failure)[:2] == (reason, status)


@pytest.mark.parametrize(
    ("words", "status", "reply"),
    [
        ("550 5.1.1 unknown", "5.1.1", "550"),
        ("host mx [192.0.2.55] said: 550-5.7.26 no", "5.7.26", "550"),
        ("version 5.0.1.2 at 5.4.3.1", "", ""),
        ("Exim v4.2.1 4.4.7 then 5.2.2", "5.2.2", ""),
        ("250 ok then 421 busy", "", "421"),
        ("port 25550", "", ""),
        ("", "", ""),
    ],
)
def test_codes_are_told_from_versions_and_addresses(words: str, status: str, reply: str) -> None:
    assert (find_status(words), find_reply(words)) == (status, reply)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("(in reply to RCPT TO command)", "RCPT"),
        ("SMTP error from remote mail server after end of data", "DATA"),
        ("did not like our final DATA:", "DATA"),
        ("after MAIL FROM:<a@b.example> SIZE=1", "MAIL"),
        ("refused to talk to me: 554", "EHLO"),
        ("Connected to 192.0.2.1 but greeting failed.", "CONN"),
        ("no hint", ""),
    ],
)
def test_the_refused_command_is_told_by_many_words(words: str, command: str) -> None:
    assert find_command(words) == command


@pytest.mark.parametrize(
    ("given", "found", "reply", "better"),
    [
        ("", "5.1.1", "", "5.1.1"),
        ("5.0.0", "5.1.1", "550", "5.1.1"),
        ("5.3.0", "5.1.1", "550", "5.1.1"),
        ("4.4.7", "5.1.1", "", "5.1.1"),
        ("5.1.1", "4.2.2", "452", "4.2.2"),
        ("5.2.2", "5.0.0", "552", "5.2.2"),
        ("5.2.1", "5.7.1", "550", "5.2.1"),
    ],
)
def test_of_two_statuses_the_more_telling_is_believed(
    given: str, found: str, reply: str, better: str
) -> None:
    assert prefer_status(given, found, reply) == better


@pytest.mark.parametrize("status", ["5.1.7", "5.1.8", "4.1.7", "4.1.8"])
@pytest.mark.parametrize("host", ["", "mx1.mail.icloud.com", "x.mimecast.com", "x.outlook.com", "mx.cox.net"])
@pytest.mark.parametrize(
    "words",
    sorted(phrase for reason, phrases in PHRASES.items() if VOCABULARY[reason].hard for phrase in phrases),
)
def test_a_status_about_the_senders_address_condemns_no_recipient(words: str, host: str, status: str) -> None:
    for command in ("", "MAIL", "RCPT", "DATA"):
        failure = Failure(
            "who@there.example", words=f"550 {status} {words}", status=status, command=command, host=host
        )
        reason, judged, _ = judge(failure)
        assert judged == status
        assert not is_hard(reason, judged)


@pytest.mark.parametrize(
    "words",
    [
        "553 5.1.7 <us@hub.example>: Sender address rejected: bad address syntax",
        "550 5.1.8 <us@hub.example>: Sender address rejected: Domain not found",
        "553 5.1.8 Domain of sender address us@hub.example does not exist",
        "550 5.1.8 Sender address rejected: User unknown in virtual mailbox table",
    ],
)
def test_a_bounce_about_our_own_address_is_soft_and_named_so(words: str) -> None:
    raw = status_report(
        f"Final-Recipient: rfc822; who@there.example\nAction: failed\nStatus: {words[4:9]}\nDiagnostic-Code: smtp; {words}"
    )
    (recipient,) = classify(raw).recipients
    assert recipient.reason == "sender_refused"
    assert not recipient.hard
