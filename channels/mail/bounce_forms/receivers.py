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


#: Receivers whose plain words mean more at their hosts (or for their domains) than elsewhere: all of these pieces of a
#: host or domain, what the words hold, and the reason. A status in front narrows it.
_BY_HOST: Final[tuple[tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]], ...]] = (
    (
        (".outlook.com", "hotmail.com"),
        (
            ("5.4.1", "recipient address rejected: access denied", "mailbox_unknown"),
            ("5.5.0", "requested action not taken: mailbox unavailable", "mailbox_unknown"),
            ("5.1.", "reserved by rfc 2606", "mailbox_unknown"),
            ("5.1.6", "single label domains not accepted", "mailbox_unknown"),
            ("5.1.351", "", "mailbox_unknown"),
            ("5.7.504", "access denied", "mailbox_disabled"),
            ("5.2.1", "content filter agent quarantined", "spam"),
            ("5.5.4", "invalid domain name", "host_blocked"),
        ),
    ),
    (
        (".mail.icloud.com", ".apple.com", ".me.com", "icloud.com"),
        (
            ("", "recipient no longer on server", "mailbox_moved"),
            ("", "user does not exist", "mailbox_unknown"),
            ("", "inactive email address", "mailbox_unknown"),
            ("", "illegal alias", "mailbox_unknown"),
            ("", "due to excessive volume", "throttled"),
            ("", "sender address rejected", "sender_refused"),
        ),
    ),
    (
        ("secureserver.net",),
        (
            ("", "recipient not found", "mailbox_unknown"),
            ("", "account does not exist", "mailbox_unknown"),
            ("", "account disabled", "mailbox_disabled"),
        ),
    ),
    (
        ("cox.net",),
        (
            ("", "recipient rejected", "mailbox_unknown"),
            ("", "too many invalid recipients", "host_blocked"),
            ("", "too many bad commands", "host_blocked"),
            ("", "requested action aborted: try again later", "throttled"),
            ("", "esmtp server temporarily not available", "system_failed"),
        ),
    ),
    (
        (".mimecast.com",),
        (
            ("", "invalid recipient", "mailbox_unknown"),
            ("", "user unknown", "mailbox_unknown"),
            ("", "501 invalid address", "mailbox_unknown"),
            ("", "recipient temporarily unavailable", "host_blocked"),
            ("", "internal resources are temporarily unavailable", "reputation"),
            ("", "account service is temporarily unavailable", "throttled"),
            ("", "exceeding outbound thread limit", "throttled"),
            ("", "email rejected due to security policies", "virus"),
        ),
    ),
    (
        (".docomo.ne.jp",),
        (
            ("5.1.1", "", "mailbox_unknown"),
            ("5.2.0", "", "recipient_refuses"),
            ("", "too much mail data", "mailbox_full"),
            ("", "too many recipients", "throttled"),
        ),
    ),
    (
        ("ezweb.ne.jp", "msmx.au.com"),
        (
            ("5.1.", "", ""),
            ("", ">: user unknown", "mailbox_unknown"),
            ("", "550 : user unknown", "recipient_refuses"),
        ),
    ),
    (
        ("qq.com",),
        (
            ("", "mailbox not found", "mailbox_unknown"),
            ("", "rejected by recipients", "recipient_refuses"),
            ("", "connection denied", "host_blocked"),
            ("", "suspected spam ip", "host_blocked"),
            ("", "suspected spam", "sender_refused"),
        ),
    ),
    (
        (".yahoodns.net", "yahoo."),
        (
            ("", "this user doesn't have a ", "mailbox_unknown"),
            ("", "mailbox not found", "mailbox_unknown"),
            ("", "mailbox is disabled", "mailbox_disabled"),
            ("", " is no longer valid.", "mailbox_disabled"),
        ),
    ),
)


def _by_host(words: str, status: str, places: str) -> str:
    for hosts, senses in _BY_HOST:
        if any(host in places for host in hosts):
            for beginning, fragment, reason in senses:
                if status.startswith(beginning) and fragment in words:
                    return reason
    return ""


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


_READERS: Final[tuple[Callable[[str, str], str], ...]] = (
    _orange,
    _godaddy,
    _american_cable,
    _iua,
)


def receiver_reason(words: str, status: str, host: str, domain: str = "") -> str:
    """The reason in the receiver's own sense; words in lower case, `domain` of the address. Empty for other receivers."""
    if resolver := resolver_reason(words):
        return resolver
    for reader in _READERS:
        if reason := reader(f"{words} {host}", status):
            return reason
    # The words of Postfix and Exim name the host; those of others leave it to the report.
    if reason := _by_host(words, status, f"{words[:300]} {host} {domain}"):
        return reason
    if "facebook" in words and (reason := facebook_reason(words.upper())):
        return reason
    return microsoft_reason(status) if "outlook.com" in host else ""
