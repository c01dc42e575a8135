"""Authentication-Results headers (RFC 8601), read forgivingly: what a server before ours found out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

_COMMENT: Final = re.compile(r"\([^()]*\)")
_RESULT: Final = re.compile(r"^\s*(spf|dkim|dmarc|arc)(?:/\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY: Final = re.compile(
    r"\b(header\.from|header\.d|header\.i|smtp\.mailfrom)\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE
)
_LIMIT: Final = 20_000  #: characters of a header that are looked at


@dataclass(frozen=True, slots=True)
class UpstreamResults:
    """What one server said: its name, and results in the words of RFC 8601; empty where it was silent."""

    server: str
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    domain: str = ""  #: of From, or of the signature that passed


def read_results(headers: Iterable[str], trusted: Collection[str]) -> UpstreamResults | None:
    """The topmost results of a trusted server, None when there are none.

    `headers` are the values of Authentication-Results in order. Only the topmost header of the first trusted server
    that is met counts, with those right below it of the same server: further down anybody may have written anything.
    """
    names = {name.lower() for name in trusted}
    server = ""
    found: dict[str, str] = {}
    domains: dict[str, str] = {}
    for header in headers:
        text = header[:_LIMIT]
        while (bare := _COMMENT.sub(" ", text)) != text:
            text = bare
        identity, _, rest = text.partition(";")
        name = identity.split()[0].lower() if identity.split() else ""
        if name not in names or (server and name != server):
            if server:
                break
            continue
        server = name
        for part in rest.split(";"):
            match = _RESULT.match(part)
            if match is None:
                continue
            method, result = match[1].lower(), match[2].lower()
            better = method == "dkim" and result == "pass"
            if method not in found or better:
                found[method] = result
                for key, value in _PROPERTY.findall(part):
                    domains[f"{method}.{key.lower()}"] = value.rpartition("@")[2].lower()
    if not server:
        return None
    domain = (
        domains.get("dmarc.header.from")
        or domains.get("dkim.header.d")
        or domains.get("dkim.header.i")
        or domains.get("spf.smtp.mailfrom", "")
    )
    return UpstreamResults(
        server, found.get("spf", ""), found.get("dkim", ""), found.get("dmarc", ""), domain
    )
