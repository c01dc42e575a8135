"""Microsoft: Exchange 5.5 to 2003, Exchange 2007 and later, Microsoft 365, Hotmail; also in other languages.

Diagnostic information for administrators:
Generating server: example.org
who@example.org
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##
"""

from __future__ import annotations

import re
from typing import Final

from channels.mail.bounce_forms.codes import find_reply, find_status
from channels.mail.bounce_forms.failure import FAILURES_LIMIT, Failure, find_address, take
from channels.mail.bounce_forms.form import Form, pattern
from channels.mail.bounce_forms.notice import Notice

#: Result codes that Exchange 5.5 puts behind "MSEXCH:".
_MSEXCH: Final = {
    "000B099C": "refused",
    "000B09AA": "refused",
    "000B09B6": "refused",
    "000C05A6": "mailbox_unknown",
    "00010256": "system_failed",
    "000D06B5": "system_failed",
    "00120270": "routing_failed",
    "00050311": "content_invalid",
    "000502CC": "content_invalid",
    "000B0981": "auth_failed",
    "000C0595": "recipient_refuses",
}
#: What the categorizer and the queue of Exchange 2007 say.
_RESOLVER: Final = {
    "smtpsend.dns.nonexistentdomain": "domain_unknown",
    "smtpsend.dns.mxloopback": "routing_failed",
    "resolver.adr.badprimary": "system_failed",
    "resolver.adr.recipnotfound": "mailbox_unknown",
    "resolver.adr.recipientnotfound": "mailbox_unknown",
    "resolver.adr.exrecipnotfound": "mailbox_unknown",
    "resolver.adr.reciplimit": "throttled",
    "resolver.adr.invalidinsmtp": "system_failed",
    "resolver.adr.ambiguous": "system_failed",
    "resolver.rst.authrequired": "auth_failed",
    "resolver.rst.notauthorized": "sender_refused",
    "resolver.rst.recipsizelimit": "too_big",
    "queue.expired": "expired",
}
#: Statuses that only Microsoft 365 uses, or uses in a sense of its own.
_STATUSES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(text + r"\Z"), reason)
    for text, reason in (
        (r"4\.4\.7|4\.4\.316|5\.4\.316|5\.4\.300", "expired"),
        (r"[45]\.4\.312|5\.4\.(?:6|14)|5\.7\.25", "routing_failed"),
        (r"4\.7\.26|5\.7\.(?:23|509)", "authentication"),
        (r"4\.7\.(?:[56]|8[5-9])\d\d|5\.7\.50[67]|5\.7\.51[13]|5\.7\.6[0-4]\d", "host_blocked"),
        (r"5\.0\.350|5\.6\.11", "content_invalid"),
        (r"5\.1\.10", "mailbox_unknown"),
        (r"5\.4\.1", "relaying_denied"),
        (r"5\.7\.(?:1|12|13|124|13[3-6]|750)", "sender_refused"),
        (r"5\.7\.50[1-3]", "spam"),
        (r"5\.7\.50[45]", "recipient_refuses"),
        (r"5\.7\.508|5\.7\.7[0-4]\d|5\.2\.12[12]|5\.1\.90", "throttled"),
        (r"5\.7\.510", "domain_closed"),
        (r"5\.7\.512", "content_invalid"),
        (r"5\.7\.(?:57|64)", "relaying_denied"),
    )
)

_ADMINISTRATORS: Final = pattern(
    r"Diagnostic information for administrators|Informations? de diagnosti(?:c|que)s? pour les administrateurs|"
    r"Informazioni di diagnostica per gli amministratori|Diagnostische gegevens voor beheerders|"
    r"Diagnoseinformationen f.r Administratoren|Informaci.n de diagn.stico para (?:los )?administradores|"
    r"Informa..es de diagn.stico para administradores|Diagnostisk information f.r administrat.rer|"
    r"Informacje diagnostyczne dla administrator.w|^Error Details|.stico para administradores"
)
_SERVER: Final = pattern(
    r"^(?:Generating server|Serveur de g.{1,4}n.{1,4}ration|Server di generazione|Bronserver|Servidor de (?:origem|gera..o)|"
    r"Generierender Server|Servidor de generaci.n|Genererande server|Serwer generuj.cy|Reporting server)\b"
)
_LISTED: Final = pattern(
    r"Delivery has failed to these recipients|rejected your message to the following e|Falha na entrega a estes|"
    r"Uw bericht kan niet worden bezorgd|(?:.chec de la remise|La remise a .chou.)|Fehler bei der Nachrichtenzustellung|"
    r"Recapito non riuscito|Error al entregar|Original Message Details|couldn't be delivered|wasn't delivered"
)


