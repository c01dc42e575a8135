"""What DNS says about a sending domain: each thing that can be wrong is found, with its remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from channels.mail.authentication import DnsAway
from channels.mail.deliverability import examine_domain, examine_machine
from channels.mail.dkim.keys import DkimKey
from domain.findings import Finding

KEY = DkimKey("firm.example", "s1", "ed25519-sha256", Ed25519PrivateKey.generate())
SHORT = DkimKey("firm.example", "s2", "rsa-sha256", generate_private_key(65537, 1024))
GOOD: Mapping[tuple[str, str], Sequence[str]] = {
    ("bounce.firm.example", "TXT"): ["v=spf1 ip4:192.0.2.9 -all"],
    ("bounce.firm.example", "MX"): ["10 mx.firm.example"],
    ("_dmarc.firm.example", "TXT"): ["v=DMARC1; p=quarantine"],
    (KEY.record_name, "TXT"): [KEY.record],
    (SHORT.record_name, "TXT"): [SHORT.record],
}


def examine(
    changes: Mapping[tuple[str, str], Sequence[str]] | None = None,
    keys: Sequence[DkimKey] = (KEY,),
    addresses: Sequence[str] = ("192.0.2.9",),
    bounce_domain: str = "bounce.firm.example",
) -> dict[str, Finding]:
    records = {**GOOD, **(changes or {})}
    found = examine_domain(
        "firm.example", bounce_domain, keys, addresses, lambda name, kind: records.get((name, kind), ())
    )
    return {finding.subject.split()[0]: finding for finding in found}


def test_a_domain_in_good_order_has_nothing_to_mend() -> None:
    found = examine()
    assert {subject: finding.good for subject, finding in found.items()} == {
        "SPF": True, "DKIM": True, "DMARC": True, "MX": True,
    }  # fmt: skip
    assert "DKIM and SPF are both aligned" in found["DMARC"].says


@pytest.mark.parametrize(
    ("changes", "subject", "remedy"),
    [
        ({("bounce.firm.example", "TXT"): []}, "SPF", "v=spf1 ip4:192.0.2.9 -all"),
        ({("bounce.firm.example", "TXT"): ["v=spf1 -all"]}, "SPF", "ip4:192.0.2.9"),
        ({("bounce.firm.example", "TXT"): ["v=spf1 -all", "v=spf1 +all"]}, "SPF", "Merge"),
        ({(KEY.record_name, "TXT"): []}, "DKIM", "record s1._domainkey.firm.example with v=DKIM1; k=ed25519"),
        (
            {(KEY.record_name, "TXT"): ["v=DKIM1; k=ed25519; p=AAAA"]},
            "DKIM",
            "record s1._domainkey.firm.example",
        ),
        ({(KEY.record_name, "TXT"): [KEY.record + "; t=y"]}, "DKIM", "Remove t=y"),
        ({("_dmarc.firm.example", "TXT"): []}, "DMARC", "v=DMARC1; p=none"),
        ({("bounce.firm.example", "MX"): []}, "MX", "Publish an MX record"),
    ],
)
def test_what_is_wrong_comes_with_its_remedy(
    changes: Mapping[tuple[str, str], Sequence[str]], subject: str, remedy: str
) -> None:
    found = examine(changes)
    assert found[subject].good is False
    assert remedy in found[subject].remedy
    assert all(finding.good for other, finding in found.items() if other not in (subject, "DMARC"))


def test_the_record_to_publish_is_shown_whole() -> None:
    assert KEY.record in examine({(KEY.record_name, "TXT"): []})["DKIM"].remedy


def test_unsigned_mail_with_a_foreign_bounce_domain_is_not_aligned() -> None:
    foreign = {
        ("other.example", "TXT"): ["v=spf1 ip4:192.0.2.9 -all"],
        ("other.example", "MX"): ["10 mx.other.example"],
    }
    found = examine(foreign, keys=(), bounce_domain="other.example")
    assert (found["SPF"].good, found["DKIM"].good, found["DMARC"].good) == (True, False, False)
    assert "below firm.example" in found["DMARC"].remedy


def test_a_short_key_is_told() -> None:
    assert "1024 bits" in examine(keys=(SHORT,))["DKIM"].says


def test_silent_name_servers_are_no_finding_against_anybody() -> None:
    def silent(name: str, kind: str) -> Sequence[str]:
        raise DnsAway("no answer")

    found = examine_domain("firm.example", "firm.example", [KEY], ["192.0.2.9"], silent)
    assert {finding.good for finding in found} == {None}


def test_a_machine_has_a_name_that_leads_back() -> None:
    records = {
        ("9.2.0.192.in-addr.arpa", "PTR"): ["mx.firm.example"],
        ("mx.firm.example", "A"): ["192.0.2.9"],
    }
    assert examine_machine("192.0.2.9", lambda name, kind: records.get((name, kind), ())).good
    del records["mx.firm.example", "A"]
    lost = examine_machine("192.0.2.9", lambda name, kind: records.get((name, kind), ()))
    assert (lost.good, "Publish an A record mx.firm.example" in lost.remedy) == (False, True)
    assert examine_machine("192.0.2.9", lambda name, kind: ()).good is False
