"""What the world's DNS says about a domain that we send from: SPF, DKIM, DMARC, their alignment, and names of machines.

Pure but for the resolver that is handed in; every finding that is not good comes with its remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

from channels.mail.authentication.policy import check_dmarc
from channels.mail.authentication.resolver import DnsAway, Resolver
from channels.mail.authentication.sender_policy import check_spf
from channels.mail.authentication.signatures import SignatureResult
from channels.mail.dkim.keys import DkimKey
from domain.findings import Finding

_LEAST_BITS: Final = 2048


def examine_domain(
    domain: str, bounce_domain: str, keys: Sequence[DkimKey], addresses: Iterable[str], resolver: Resolver
) -> Iterator[Finding]:
    """Findings on one sending domain (that of From).

    `bounce_domain` stands in envelope senders, `keys` are those that sign for the domain now, `addresses` are the
    public IP addresses that our mail leaves from (of the relays; private ones are left out by the caller).
    """
    spf, finding = _spf(bounce_domain, list(addresses), resolver)
    yield finding
    for key in keys:
        yield _shielded(f"DKIM {key.record_name}", partial(_dkim, key, resolver))
    if not keys:
        yield Finding(
            f"DKIM {domain}",
            False,
            "mail from this domain is not signed",
            "Make a key (openssl genrsa -out dkim.pem 2048), add it to CLYTIE_DKIM, publish the record that this "
            "command then shows; or let the relay sign.",
        )
    yield _shielded(f"DMARC {domain}", lambda: _dmarc(domain, bounce_domain, spf, keys, resolver))
    yield _shielded(f"MX {bounce_domain}", lambda: _mx(bounce_domain, resolver))


def examine_machine(address: str, resolver: Resolver) -> Finding:
    """Whether an IP address that mail leaves from has a name that leads back to it (RFC 1912 2.1)."""

    def look() -> Finding:
        subject = f"rDNS {address}"
        names = resolver(_reverse(address), "PTR")
        remedy = "Ask whoever gave you the address to set its reverse name (PTR) to your mail server's name."
        if not names:
            return Finding(subject, False, "the address has no name; many servers refuse its mail", remedy)
        kind = "AAAA" if ":" in address else "A"
        if any(address in resolver(name, kind) for name in names):
            return Finding(subject, True, f"{names[0]}, which leads back to the address")
        return Finding(
            subject,
            False,
            f"{names[0]} does not lead back to the address",
            f"Publish an {kind} record {names[0]} with {address}.",
        )

    return _shielded(f"rDNS {address}", look)


def _shielded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except DnsAway as error:
        return Finding(
            subject,
            None,
            f"the name servers do not answer ({error})",
            "Run this again where DNS can be reached.",
        )


def _spf(domain: str, addresses: Sequence[str], resolver: Resolver) -> tuple[tuple[str, str], Finding]:
    subject = f"SPF {domain}"
    includes = " ".join(f"ip{6 if ':' in address else 4}:{address}" for address in addresses)
    suggestion = f'"v=spf1 {includes or "include:YOUR-RELAY"} -all"'
    try:
        records = [text for text in resolver(domain, "TXT") if text.lower().split(" ", 1)[0] == "v=spf1"]
    except DnsAway as error:
        return ("temperror", domain), Finding(
            subject,
            None,
            f"the name servers do not answer ({error})",
            "Run this again where DNS can be reached.",
        )
    if not records:
        return ("none", domain), Finding(
            subject, False, "there is no record", f"Publish a TXT record {domain} with {suggestion}."
        )
    if len(records) > 1:
        return ("permerror", domain), Finding(
            subject, False, "there are several records, so none counts", "Merge them into one."
        )
    if not addresses:
        return ("pass", domain), Finding(
            subject, True, f"{records[0]} (whether your relay is in it cannot be seen from here)"
        )
    for address in addresses:
        result, _ = check_spf(address, f"postmaster@{domain}", domain, resolver, 20)
        if result != "pass":
            return (result, domain), Finding(
                subject,
                None if result == "temperror" else False,
                f"mail from {address} gets {result}: {records[0]}",
                f"Let the record allow your relays, e.g. {suggestion}.",
            )
    return ("pass", domain), Finding(subject, True, f"allows {', '.join(addresses)}")


def _dkim(key: DkimKey, resolver: Resolver) -> Finding:
    subject = f"DKIM {key.record_name}"
    wanted = _tag(key.record, "p")
    found = [text for text in resolver(key.record_name, "TXT") if "p=" in text]
    publish = f"Publish a TXT record {key.record_name} with {key.record}"
    if not found:
        return Finding(subject, False, "the record is missing, so every signature fails", publish)
    if not any(_tag(text, "p") == wanted for text in found):
        return Finding(subject, False, "the record holds another key, so every signature fails", publish)
    if any("y" in _tag(text, "t").split(":") for text in found):
        return Finding(
            subject, False, "the record says that it is a test (t=y)", "Remove t=y from the record."
        )
    size = getattr(key.private, "key_size", None)
    if size is not None and size < _LEAST_BITS:
        return Finding(
            subject,
            False,
            f"an RSA key of {size} bits, which some receivers no longer take",
            "Use one of 2048.",
        )
    return Finding(subject, True, f"published; signs with {key.algorithm}")


def _dmarc(
    domain: str, bounce_domain: str, spf: tuple[str, str], keys: Sequence[DkimKey], resolver: Resolver
) -> Finding:
    subject = f"DMARC {domain}"
    signatures = [SignatureResult(key.domain, "pass") for key in keys]
    verdict = check_dmarc(domain, spf, signatures, resolver)
    if verdict.result == "none":
        return Finding(
            subject,
            False,
            "there is no record; large mailbox providers refuse bulk mail without one",
            f'Publish a TXT record _dmarc.{domain} with "v=DMARC1; p=none; rua=mailto:postmaster@{domain}", read the '
            "reports for some weeks, then raise p to quarantine and reject.",
        )
    if verdict.result == "pass":
        by_spf = check_dmarc(domain, spf, [], resolver).result == "pass"
        if keys and by_spf:
            return Finding(subject, True, f"p={verdict.policy}; DKIM and SPF are both aligned")
        if keys:
            return Finding(
                subject,
                True,
                f"p={verdict.policy}; DKIM is aligned, SPF is not (envelopes are sent from {bounce_domain})",
            )
        return Finding(
            subject, True, f"p={verdict.policy}; SPF is aligned, but breaks when a mail is forwarded"
        )
    if verdict.result == "temperror":
        return Finding(
            subject, None, "the name servers do not answer", "Run this again where DNS can be reached."
        )
    return Finding(
        subject,
        False,
        f"p={verdict.policy or '?'}, and neither DKIM nor SPF is aligned with {domain}: receivers do as p says",
        f"Sign with a key of {domain}, or use a bounce domain below {domain} (CLYTIE_OUTBOX__BOUNCE_DOMAIN).",
    )


def _mx(domain: str, resolver: Resolver) -> Finding:
    subject = f"MX {domain}"
    if resolver(domain, "MX") or resolver(domain, "A") or resolver(domain, "AAAA"):
        return Finding(subject, True, "bounces can come back")
    return Finding(
        subject,
        False,
        "no server takes mail for this domain, so bounces are lost and some receivers refuse the mail",
        f"Publish an MX record for {domain} that leads to where Clytie receives mail.",
    )


def _tag(record: str, name: str) -> str:
    for part in record.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return "".join(value.split())
    return ""


def _reverse(address: str) -> str:
    return ip_address(address).reverse_pointer
