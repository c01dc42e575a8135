"""Receiving servers that explain a refusal by a code of their own: Orange, GoDaddy, Cox, Spectrum, i.ua, Facebook, Microsoft."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from channels.mail.bounce_forms.exchange import microsoft_reason, resolver_reason
from channels.mail.bounce_forms.providers import facebook_reason

_ORANGE: Final = {
    "mailbox_unknown": (416,),
    "mailbox_full": (417,),
    "mailbox_disabled": (420, 426),
    "host_blocked": (101, 102, 103, 510, 999),
    "throttled": (104,),
    "auth_failed": (305, 402),
    "authentication": (401, 517),
    "sender_refused": (403, 405, 415, 421),
    "system_failed": (505,),
    "spam": (506,),
    "too_big": (514,),
    "policy": (630,),
}
_GODADDY: Final = {
    "auth_failed": ("401",),
    "content_invalid": ("501", "502"),
    "sender_refused": ("506",),
    "authentication": ("508",),
    "reverse_dns": ("108",),
    "spam": ("212",),
    "virus": ("705",),
    "throttled": ("605", "007", "101", "504", "510", "607"),
    "host_blocked": ("110", "111", "112", "113", "104", "105", "106"),
    "reputation": ("103",),
}
_COX: Final = {
    "CXBL": "host_blocked",
    "CDRBL": "host_blocked",
    "IPBL": "host_blocked",
    "URLBL": "spam",
    "CXDNS": "reverse_dns",
    "CXSNDR": "authentication",
    "CXSMTP": "sender_refused",
    "CXCNCT": "throttled",
    "CXMXRT": "throttled",
    "CXTHRT": "auth_failed",
    "CXMJ": "auth_failed",
}
#: Charter/Spectrum: from this number on, up to the next.
_SPECTRUM: Final = (
    (1000, "host_blocked"),
    (1010, "sender_refused"),
    (1090, "system_failed"),
    (1100, "reverse_dns"),
    (1160, "policy"),
    (1200, "host_blocked"),
    (1260, "routing_failed"),
    (1300, "throttled"),
    (1500, "sender_refused"),
    (1530, "too_big"),
    (1540, "throttled"),
    (1560, "policy"),
    (1580, "throttled"),
)
_IUA: Final = (
    "",
    "relaying_denied",
    "mailbox_unknown",
    "mailbox_disabled",
    "mailbox_full",
    "throttled",
    "relaying_denied",
    "host_blocked",
    "sender_refused",
    "host_blocked",
    "recipient_refuses",
)


def _orange(words: str, status: str) -> str:
    found = re.search(r"\b(?:lpn(?:aaa)?|ofr|ouk)(?:\d{3}[-_])?_?(\d{3})\b", words)
    if not found:
        return ""
    number = int(found[1])
    return next((reason for reason, numbers in _ORANGE.items() if number in numbers), "refused")


def _godaddy(words: str, status: str) -> str:
    found = re.search(r"[^\w]ib(\d{3})\b", words)
    return next((reason for reason, codes in _GODADDY.items() if found and found[1] in codes), "")


def _american_cable(words: str, status: str) -> str:
    found = re.search(r"aup#([a-z-]*)(\d{0,5})", words)
    if not found:
        return ""
    name = found[1].upper()
    reason = next((known for start, known in _COX.items() if name.startswith(start)), "")
    if not reason and len(found[2]) == 4:
        number = int(found[2])
        reason = next((known for start, known in reversed(_SPECTRUM) if number >= start), "")
    return reason


def _iua(words: str, status: str) -> str:
    found = re.search(r"\.i\.ua/err/(\d{1,2})\b", words)
    return _IUA[int(found[1])] if found and int(found[1]) < len(_IUA) else ""


def _microsoft(words: str, status: str) -> str:
    if resolver := resolver_reason(words):
        return resolver
    if not re.search(r"(?:outlook|office365|microsoft)\.com|\bprod\b|hosted tenant", words):
        return ""
    if "access denied" in words and status == "5.4.1":
        return "mailbox_unknown" if "recipient address rejected" in words else ""
    return ""


def _docomo(words: str, status: str) -> str:
    if ".docomo.ne.jp" not in words:
        return ""
    if status == "5.2.0":
        return "recipient_refuses"
    return "mailbox_unknown" if status == "5.1.1" else ""


def _yahoo(words: str, status: str) -> str:
    if "yahoo" not in words:
        return ""
    if "this user doesn't have a " in words or "mailbox not found" in words:
        return "mailbox_unknown"
    return "mailbox_disabled" if "mailbox is disabled" in words or "is no longer valid." in words else ""


_READERS: Final[tuple[Callable[[str, str], str], ...]] = (
    _orange,
    _godaddy,
    _american_cable,
    _iua,
    _microsoft,
    _docomo,
    _yahoo,
)


def receiver_reason(words: str, status: str, host: str) -> str:
    """The reason by the receiver's own code; words in lower case. Empty when there is no such code."""
    text = f"{words} {host}"
    for reader in _READERS:
        if reason := reader(text, status):
            return reason
    if "facebook" in text and (reason := facebook_reason(words.upper())):
        return reason
    if "outlook.com" in host and (reason := microsoft_reason(status)):
        return reason
    return ""
