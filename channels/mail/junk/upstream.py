"""The notes of filters before ours: a table of headers and what in them means junk or a virus.

Only a bad verdict counts. A good one proves nothing, as anybody can write it into his mail. Where several servers
wrote the same header, the topmost one counts: it is the last that was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from channels.mail.parsed import ParsedMail


class Note(NamedTuple):
    """What a header means: the filter that writes it, and the pattern that its value has for junk."""

    filter: str
    junk: re.Pattern[str]


def _note(filter_name: str, pattern: str) -> Note:
    return Note(filter_name, re.compile(pattern, re.IGNORECASE))


_YES: Final = r"^\s*(yes|true|spam|junk)\b"

#: by header, in lower case
JUNK: Final[Mapping[str, Note]] = {
    "x-spam-flag": _note("SpamAssassin", _YES),
    "x-spam-status": _note("SpamAssassin", _YES),
    "x-spam": _note("rspamd", _YES),
    "x-rspamd-action": _note("rspamd", r"^\s*(reject|add header|rewrite subject)"),
    "x-ms-exchange-organization-scl": _note("Exchange", r"^\s*([5-9])\s*$"),
    "x-forefront-antispam-report": _note(
        "Exchange Online",
        r"\b(SCL:[5-9]\b|SFV:(SPM|SKB|SKS)\b|CAT:(SPM|HSPM|PHSH|HPHISH|HPHSH|SPOOF|UIMP|DIMP|GIMP|MALW)\b)",
    ),
    "x-microsoft-antispam-mailbox-delivery": _note("Exchange Online", r"\b(dest:J|RF:JunkEmail)\b"),
    "x-barracuda-spam-flag": _note("Barracuda", _YES),
    "x-barracuda-spam-status": _note("Barracuda", _YES),
    "x-proofpoint-spam-details": _note("Proofpoint", r"\brule=(?!not)(\w*spam|phish)"),
    "x-ironport-anti-spam-result": _note("IronPort", r"^\s*(spam|suspect)"),
    "x-bogosity": _note("bogofilter", r"^\s*(spam|yes)\b"),
    "x-dspam-result": _note("DSPAM", r"^\s*spam\b"),
    "x-crm114-status": _note("CRM114", r"^\s*spam\b"),
    "x-spamprobe": _note("SpamProbe", r"^\s*spam\b"),
    "x-vr-spamstate": _note("OVH", r"^\s*spam\b"),
    "x-gnd-status": _note("Gandi", r"^\s*(spam|malware|phishing)\b"),
    "x-klms-antispam-status": _note("Kaspersky", r"^\s*spam\b"),
    "x-yandex-spam": _note("Yandex", r"^\s*4\b"),
    "x-mailru-spam": _note("Mail.ru", r"^\s*(yes|1)\b"),
    "x-sophos-spam": _note("Sophos", _YES),
    "x-fe-policy-spam": _note("FortiMail", _YES),
    "x-feas-antispam": _note("FortiMail", r"^\s*(spam|yes)\b"),
    "x-trendmicro-as-result": _note("Trend Micro", r"^\s*(yes|spam)"),
    "x-symantec-spam": _note("Symantec", _YES),
    "x-brightmail-verdict": _note("Brightmail", r"\bspam\b"),
    "x-hmailserver-spam": _note("hMailServer", _YES),
    "x-mdspamflag": _note("MDaemon", _YES),
}
#: The name of what was found stands in the group, if the filter gives one.
VIRUS: Final[Mapping[str, re.Pattern[str]]] = {
    "x-virus-status": re.compile(r"^\s*(?:yes|infected)\b[\s:,(]*([^)\r\n]*)", re.IGNORECASE),
    "x-virus-flag": re.compile(r"^\s*(?:yes|true)\b()", re.IGNORECASE),
    "x-amavis-alert": re.compile(r"^\s*INFECTED,?\s*(?:message contains virus:)?\s*(.*)", re.IGNORECASE),
    "x-kse-antivirus-info": re.compile(r"\binfected\b()", re.IGNORECASE),
    "x-klms-antivirus-status": re.compile(r"^\s*infected\b()", re.IGNORECASE),
    "x-gnd-virus": re.compile(r"^\s*(?:yes|infected)\b()", re.IGNORECASE),
}
_NAME_LIMIT: Final = 200


def read_notes(mail: ParsedMail) -> tuple[str, str]:
    """The filter that calls this mail junk, and the virus that one found in it; each empty when nobody does."""
    seen: set[str] = set()
    junk = virus = ""
    for header, value in mail.headers:
        name = header.lower()
        if name in seen:
            continue
        if name in JUNK:
            seen.add(name)
            if not junk and JUNK[name].junk.search(value):
                junk = JUNK[name].filter
        elif name in VIRUS:
            seen.add(name)
            found = VIRUS[name].search(value)
            if not virus and found is not None:
                virus = found[1].strip()[:_NAME_LIMIT] or "unnamed"
    return junk, virus