def resolver_reason(words: str) -> str:
    """The reason for an Exchange word such as RESOLVER.ADR.RecipNotFound in a text, or the empty string."""
    lower = words.lower()
    if "resolver." not in lower and "queue." not in lower and "smtpsend." not in lower:
        return ""
    return next((reason for word, reason in _RESOLVER.items() if word in lower), "")


def microsoft_reason(status: str) -> str:
    """The reason for a status in the sense of Microsoft 365, or the empty string."""
    return next((reason for known, reason in _STATUSES if known.match(status)), "")


def _read_old(notice: Notice) -> list[Failure]:
    """Exchange 5.5: `who@example.org on DATE`, an explanation, and MSEXCH: with a code in brackets."""
    failures: list[Failure] = []
    started = False
    for line in notice.lines():
        if not started:
            started = bool(
                re.search(r"did not reach|could not be reached|recipient\(s\)", line, re.IGNORECASE)
                and ":" in line
            )
            continue
        match = re.match(r"\s*(.{0,300}@.{1,200}?) on \S.*\d", line)
        address = find_address(re.sub(r"(?i)^.*smtp=", "", match[1])) if match else ""
        if address:
            if len(failures) >= FAILURES_LIMIT:
                break
            failures.append(Failure(address))
        elif failures:
            failures[-1].say(line.strip())
    for failure in failures:
        code = re.search(r"MSEXCH:.{0,200}?\(([0-9A-F]{8})\)", failure.words)
        failure.hint = _MSEXCH.get(code[1], "") if code else ""
    return failures


def _read_new(notice: Notice) -> list[Failure]:
    """Exchange 2007 and later: below the words for administrators, an address, then replies between number signs."""
    failures: list[Failure] = []
    started = False
    for line in notice.lines():
        if not started:
            started = bool(_ADMINISTRATORS.search(line))
            continue
        if _SERVER.match(line):
            continue
        stripped = line.strip()
        if "@" in stripped and " " not in stripped and not stripped.startswith("#"):
            address = find_address(stripped)
            if address:
                take(failures, address)
        elif failures and stripped:
            failures[-1].say(stripped)
    if not failures:
        failures = _read_listed(notice)
    for failure in failures:
        failure.status = find_status(failure.words, find_reply(failure.words)[:1])
        failure.hint = resolver_reason(failure.words)
    return failures


def _read_listed(notice: Notice) -> list[Failure]:
    failures: list[Failure] = []
    lines = iter(notice.lines())
    for line in lines:
        if _LISTED.search(line):
            break
    for line in lines:
        if re.match(
            r"\s*(?:\S.{0,100}<mailto:\S+@|[^\s<>()]+@[^\s<>()]+(?:\s*\([^\s@]+@[^\s@]+\))?\s*$)", line
        ):
            address = find_address(line.partition("<mailto:")[2] or line)
            if address:
                take(failures, address)
        elif failures:
            failures[-1].say(line.strip())
    return failures


FORMS: Final = (
    Form(
        name="Exchange 2003",
        marks=(
            ("x-ms-embedded-report", pattern("")),
            (
                "x-mailer",
                pattern(r"^(?:Internet Mail Service \(|Microsoft Exchange Server Internet Mail Connector)"),
            ),
            ("x-mimeole", pattern(r"^Produced By Microsoft Exchange")),
            ("received", pattern(r" with Internet Mail Service \(")),
            ("text", pattern(r"MSEXCH:I(?:MS|MC):")),
        ),
        read=_read_old,
    ),
    Form(
        name="Exchange 2007",
        marks=(
            ("text", _ADMINISTRATORS),
            (
                "text",
                pattern(r"Delivery has failed to these recipients|rejected your message to the following e"),
            ),
            ("x-ms-exchange-message-is-ndr", pattern("")),
        ),
        read=_read_new,
        outranks_status=True,
    ),
)
