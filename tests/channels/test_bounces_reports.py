"""Standard reports: delivery status (RFC 3464), complaints (RFC 5965), receipts (RFC 8098), automatic answers (RFC 3834)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from channels.mail.bounces import Kind, Recipient, classify
from tests.channels.bounce_mails import RETURNED, complaint, head, status_report

FAILED = """\
Final-Recipient: rfc822; who@there.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.there.example
Diagnostic-Code: smtp; 550 5.1.1 <who@there.example>... User Unknown"""


def test_a_delivery_status_tells_whom_why_and_about_which_mail() -> None:
    report = classify(
        status_report(
            FAILED,
            message_fields="Reporting-MTA: dns; relay.example\nArrival-Date: Mon, 20 Jul 2026 14:00:00 +0200",
        )
    )
    assert report.kind is Kind.BOUNCE
    assert report.recipients == (
        Recipient(
            "who@there.example", "5.1.1", "550", "mailbox_unknown", True, "550 5.1.1 <who@there.example>... User Unknown",
            "failed",
        ),
    )  # fmt: skip
    assert report.message_id == "original@clytie.example"
    assert report.reporter == "relay.example"
    assert report.arrival == datetime(2026, 7, 20, 12, tzinfo=UTC)
    assert report.token == "Tok-1"


@pytest.mark.parametrize(
    "fields",
    [
        "final-recipient:RFC822;<who@there.example>\nstatus:5.1.1\naction:failed",
        "Action: failed\nFinal-Recipient: rfc822; who@there.example\nStatus: 5.1.1 (user unknown)",
        "Original-Recipient: rfc822;who@there.example\nAction: failed\nStatus: 5.1.1",
        "Original-Recipient: rfc822; who@there.example\nFinal-Recipient: x400; /cn=who/\nStatus: 5.1.1\nAction: failed",
        "Final-Recipient: who@there.example\n\nAction: failed\nStatus: 5.1.1",
        "Final-Recipient: rfc822; who@there.example\nAction: failure\nStatus: 5.0.0\n"
        "Diagnostic-Code: smtp;\n 550\n 5.1.1 User\n unknown",
    ],
)
def test_sloppy_fields_are_understood(fields: str) -> None:
    report = classify(status_report(fields))
    (recipient,) = report.recipients
    assert (report.kind, recipient.address, recipient.status, recipient.hard) == (
        Kind.BOUNCE,
        "who@there.example",
        "5.1.1",
        True,
    )


def test_fields_are_found_without_any_mime() -> None:
    raw = head("MAILER-DAEMON@x.example", "Returned mail: Service unavailable") + "\nSorry.\n\n" + FAILED
    (recipient,) = classify(raw.encode()).recipients
    assert recipient.address == "who@there.example"


def test_a_wrong_boundary_is_seen_through() -> None:
    raw = status_report(FAILED).replace(b'boundary="=_r"', b'boundary="other"')
    (recipient,) = classify(raw).recipients
    assert (recipient.address, recipient.reason) == ("who@there.example", "mailbox_unknown")


def test_each_recipient_is_told_once_and_those_that_arrived_are_left_out() -> None:
    fields = f"{FAILED}\n\n{FAILED}\n\n" + FAILED.replace("who@", "else@").replace(
        "failed", "delivered"
    ).replace("5.1.1", "2.0.0").replace("550", "250")
    report = classify(status_report(fields))
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]


def test_a_notice_of_delivery_is_no_bounce() -> None:
    report = classify(
        status_report("Final-Recipient: rfc822; who@there.example\nAction: delivered\nStatus: 2.0.0")
    )
    assert report.kind is Kind.DELIVERED
    assert report.recipients == (Recipient("who@there.example", "2.0.0"),)


def test_a_delay_is_soft_whatever_the_day_brings() -> None:
    report = classify(
        status_report(
            "Final-Recipient: rfc822; who@there.example\nAction: delayed\nStatus: 4.4.1\n"
            "Diagnostic-Code: smtp; connect to mx.there.example: Connection timed out"
        )
    )
    (recipient,) = report.recipients
    assert (recipient.reason, recipient.status, recipient.hard) == ("expired", "4.4.1", False)
    assert recipient.action == "delayed"


def test_a_server_that_gave_up_is_not_one_that_goes_on_trying() -> None:
    given_up = classify(
        status_report("Final-Recipient: rfc822; who@there.example\nAction: expired\nStatus: 4.4.7")
    )
    (recipient,) = given_up.recipients
    assert (recipient.reason, recipient.action) == ("expired", "expired")


@pytest.mark.parametrize(
    "subject",
    [
        "Warning: message 1aBcDe-0001fG-2H delayed 24 hours",
        "Warning: could not send message for past 4 hours",
        "Delayed Mail (still being retried)",
        "Delivery Status Notification (Delay)",
    ],
)
def test_a_warning_for_people_is_a_delay_too(subject: str) -> None:
    report = classify(
        f"From: Mail Delivery System <MAILER-DAEMON@mx.there.example>\nTo: us@hub.example\nSubject: {subject}\n\n"
        "A message that you sent has not yet been delivered to one or more of its recipients.\n"
        "The address to which the message has not yet been delivered is:\n\n  who@there.example\n"
        "    Delay reason: host mx.there.example [192.0.2.1]: connection refused\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n"
        "From: us@hub.example\nTo: who@there.example\nSubject: May letter\n\nHello\n".encode()
    )
    assert [(one.address, one.action, one.hard) for one in report.recipients] == [
        ("who@there.example", "delayed", False)
    ]


def test_the_transcript_speaks_where_the_report_says_little() -> None:
    report = classify(
        status_report(
            "Final-Recipient: rfc822; who@there.example\nAction: failed\nStatus: 5.0.0",
            text="   ----- Transcript of session follows -----\n... while talking to mx.there.example.:\n"
            ">>> RCPT To:<who@there.example>\n<<< 550 <who@there.example>... User Unknown\n"
            "550 <who@there.example>... User unknown",
        )
    )
    (recipient,) = report.recipients
    assert (recipient.reason, recipient.hard) == ("mailbox_unknown", True)


def test_postfix_tells_the_command_in_its_text_only() -> None:
    fields = "Final-Recipient: rfc822; who@there.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 user unknown"
    text = "This is the mail system at host mx.\n\n<who@there.example>: host mx[192.0.2.1] said: 550 user unknown (in reply to {} command)"
    (at_rcpt,) = classify(status_report(fields, text.format("RCPT TO"))).recipients
    (at_data,) = classify(status_report(fields, text.format("end of DATA"))).recipients
    assert (at_rcpt.reason, at_rcpt.hard) == ("mailbox_unknown", True)
    assert (at_data.reason, at_data.hard) == ("recipient_refuses", False)


def test_a_report_in_html_alone_is_read() -> None:
    raw = (
        head("System Administrator <postmaster@there.example>", "Undeliverable: Spring",
             "X-Mailer: Internet Mail Service (5.5.2653.19)", 'Content-Type: multipart/mixed; boundary="b"')
        + "\nThis message is in MIME format.\n\n--b\nContent-Type: text/html\n\n<title>who@wrong.example</title>\n"
        "Your message<BR>\ndid not reach the following recipient(s):<BR>\n"
        "who@there.example on Mon, 20 Jul 2026 12:00:00 +0000<BR>\n&nbsp; MSEXCH:IMS:A:B:C 0 (000C05A6) Unknown Recipient<BR>\n"
        "--b--\n"
    )  # fmt: skip
    (recipient,) = classify(raw.encode()).recipients
    assert (recipient.address, recipient.reason) == ("who@there.example", "mailbox_unknown")


def test_an_old_transcript_names_a_recipient_as_it_was_sent() -> None:
    raw = (
        head("Mail Delivery Subsystem <MAILER-DAEMON@x.example>", "Returned mail: Too many hops")
        + "\n   ----- The following addresses had permanent fatal errors -----\ninner@hidden.example\n"
        "    (expanded from: who@there.example)\n\n   ----- Transcript of session follows -----\n554 Too many hops 26\n\n"
        "   ----- Message header follows -----\n\nTo: list@clytie.example\n"
    )  # fmt: skip
    (recipient,) = classify(raw.encode()).recipients
    assert (recipient.address, recipient.reason) == ("who@there.example", "routing_failed")


@pytest.mark.parametrize(
    ("sender", "subject", "text", "reason"),
    [
        ("Gateway@x.example", "Delivery failure notification",
         "Your message could not be delivered to the following recipients:\n\nwho@there.example\n", "refused"),
        ("Postmaster@x.example", "Mail Delivery Warning",
         "Delivery of email to this address\n\n\"who@there.example\"\n\nhas been postponed due to a full mailbox.\n", "mailbox_full"),
        ("MAILER-DAEMON@x.example", "Hello", "邮件无法\n\n<who@there.example>:\n", "refused"),
        ("Mail_Service@x.example", "Returned Mail - Error During Delivery",
         "------ Failed Recipients ------\n\n<who@there.example>: mailbox full [SMTP Error Code 552]\n", "mailbox_full"),
    ],
)  # fmt: skip
def test_a_form_that_nobody_described_is_understood_by_its_regret(
    sender: str, subject: str, text: str, reason: str
) -> None:
    report = classify((head(sender, subject) + "\n" + text).encode())
    assert report.kind is Kind.BOUNCE
    assert [(one.address, one.reason) for one in report.recipients] == [("who@there.example", reason)]


def test_a_daemon_without_fields_is_still_heard() -> None:
    raw = status_report("", text="Something went wrong.")
    report = classify(raw)
    assert report.kind is Kind.BOUNCE
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]


def test_a_forwarding_gateway_does_not_hide_a_bounce() -> None:
    raw = (
        head("MAILER-DAEMON@gateway.example", "Quarantine notice", 'Content-Type: multipart/mixed; boundary="=_g"')
        + "\n--=_g\nContent-Type: text/plain\n\nsee below\n--=_g\nContent-Type: message/rfc822\n\n"
    ).encode() + status_report(FAILED) + b"\n--=_g--\n"  # fmt: skip
    (recipient,) = classify(raw).recipients
    assert recipient.reason == "mailbox_unknown"


def test_a_report_in_the_returned_mail_is_another_matter() -> None:
    inner = status_report(FAILED.replace("who@", "else@")).decode()
    raw = status_report(FAILED).replace(RETURNED.encode(), inner.encode().replace(b"=_r", b"=_inner"))
    assert [recipient.address for recipient in classify(raw).recipients] == ["who@there.example"]


def test_a_complaint_tells_who_complained_about_which_mail() -> None:
    report = classify(
        complaint(
            "Feedback-Type: abuse\nUser-Agent: Provider/1\nVersion: 1\nOriginal-Rcpt-To: <who@there.example>\n"
            "Arrival-Date: Mon, 20 Jul 2026 12:00:00 +0000\nReporting-MTA: dns; fbl.provider.example"
        )
    )
    assert report.kind is Kind.COMPLAINT
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]
    assert (report.feedback_type, report.reporter) == ("abuse", "fbl.provider.example")
    assert report.message_id == "original@clytie.example"
    assert report.arrival == datetime(2026, 7, 20, 12, tzinfo=UTC)
    assert not report.recipients[0].hard


def test_a_complaint_that_hides_the_address_names_the_returned_mail_s() -> None:
    report = classify(complaint("Feedback-Type: abuse\nUser-Agent: Provider/1\nVersion: 1"))
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]


def test_hotmail_complains_in_a_way_of_its_own() -> None:
    raw = (
        head("staff@hotmail.com", "complaint about message from 192.0.2.1", 'Content-Type: multipart/mixed; boundary="b"')
        + "\n--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: who@hotmail.example\n" + RETURNED + "\n--b--\n"
    )  # fmt: skip
    report = classify(raw.encode())
    assert report.kind is Kind.COMPLAINT
    assert [recipient.address for recipient in report.recipients] == ["who@hotmail.example"]


def test_apple_unsubscribes_by_mail() -> None:
    raw = (
        head("who@there.example", "unsubscribe", "X-Apple-Unsubscribe: true")
        + "\nApple Mail sent this email.\n"
    )
    report = classify(raw.encode())
    assert (report.kind, report.feedback_type) == (Kind.COMPLAINT, "opt-out")


@pytest.mark.parametrize(
    ("disposition", "kind"), [("displayed", Kind.AUTO_REPLY), ("deleted", Kind.AUTO_REPLY), ("processed", Kind.DELIVERED)]
)  # fmt: skip
def test_a_receipt_is_no_bounce(disposition: str, kind: Kind) -> None:
    raw = (
        head("who@there.example", "Read: Spring",
             'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"')
        + "\n--b\nContent-Type: text/plain\n\nYour message was read.\n--b\nContent-Type: message/disposition-notification\n\n"
        f"Final-Recipient: rfc822; who@there.example\nDisposition: manual-action/MDN-sent-manually; {disposition}\n\n--b--\n"
    )  # fmt: skip
    report = classify(raw.encode())
    assert report.kind is kind
    assert report.recipients == (Recipient("who@there.example", words=disposition),)


def test_an_out_of_office_answer_names_its_sender() -> None:
    raw = (
        head("Who <who@there.example>", "Away until May 5", "Auto-Submitted: auto-replied") + "\nI am away.\n"
    )
    report = classify(raw.encode())
    assert report.kind is Kind.AUTO_REPLY
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]


@pytest.mark.parametrize(
    ("payload", "kind", "status"),
    [
        ({"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bounceSubType": "General",
          "bouncedRecipients": [{"emailAddress": "who@there.example", "status": "5.1.1", "action": "failed",
                                 "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}, Kind.BOUNCE, "5.1.1"),
        ({"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "who@there.example"}],
          "complaintFeedbackType": "abuse"}}, Kind.COMPLAINT, ""),
        ({"notificationType": "Delivery", "delivery": {"recipients": ["who@there.example"],
          "smtpResponse": "250 2.6.0 Message received"}}, Kind.DELIVERED, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [False, True])
def test_amazon_tells_in_json(payload: dict[str, object], kind: Kind, status: str, wrapped: bool) -> None:
    text = json.dumps({"Type": "Notification", "Message": json.dumps(payload)} if wrapped else payload)
    report = classify((head("no-reply@sns.amazonaws.com", "AWS Notification Message") + "\n" + text).encode())
    assert report.kind is kind
    assert [recipient.address for recipient in report.recipients] == ["who@there.example"]
    assert report.recipients[0].status.startswith(status)


@pytest.mark.parametrize(
    "raw",
    [
        head("Ada <ada@customer.example>", "Re: Undelivered Mail Returned to Sender")
        + "\nI got this, what shall I do?\n\n> Hi. This is the qmail-send program at x.example.\n"
        "> <who@there.example>:\n> 550 5.1.1 user unknown\n",
        head("Ada <ada@customer.example>", "What is this?")
        + "\nHi. This is the qmail-send program at x.example.\n\n<who@there.example>:\nSorry, no mailbox here.\n",
        head("Ada <ada@customer.example>", "Hello", "Auto-Submitted: no") + "\nHow are you?\n",
        head("Shop <shop@customer.example>", "Your invoice", "Auto-Submitted: auto-generated") + "\nSee below.\n",
        head("Ada <ada@customer.example>", "Delivery problem")
        + "\nMy parcel could not be delivered to my address, please call.\n\nAda\nada@home.example\n",
        head("Shop <shop@customer.example>", "Delivery status: your parcel is on its way") + "\nSoon at ada@x.example.\n",
        "",
        "no mail at all",
    ],
)  # fmt: skip
def test_people_s_mail_is_no_report(raw: str) -> None:
    report = classify(raw.encode())
    assert (report.kind, report.recipients) == (Kind.NONE, ())


def test_the_envelope_s_token_comes_first() -> None:
    report = classify(status_report(FAILED), ["<bounces+Envelope@clytie.example>"])
    assert report.token == "Envelope"


def test_a_token_of_another_domain_is_not_ours() -> None:
    assert (
        classify(status_report(FAILED), ["bounces+x@evil.example"], domains=["clytie.example"]).token
        == "Tok-1"
    )
    assert classify(status_report(FAILED), domains=["else.example"]).token == ""


def test_the_token_may_stand_before_another_local_part() -> None:
    assert classify(status_report(FAILED), ["back+abc@clytie.example"], local="back").token == "abc"


def test_a_token_makes_a_report_without_recipients_useful() -> None:
    raw = head("MAILER-DAEMON@x.example", "Undelivered Mail", "Return-Path: <>") + "\nSorry.\n"
    report = classify(raw.encode(), ["bounces+tok@clytie.example"])
    assert (report.kind, report.token, report.recipients) == (Kind.BOUNCE, "tok", ())
