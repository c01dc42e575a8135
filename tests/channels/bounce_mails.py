"""Reports as mail servers write them, made up for the tests: one builder for each standard, one text for each form."""

from __future__ import annotations

from typing import Final, NamedTuple

RETURNED: Final = """\
Return-Path: <bounces+Tok-1@clytie.example>
Message-ID: <original@clytie.example>
From: News <news@clytie.example>
To: who@there.example
Subject: Spring
Date: Mon, 20 Jul 2026 12:00:00 +0000

Hello
"""


class Case(NamedTuple):
    """A report of a form, and what it says about its (first) recipient."""

    form: str
    mail: str
    reason: str
    status: str  #: its beginning: the class, or more where the report says more
    hard: bool
    address: str = "who@there.example"


def head(sender: str, subject: str, *more: str) -> str:
    """The headers of a report."""
    lines = (
        f"From: {sender}",
        "To: news@clytie.example",
        f"Subject: {subject}",
        "Date: Mon, 20 Jul 2026 12:30:00 +0000",
    )
    return "\n".join((*lines, *more)) + "\n"


def status_report(
    fields: str,
    text: str = "Your message was not delivered.",
    *,
    message_fields: str = "Reporting-MTA: dns; mx.there.example",
    sender: str = "Mail Delivery Subsystem <MAILER-DAEMON@mx.there.example>",
    subject: str = "Returned mail: see transcript for details",
    more: tuple[str, ...] = (),
) -> bytes:
    """A report after RFC 3464 about the returned mail."""
    return (
        head(
            sender,
            subject,
            "Return-Path: <>",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="=_r"',
            *more,
        )
        + f"\n--=_r\nContent-Type: text/plain\n\n{text}\n"
        + f"\n--=_r\nContent-Type: message/delivery-status\n\n{message_fields}\n\n{fields}\n"
        + f"\n--=_r\nContent-Type: message/rfc822\n\n{RETURNED}\n--=_r--\n"
    ).encode()


def complaint(fields: str, *, original: str = RETURNED) -> bytes:
    """A complaint after RFC 5965."""
    return (
        head(
            "feedback@provider.example",
            "Complaint",
            'Content-Type: multipart/report; report-type=feedback-report; boundary="=_c"',
        )
        + "\n--=_c\nContent-Type: text/plain\n\nThis is an email abuse report.\n"
        + f"\n--=_c\nContent-Type: message/feedback-report\n\n{fields}\n"
        + f"\n--=_c\nContent-Type: message/rfc822\n\n{original}\n--=_c--\n"
    ).encode()


_DAEMON: Final = "MAILER-DAEMON@mx.there.example"

