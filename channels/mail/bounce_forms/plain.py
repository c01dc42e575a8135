"""Reports of a form that nobody described: a daemon wrote, and near the words of regret stands an address."""

from __future__ import annotations

from typing import Final

from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure, find_address, find_addresses, take
from channels.mail.bounce_forms.form import pattern, spread
from channels.mail.bounce_forms.notice import Notice

_REGRET_LIMIT: Final = 3_000  #: characters in which a report comes to the point

_DAEMON: Final = pattern(
    r"mailer-?daemon|mdaemon@|postmaster\\?@|^\"?(?:mail delivery|mail administrator|system administrator|postmaster)|^root@|"
    r"mail delivery (?:sub)?system|mail delivery service"
)
_SUBJECT: Final = pattern(
    r"deliver(?:y|ed)? (?:fail|warning|status|report|error|problem|has failed|incomplete|notification)|failure notice|failure delivery|"
    r"mail (?:delivery|failed|failure|error|system error)|message (?:delivery|status)|non-?delivery|returned mail|returned to sender|undeliver|"
    r"non_?remis|onbestelbaar|não[ _]entregue|non recapitabile|unzustellbar|nicht zustellbar|niet bezorgd|"
    r"no se ha (?:podido )?entregad|nie dostarczono|kunde inte levereras|delayed mail|could not (?:be )?(?:sent|deliver)|"
    r"processing error|: non remis$|user unknown|^warning: .*(?:delay|deliver|message)|bounce|there was an error sending your mail|delivery has (?:failed|been delayed)"
)
#: Regret that names recipients; parcels, too, could not be delivered.
_REGRET: Final = pattern(
    r"(?:message|mail)\b.{0,120}(?:could not|couldn't|cannot|was not|has not|not) be(?:en)? (?:delivered|sent)\b.{0,80}(?:recipient|address|user)"
    r"|could not be delivered to the following|could not deliver message to the following|^(?:failed|intended) recipients?:|non-delivery report|did not receive a copy of your message|^-+ ?failed recipients ?-+"
    r"|has been returned because it encountered an error"
)
_LISTED: Final = pattern(r"^<[^<>\s]{1,64}@[^<>\s]{1,255}>:")
_ANSWERED: Final = pattern(r"^(?:re|aw|sv|fwd?|wg|tr|rv|odp|antw|ref|enc|rif|i|vb|vs)\s?:")
_NEAR: Final = pattern(
    r"address(?:es)?:|addressed to|delivered to|did not reach|error-for:|recipients?:|failed to deliver to|mailbox is full:|"
    r"rcpt to:|smtp server <|permanent errors|the following message to|\bto: |unknown user:|unable to deliver|"
    r"undeliverable (?:to|address)|you sent mail to|delivery problems|was automatically rejected|rejected due to|not delivered|"
    r"could not be (?:sent|delivered)|delivery failed|did not receive|delivery of email to|intended recipient|\bmailbox \S+@|following address|following recipient"
)
_ENDS: Final = pattern(
    r"a copy of the original message|for further assistance, please contact|^received-from-mta:|^reporting-mta:|"
    r"^the (?:non-delivered message|attachment contains)|attachment is a copy|unsent message below|^the first "
)
_SKIP: Final = pattern(
    r"^(?: {0,4}-----|--|\|--|\*|<?mailto:)|mail from:|message-id:|^ {1,8}from: |please contact|contact |postmaster@"
)


def is_by_machine(notice: Notice) -> bool:
    """Whether a mail seems to come from a machine: by its sender, its headers, or a subject that only daemons write."""
    submitted = notice.header("auto-submitted").strip().lower()
    subject = notice.header("subject")
    return bool(
        notice.status
        or notice.header("x-failed-recipients")
        or submitted not in ("", "no")
        or notice.header("return-path").strip() == "<>"
        or _DAEMON.search(notice.header("from"))
        or (_SUBJECT.search(subject) and not _ANSWERED.search(subject))
    )


def looks_returned(notice: Notice) -> bool:
    """Whether a daemon seems to report a failure: by its subject and one more sign."""
    title = notice.header("subject")
    subject = bool(_SUBJECT.search(title)) and not _ANSWERED.search(title)
    sender = bool(_DAEMON.search(notice.header("from"))) or notice.header("from").strip() in ("<>", "")
    null = notice.header("return-path").strip() == "<>"
    report = "delivery-status" in notice.header("content-type").lower()
    text = notice.text[:_REGRET_LIMIT]
    if report or (sender and null) or (subject and (sender or null)):
        return True
    return (subject and bool(_REGRET.search(text.replace("\n", " ")) or _REGRET.search(text))) or (
        sender and bool(_LISTED.search(text))
    )


def read_plain(notice: Notice) -> list[Failure]:
    """The addresses that stand at the start of lines, or in and below lines that speak of a recipient."""
    failures: list[Failure] = []
    ours = set(find_addresses(notice.header("to"))) | set(find_addresses(notice.header("from")))
    shared: list[str] = []
    near = False
    for line in notice.lines():
        stripped = line.strip()
        if not stripped:
            continue
        if _ENDS.search(line):
            break
        close = bool(_NEAR.search(line))
        address = "" if _SKIP.search(line) else find_address(line)
        begins = "@" in stripped.split(maxsplit=1)[0]
        if address and (close or near or begins):
            take(failures, address)
        if failures:
            failures[-1].say(stripped)
        elif len(shared) < 30:
            shared.append(stripped)
        near = close
    others = [failure for failure in failures if failure.address not in ours]
    for failure in others:
        failure.words = f"{' '.join(shared)[:500]} {failure.words}".strip()
    return spread(others)


def read_returned(notice: Notice) -> list[Failure]:
    """At least to whom the returned mail went: the header that some servers add, else the mail's own."""
    words = " ".join(notice.text.split())[:1_500]
    failed = list(find_addresses(notice.header("x-failed-recipients")))[:FAILURES_LIMIT]
    if not failed:
        failed = list(find_addresses(notice.original.get("to", [""])[0]))[:1]
    return [Failure(address, words=words) for address in failed]
