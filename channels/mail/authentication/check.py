"""The whole check of one inbound mail, as agents see it and rules use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from channels.mail.authentication.policy import check_dmarc
from channels.mail.authentication.resolver import Resolver
from channels.mail.authentication.results import read_results
from channels.mail.authentication.sender_policy import check_spf
from channels.mail.authentication.settings import AuthenticationSettings
from channels.mail.authentication.signatures import SignatureResult, check_dkim
from channels.mail.parsed import ParsedMail

_WORDS: Final = frozenset(
    ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy", "bestguesspass")
)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Results in the words of RFC 8601; `none` where there was nothing to check.

    `domain`: of From. `policy`: what that domain asks for when DMARC fails. `source`: `checked`, or the name of the
    trusted server that said so, or empty when nobody checked anything.
    """

    spf: str = "none"
    dkim: str = "none"
    dmarc: str = "none"
    domain: str = ""
    policy: str = ""
    source: str = ""

    @property
    def genuine(self) -> bool:
        """The domain that people read in From stands behind this mail."""
        return self.dmarc == "pass"

    @property
    def forged(self) -> bool:
        """The domain in From says how to recognise its mail, and this is not one of them."""
        return self.dmarc == "fail"

    def as_json(self) -> dict[str, str]:
        """For mail_facts.authentication and for the event's data."""
        return asdict(self)


def authenticate(
    raw: bytes,
    mail: ParsedMail,
    *,
    sender: str,
    peer: str,
    helo: str,
    settings: AuthenticationSettings,
    resolver: Resolver,
) -> Authentication:
    """Check a mail, or believe a trusted server before ours. Blocks for DNS: call it in a thread. Never raises.

    `sender` is the envelope's; `peer` the address of the machine that gave us the mail and `helo` its name, both
    empty for a mail that was fetched from a folder.
    """
    domain = mail.sender.address.rpartition("@")[2] if mail.sender else ""
    told = read_results(mail.all("Authentication-Results"), settings.trusted_servers)
    if told is not None:
        return Authentication(
            _word(told.spf), _word(told.dkim), _word(told.dmarc), domain or told.domain, source=told.server
        )
    if not settings.check:
        return Authentication(domain=domain)
    spf = ("none", "")
    if peer and not _is_own(peer, settings):
        spf = check_spf(peer, sender, helo, resolver, settings.timeout)
    signatures = check_dkim(raw, resolver)
    verdict = check_dmarc(domain, spf, signatures, resolver)
    return Authentication(
        spf[0], _of_signatures(signatures, domain), verdict.result, domain, verdict.policy, "checked"
    )


def checks_of(meta: Mapping[str, object]) -> tuple[str, str]:
    """Peer and HELO from what an arrival noted."""
    return str(meta.get("peer") or ""), str(meta.get("helo") or "")


def _of_signatures(signatures: list[SignatureResult], domain: str) -> str:
    """One word for all: the signature of the domain in From before others, a good one before a bad one."""
    if not signatures:
        return "none"
    own = [s for s in signatures if domain and (s.domain == domain or domain.endswith("." + s.domain))]
    for group in (own, signatures):
        if any(s.result == "pass" for s in group):
            return "pass"
    return (own or signatures)[0].result


def _is_own(peer: str, settings: AuthenticationSettings) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return True  # a Unix socket, or nothing that SPF could look up
    return any(address in ip_network(network) for network in settings.own_networks)


def _word(result: str) -> str:
    return result if result in _WORDS else "none" if not result else "permerror"