CASES: Final[tuple[Case, ...]] = (
    Case(
        "Exim",
        head("Mail Delivery System <Mailer-Daemon@mx.there.example>", "Mail delivery failed: returning message to sender",
             "Message-Id: <1aBcDe-0001fG-2H@mx.there.example>")
        + "\nThis message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        "  who@there.example\n"
        "    SMTP error from remote mail server after RCPT TO:<who@there.example>:\n"
        "    host mx.there.example [192.0.2.1]: 550 5.1.1 <who@there.example>: User unknown\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n" + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "Exim",
        head("Mail Delivery System <Mailer-Daemon@mx.there.example>", "Warning: message 1aBcDe-0001fG-2H delayed 24 hours",
             "Message-Id: <1aBcDe-0001fG-2H@mx.there.example>")
        + "\nThis message was created automatically by mail delivery software.\n"
        "A message that you sent has not yet been delivered to one or more of its\n"
        "recipients after more than 24 hours on the queue on mx.there.example.\n\n"
        "The address to which the message has not yet been delivered is:\n\n  who@there.example\n"
        "    Delay reason: host mx.there.example [192.0.2.1]: connection refused\n\n"
        "No action is required on your part.\n",
        "expired", "4", False,
    ),
    Case(
        "MXLogic",
        head("Mail Delivery System <MAILER-DAEMON@mx.there.example>", "Mail delivery failed", "X-MXL-Hash: abc")
        + "\nThis message was created automatically by mail delivery software.\n\nThe following address failed:\n\n"
        "  <who@there.example>: 550 5.1.1 <who@there.example>: Recipient address rejected: User unknown in table\n\n"
        "Included is a copy of the message header:\n-----------------------------------------\n" + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "1&1 and GMX",
        head(_DAEMON, "Mail delivery failed: returning message to sender", "X-GMX-Antispam: 0")
        + "\nThis message was created automatically by mail delivery software.\n\nThe following address failed:\n\n"
        "<who@there.example>:\n\nReason:\ndelivery retry timeout exceeded\n\n"
        "--- The header of the original message is following. ---\n\n" + RETURNED,
        "expired", "5", False,
    ),
    Case(
        "Zoho",
        head("mailer-daemon@mail.zoho.com", "Undelivered Mail Returned to Sender", "X-ZohoMail: Si", "X-Mailer: Zoho Mail")
        + "\nThis message was created automatically by mail delivery software.\n\n"
        "who@there.example Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 who@there.example User unknown\n\n" + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "qmail",
        head(_DAEMON, "failure notice")
        + "\nHi. This is the qmail-send program at mx.there.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<who@there.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 no such mailbox\n"
        "Giving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\n" + RETURNED,
        "mailbox_unknown", "5", True,
    ),
    Case(
        "qmail",
        head(_DAEMON, "failure notice")
        + "\nHi. This is the qmail-send program at mx.there.example.\n\n"
        "<who@there.example>:\nSorry, I couldn't find any host named there.example. (#5.1.2)\n\n"
        "--- Below this line is a copy of the message.\n\n" + RETURNED,
        "domain_unknown", "5.1.2", True,
    ),
    Case(
        "Yahoo",
        head("MAILER-DAEMON@yahoo.com", "Failure Notice", "X-YMailISG: abc")
        + "\nSorry, we were unable to deliver your message to the following address.\n\n"
        "<who@there.example>:\nRemote host said:\n552 5.2.2 <who@there.example> mailbox full\n[RCPT_TO]\n\n"
        "--- Below this line is a copy of the message.\n\n" + RETURNED,
        "mailbox_full", "5.2.2", False,
    ),
    Case(
        "X2",
        head(_DAEMON, "Delivery failure")
        + "\nMessage from there.example.\nUnable to deliver message to the following address(es).\n\n"
        "<who@there.example>:\nThis account has been disabled or discontinued [#102].\n\n"
        "--- Original message follows.\n\n" + RETURNED,
        "mailbox_disabled", "5", False,
    ),
    Case(
        "sendmail 5",
        head("Mail Delivery Subsystem <MAILER-DAEMON@mx.there.example>", "Returned mail: User unknown")
        + "\n   ----- Transcript of session follows -----\nWhile talking to mx.there.example:\n"
        ">>> RCPT To:<who@there.example>\n<<< 550 <who@there.example>... User unknown\n"
        "550 <who@there.example>... User unknown\n\n   ----- Unsent message follows -----\n" + RETURNED,
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Activehunter",
        head(_DAEMON, "Delivery failure", "X-AHMAILID: 1")
        + "\n  ----- The following addresses had permanent fatal errors -----\n\n>>> <who@there.example>\n\n"
        "550 sorry, no mailbox here by that name (#5.1.1)\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "Biglobe",
        head("postmaster@biglobe.ne.jp", "Returned mail: User unknown")
        + "\n   ----- The following addresses had delivery problems -----\nwho@there.example\n\n"
        "   ----- Non-delivered information -----\n"
        "The number of messages in recipient's mailbox exceeded the local limit.\n",
        "mailbox_full", "5", False,
    ),
    Case(
        "X1",
        head('"Mail Deliver System" <MAILER-DAEMON@mx.there.example>', "Returned Mail: User unknown")
        + "\nThe original message was received at Mon, 20 Jul 2026 12:00:00 +0000\nfrom news@clytie.example\n\n"
        "---The following addresses had delivery errors---\n\nwho@there.example [User unknown]\n",
        "recipient_refuses", "5", False,
    ),
    Case(
        "Exchange 2003",
        head("System Administrator <postmaster@there.example>", "Undeliverable: Spring",
             "X-Mailer: Internet Mail Service (5.5.2653.13)")
        + "\nYour message\n\n  To:      who@there.example\n  Subject: Spring\n  Sent:    Mon, 20 Jul 2026 12:00:00 +0000\n\n"
        "did not reach the following recipient(s):\n\nwho@there.example on Mon, 20 Jul 2026 12:00:00 +0000\n"
        "    The recipient name is not recognized\n    MSEXCH:IMS:ORG:SITE:SERVER 0 (000C05A6) Unknown Recipient\n",
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Exchange 2007",
        head("postmaster@there.example", "Undeliverable: Spring", "Content-Language: en-US")
        + "\nDelivery has failed to these recipients or distribution lists:\n\nWho<mailto:who@there.example>\n\n"
        "Diagnostic information for administrators:\n\nGenerating server: there.example\n\nwho@there.example\n"
        "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\nOriginal message headers:\n\n" + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "Exchange 2007",
        head("postmaster@there.example", "Unzustellbar: Spring")
        + "\nFehler bei der Nachrichtenzustellung an folgende Empfänger oder Verteilerlisten:\n\n"
        "Diagnoseinformationen für Administratoren:\n\nGenerierender Server: there.example\n\nwho@there.example\n"
        "#550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient ##\n\n"
        "Ursprüngliche Nachrichtenkopfzeilen:\n\n" + RETURNED,
        "too_big", "5.2.3", False,
    ),
    Case(
        "Domino",
        head("Postmaster@there.example", "DELIVERY FAILURE: User not listed")
        + "\nYour message\n\n  Subject: Spring\n\nwas not delivered to:\n\n  who@there.example\n\nbecause:\n\n"
        "  User Who (who@there.example) not listed in Domino Directory\n",
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Notes",
        head("postmaster@there.example", "Undeliverable message")
        + "\n------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nwho@there.example\n\n"
        "------- Returned Message --------\n" + RETURNED,
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Messaging Server",
        head("Internet Mail Delivery <postmaster@there.example>", "Delivery Notification: Delivery has failed")
        + "\nThis report relates to a message you sent with the following header fields:\n\n"
        "  To: who@there.example\n\nYour message cannot be delivered to the following recipients:\n\n"
        "  Recipient address: alias@there.example\n  Original address: who@there.example\n"
        "  Reason: Remote SMTP server has rejected address\n"
        "  Diagnostic code: smtp;550 5.1.1 <who@there.example>... User Unknown\n"
        "  Remote system: dns;mx.there.example (TCP|192.0.2.1|1|192.0.2.2|25)\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "IMail",
        head('"Postmaster" <postmaster@there.example>', "Undeliverable Mail", "X-Mailer: <SMTP32 v8.12>")
        + "\nUnknown host: who@there.example\n\n\nOriginal message follows.\n\n" + RETURNED,
        "domain_unknown", "5", True,
    ),
    Case(
        "Apache James",
        head("postmaster@there.example", "[BOUNCE]", "Message-ID: <1.2.JavaMail.james@there.example>")
        + "\nHi. This is the James mail server at there.example.\n\nError message below:\n550 - 5.1.1 no such user\n\n"
        "Message details:\n  Subject: Spring\n  Sent date: Mon Jul 20 12:00:00 UTC 2026\n  MAIL FROM: news@clytie.example\n"
        "  RCPT TO: who@there.example\n  From: news@clytie.example\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "OpenSMTPD",
        head("Mailer Daemon <MAILER-DAEMON@mx.there.example>", "Delivery status notification: error")
        + "\n    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.\n\n"
        "    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\n"
        "who@there.example: Domain does not exist\n\n    Below is a copy of the original message:\n\n" + RETURNED,
        "domain_unknown", "5", True,
    ),
    Case(
        "DragonFly",
        head("MAILER-DAEMON <>", "Mail delivery failed")
        + "\nThis is the DragonFly Mail Agent v0.13 at mx.there.example.\n\n"
        "There was an error delivering your mail to <who@there.example>.\n\n"
        "mx.there.example [192.0.2.1] did not like our RCPT TO:\n550 5.1.1 User unknown\n\nMessage headers follow.\n\n"
        + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "MDaemon",
        head("MDaemon@there.example", "Permanent Delivery Failure")
        + "\nThe attached message had PERMANENT fatal delivery errors!\n\n"
        "The following addresses did NOT receive a copy of your message:\n\n> who@there.example\n\n"
        "--- Session Transcript ---\n <-- 550 5.1.1 User unknown\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "MailMarshal",
        head(_DAEMON, 'Undeliverable Mail: "Spring"')
        + "\nYour message:\n   From:    news@clytie.example\n   Subject: Spring\n\n"
        "Could not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected:\n\n"
        "    who@there.example\n\nAdditional Information\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "MailFoundry",
        head(_DAEMON, "Message delivery has failed", "Received: from x by y (MAILFOUNDRY) id 1")
        + "\nUnable to deliver message to: <who@there.example>\nDelivery failed for the following reason:\n"
        "Server mx.there.example[192.0.2.1] failed with: 550 <who@there.example> No such user here\n\n"
        "This has been a permanent failure.  No further delivery attempts will be made.\n",
        "recipient_refuses", "5", False,
    ),
    Case(
        "SurfControl",
        head(_DAEMON, "Spring", "X-Mailer: SurfControl E-mail Filter", "X-SEF-Processed: 5")
        + "\nYour message could not be sent.\nA transcript of the attempts to send the message follows.\n"
        "Addressed To: who@there.example\n\nMon 20 Jul 2026 12:00:00 +0000\nFailed to send to identified host,\n"
        "who@there.example: [192.0.2.1], 552 mailbox full\n--- Message non-deliverable.\n",
        "mailbox_full", "5", False,
    ),
    Case(
        "InterScan",
        head('"InterScan MSS" <postmaster@there.example>', "Mail could not be delivered")
        + "\nSent <<< RCPT TO:<who@there.example>\nReceived >>> 550 5.1.1 <who@there.example>... user unknown\n",
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "m-FILTER",
        head("POSTMASTER <postmaster@there.example>", "failure notice", "X-Mailer: m-FILTER")
        + "\nwho@there.example\n\n-------server message\n550 5.1.1 <who@there.example>: User unknown\n\n"
        "-------SMTP command\nRCPT\n\n-------original message\n" + RETURNED,
        "mailbox_unknown", "5.1.1", True,
    ),
    Case(
        "MessageLabs",
        head("Mail Delivery System <MAILER-DAEMON@messagelabs.com>", "Mail Delivery Failure")
        + "\nI was unable to deliver your message to the following addresses:\n\nwho@there.example\n\n"
        "Reason: 542 who@there.example Rejected\n\nThe message subject was: Spring\n",
        "mailbox_unknown", "5", True,
    ),
    Case(
        "X3",
        head("Mail Delivery System <Mail.Delivery.System@mx.there.example>", "Delivery status notification")
        + "\n      This is an automatically generated Delivery Status Notification.\n\n"
        "Delivery to the following recipients failed permanently:\n\n   * who@there.example\n\n"
        "                             Technical details:\n\n"
        "SMTP:RCPT host 192.0.2.1: 553 5.3.0 <who@there.example>... No such user here\n",
        "mailbox_unknown", "5.3.0", True,
    ),
    Case(
        "X6",
        head("mailer-daemon", "There was an error sending your mail", "Auto-Submitted: auto-replied")
        + "\nWe had trouble delivering your message. Full details follow:\n\n1 error(s):\n\n"
        "The following recipients returned permanent errors: who@there.example. Reason: SMTP Server <192.0.2.1> refused "
        "to accept your message (DATA), with the following error message: [554 5.4.6 Hop count exceeded]\n\n"
        "The attachment contains the original mail headers.\n",
        "routing_failed", "5.4.6", False,
    ),
    Case(
        "FML",
        head("friends-admin@there.example", "You news@clytie.example are not member", "X-MLServer: fml [fml 4.0.3]",
             "Message-ID: <1.FML1.friends@there.example>")
        + "\nYou are not a member of this mailing list <friends@there.example>.\n",
        "sender_refused", "5", False, "friends@there.example",
    ),
    Case(
        "Google Groups",
        head("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)",
             "X-Failed-Recipients: friends@googlegroups.com")
        + "\nHello,\n\nWe're writing to let you know that the group you tried to contact (friends) may not exist.\n\n"
        " * You might have spelled it wrong.\n * The owner may have removed it.\n * You may need to join.\n"
        " * It may not be open.\n\nhttps://groups.google.com/support/\n\n----- Original message -----\n\n" + RETURNED,
        "sender_refused", "5", False, "friends@googlegroups.com",
    ),
    Case(
        "Gmail",
        head("Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)")
        + "\nDelivery to the following recipient failed permanently:\n\n     who@there.example\n\n"
        "Technical details of permanent failure:\nThe error that the other server returned was:\n"
        "550 550 Mailbox gone (state 14).\n\n----- Original message -----\n\n" + RETURNED,
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Verizon",
        head("MMSC NDR Administrator <sysadmin@m01.vzwpix.com>", "Undeliverable Message")
        + "\nMessage could not be delivered to mobile.\nError: No valid recipients for this MM\n\n\nOriginal Message:\n"
        "From: News <news@clytie.example>\nTo: 0000000000@vzwpix.com\nSubject: Spring\n",
        "mailbox_unknown", "5", True, "0000000000@vzwpix.com",
    ),
    Case(
        "EZweb",
        head("Postmaster@ezweb.ne.jp", "Mail System Error - Returned Mail")
        + "\nEach of the following recipients was rejected by a remote\nmail server.\n\n"
        "    Recipient: <who@there.example>\n    >>> RCPT TO:<who@there.example>\n    <<< 550 <who@there.example>: User unknown\n",
        "mailbox_unknown", "5", True,
    ),
    Case(
        "KDDI",
        head("no-reply@mx.dion.ne.jp", "Mail")
        + "\nYour mail sent on: Mon, 20 Jul 2026 12:00:00 +0900\n     Could not be delivered to: <who@there.example>\n"
        "     As their mailbox is full.\n",
        "mailbox_full", "5", False,
    ),
    Case(
        "KDDI",
        head("no-reply@mx.dion.ne.jp", "Mail")
        + "\nYour mail attempted to be delivered on: Mon, 20 Jul 2026 12:00:00 +0900\n"
        "     Could not be delivered to: <who@there.example>\n     Due to the following SMTP relay error\n\n"
        "     >>> RCPT TO:<who@there.example>\n     <<< 550 who: User unknown\n",
        "mailbox_unknown", "5", True,
    ),
    Case(
        "Postfix transcript",
        head("MAILER-DAEMON@mx.there.example (Mail Delivery System)", "Postfix SMTP server: errors from host[192.0.2.1]")
        + "\nTranscript of session follows.\n\n Out: 220 mx ESMTP Postfix\n In:  EHLO host\n Out: 250-mx\n"
        " In:  MAIL FROM:<news@clytie.example>\n Out: 250 2.1.0 Ok\n In:  RCPT TO:<who@there.example>\n Out: 250 2.1.5 Ok\n"
        " In:  DATA\n Out: 552 5.3.4 Error: message file too big\n",
        "too_big", "5.3.4", False,
    ),
    Case(
        "",  # Bigfoot, and others that nobody described
        head(_DAEMON, "Undeliverable: your mail")
        + "\nWe are sorry.\n\nYour message did not reach the following recipient:\n  who@there.example\n\n"
        "550 5.2.2 mailbox full\n",
        "mailbox_full", "5.2.2", False,
    ),
)  # fmt: skip
