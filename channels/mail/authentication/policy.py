"""DMARC: whether the domain that people read in From stands behind the mail (RFC 7489, with DMARCbis' tree walk).

The tree walk finds the organisational domain by asking DNS, so that no list of public suffixes grows old here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from channels.mail.authentication.resolver import DnsAway, Resolver
from channels.mail.authentication.signatures import SignatureResult

_LABELS: Final = 8  #: a longer name is cut to seven labels after the first question


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`result`: pass, fail, none, temperror or permerror; `policy`: none, quarantine, reject or empty."""

    result: str
    policy: str = ""


def check_dmarc(
    domain: str, spf: tuple[str, str], signatures: Sequence[SignatureResult], resolver: Resolver
) -> DmarcResult:
    """Judge the domain of From by what SPF (its result and domain) and the signatures say. Never raises."""
    domain = domain.rstrip(".").lower()
    if not domain or "." not in domain:
        return DmarcResult("permerror")
    try:
        records = _walk(domain, resolver)
        if not records:
            return DmarcResult("none")
        organisation = _organisation(domain, records)
        own = records.get(domain)
        record = own or records.get(organisation) or next(iter(records.values()))
        policy = _policy(record, own is None)
        identifiers = [(d.domain, record.get("adkim", "r")) for d in signatures if d.result == "pass"]
        if spf[0] == "pass":
            identifiers.append((spf[1], record.get("aspf", "r")))
        for identifier, mode in identifiers:
            if _aligned(identifier, mode, domain, organisation, resolver):
                return DmarcResult("pass", policy)
    except DnsAway:
        return DmarcResult("temperror")
    if any(signature.result == "temperror" for signature in signatures) or spf[0] == "temperror":
        return DmarcResult("temperror", policy)
    return DmarcResult("fail", policy)


def _walk(domain: str, resolver: Resolver) -> dict[str, Mapping[str, str]]:
    """The DMARC records from the name itself upwards, at most eight questions."""
    labels = domain.split(".")
    names = [domain]
    start = len(labels) - 7 if len(labels) >= _LABELS else 1
    names += [".".join(labels[index:]) for index in range(start, len(labels))]
    records: dict[str, Mapping[str, str]] = {}
    for name in dict.fromkeys(names):
        found = [tags for text in resolver(f"_dmarc.{name}", "TXT") if (tags := _tags(text))]
        if len(found) == 1:
            records[name] = found[0]
            if found[0].get("psd") in ("n", "y") and not (found[0]["psd"] == "y" and name == domain):
                break
    return records


def _tags(text: str) -> Mapping[str, str] | None:
    parts = [part.partition("=") for part in text.split(";")]
    tags = {name.strip().lower(): value.strip().lower() for name, _, value in parts if name.strip()}
    if not parts or parts[0][0].strip().lower() != "v" or parts[0][2].strip() != "DMARC1":
        return None
    return tags


def _organisation(domain: str, records: Mapping[str, Mapping[str, str]]) -> str:
    for name, tags in records.items():
        if tags.get("psd") == "n":
            return name
        if tags.get("psd") == "y" and name != domain:
            labels = domain.split(".")
            return ".".join(labels[-(name.count(".") + 2) :])
    return min(records, key=lambda name: name.count("."))


def _policy(record: Mapping[str, str], from_above: bool) -> str:
    policy = (record.get("sp") if from_above else None) or record.get("p", "none")
    return policy if policy in ("none", "quarantine", "reject") else "none"


def _aligned(identifier: str, mode: str, domain: str, organisation: str, resolver: Resolver) -> bool:
    identifier = identifier.rstrip(".").lower()
    if identifier == domain:
        return True
    if mode == "s" or not identifier:
        return False
    if identifier == organisation:
        return True
    if not identifier.endswith("." + organisation):
        return False
    records = _walk(identifier, resolver)
    return bool(records) and _organisation(identifier, records) == organisation
