"""SPF, DKIM and DMARC of inbound mail, with DNS out of a table; and what trusted servers say."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.authentication import Authentication, AuthenticationSettings, DnsAway, authenticate
from channels.mail.authentication.policy import DmarcResult, check_dmarc
from channels.mail.authentication.results import read_results
from channels.mail.authentication.sender_policy import check_spf
from channels.mail.authentication.signatures import SignatureResult, check_dkim
from channels.mail.dkim.keys import DkimKey
from channels.mail.dkim.signing import Signer
from channels.mail.parsed import Mailbox, ParsedMail

KEY = DkimKey("firm.example", "e1", "ed25519-sha256", Ed25519PrivateKey.generate())
OTHER = DkimKey("list.example", "e1", "ed25519-sha256", Ed25519PrivateKey.generate())
MAIL = b"From: Claire <claire@firm.example>\r\nTo: us@hub.example\r\nSubject: Hello\r\n\r\nHello\r\n"
ZONE = {
    ("firm.example", "TXT"): ["v=spf1 ip4:192.0.2.0/28 include:relay.example -all"],
    ("relay.example", "TXT"): ["v=spf1 a:out.relay.example ~all"],
    ("out.relay.example", "A"): ["198.51.100.7"],
    ("_dmarc.firm.example", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"],
    (KEY.record_name, "TXT"): [KEY.record],
    (OTHER.record_name, "TXT"): [OTHER.record],
}


class Zone:
    """Answers from a table and counts the questions; names under `away` are not answered."""

    def __init__(self, records: Mapping[tuple[str, str], Sequence[str]], away: str = "") -> None:
        self.records, self.away, self.asked = records, away, 0

    def __call__(self, name: str, kind: str) -> Sequence[str]:
        self.asked += 1
        if self.away and name.endswith(self.away):
            raise DnsAway("no answer")
        return self.records.get((name.lower(), kind), ())


def check(
    raw: bytes = MAIL,
    peer: str = "192.0.2.1",
    sender: str = "claire@firm.example",
    zone: Zone | None = None,
    settings: AuthenticationSettings | None = None,
    results: Sequence[str] = (),
    author: str = "claire@firm.example",
) -> Authentication:
    mail = ParsedMail(
        headers=tuple(("Authentication-Results", value) for value in results),
        sender=Mailbox("", author),
    )
    return authenticate(
        raw,
        mail,
        sender=sender,
        peer=peer,
        helo="mx.firm.example",
        settings=settings or AuthenticationSettings(),
        resolver=zone or Zone(ZONE),
    )


def test_a_mail_from_where_its_domain_sends_is_genuine() -> None:
    found = check()
    assert (found.spf, found.dkim, found.dmarc, found.source) == ("pass", "none", "pass", "checked")
    assert found.genuine


def test_a_mail_from_elsewhere_without_a_signature_is_forged() -> None:
    found = check(peer="203.0.113.9")
    assert (found.spf, found.dmarc, found.policy) == ("fail", "fail", "reject")
    assert found.forged


def test_a_forwarded_mail_stays_genuine_by_its_signature() -> None:
    found = check(Signer([KEY]).sign(MAIL), peer="203.0.113.9", sender="forward@other.example")
    assert (found.spf, found.dkim, found.dmarc) == ("none", "pass", "pass")


def test_a_good_signature_of_somebody_else_proves_nothing_about_from() -> None:
    raw = MAIL.replace(b"claire@firm.example", b"x@list.example")
    signed = Signer([OTHER]).sign(raw).replace(b"x@list.example", b"claire@firm.example")
    assert check_dkim(Signer([OTHER]).sign(raw), Zone(ZONE)) == [SignatureResult("list.example", "pass")]
    found = check(signed, peer="203.0.113.9")
    assert (found.dkim, found.dmarc) == ("fail", "fail")


def test_a_signature_over_a_changed_body_fails() -> None:
    found = check(Signer([KEY]).sign(MAIL).replace(b"\r\n\r\nHello", b"\r\n\r\nPay to"), peer="203.0.113.9")
    assert (found.dkim, found.dmarc) == ("fail", "fail")


def test_a_relay_of_our_own_is_not_asked_about() -> None:
    zone = Zone(ZONE)
    found = check(Signer([KEY]).sign(MAIL), peer="10.0.0.5", zone=zone)
    assert (found.spf, found.dkim, found.dmarc) == ("none", "pass", "pass")


def test_a_mail_out_of_a_folder_has_no_peer() -> None:
    assert check(peer="").spf == "none"


def test_silent_name_servers_are_no_verdict() -> None:
    found = check(zone=Zone(ZONE, away="firm.example"))
    assert (found.spf, found.dmarc) == ("temperror", "temperror")
    assert not found.forged


def test_checks_can_be_switched_off() -> None:
    zone = Zone(ZONE)
    found = check(zone=zone, settings=AuthenticationSettings(check=False))
    assert (found.spf, found.dkim, found.dmarc, found.source, zone.asked) == ("none", "none", "none", "", 0)


def test_a_signature_over_the_beginning_only_does_not_count() -> None:
    key = Ed25519PrivateKey.generate()
    seed = b64encode(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    made = dkim.sign(
        MAIL, b"e2", b"firm.example", seed, signature_algorithm=b"ed25519-sha256", length=True,
        canonicalize=(b"relaxed", b"relaxed"),
    )  # fmt: skip
    record = DkimKey("firm.example", "e2", "ed25519-sha256", key).record
    zone = Zone({("e2._domainkey.firm.example", "TXT"): [record]})
    assert check_dkim(made + MAIL, zone) == [SignatureResult("firm.example", "pass")]
    assert check_dkim(made + MAIL + b"Pay here\r\n", zone) == [SignatureResult("firm.example", "policy")]


# What a trusted server says -----------------------------------------------------------------------------------------

TRUSTED = AuthenticationSettings(trusted_servers=("mx.google.com",))
GOOGLE = (
    "mx.google.com; dkim=pass header.i=@firm.example header.s=s1 header.b=AbC;\r\n spf=softfail (google.com: domain "
    "of transitioning (x) does not) smtp.mailfrom=claire@firm.example;\r\n dmarc=pass (p=REJECT sp=REJECT dis=NONE) "
    "header.from=firm.example"
)


def test_a_trusted_server_is_believed_without_asking_dns() -> None:
    zone = Zone({})
    found = check(peer="203.0.113.9", zone=zone, settings=TRUSTED, results=[GOOGLE])
    assert (found.spf, found.dkim, found.dmarc, found.source) == ("softfail", "pass", "pass", "mx.google.com")
    assert zone.asked == 0


def test_another_server_is_not_believed() -> None:
    found = check(
        peer="203.0.113.9", settings=TRUSTED, results=["mx.evil.example; dmarc=pass header.from=firm.example"]
    )
    assert (found.dmarc, found.source) == ("fail", "checked")


def test_what_stands_below_the_trusted_header_does_not_count() -> None:
    forged = "mx.google.com; dmarc=pass header.from=firm.example; dkim=pass header.d=firm.example"
    found = read_results(
        ["mx.google.com; dmarc=fail", "mx.evil.example; spf=pass", forged], {"mx.google.com"}
    )
    assert found is not None
    assert (found.dmarc, found.dkim) == ("fail", "")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("mx.google.com 1; dkim=fail header.d=a.example; dkim=pass header.d=firm.example", ("", "pass", "")),
        ("MX.google.com (our (own) server); spf = pass smtp.mailfrom=x@firm.example", ("pass", "", "")),
        ("mx.google.com; none", ("", "", "")),
        ('mx.google.com; dmarc=pass (p=none) header.from="firm.example"', ("", "", "pass")),
        ("mx.google.com; dkim/1=pass header.i=@firm.example", ("", "pass", "")),
    ],
)
def test_headers_are_read_forgivingly(header: str, expected: tuple[str, str, str]) -> None:
    found = read_results([header], {"mx.google.com"})
    assert found is not None
    assert (found.spf, found.dkim, found.dmarc) == expected


@given(st.lists(st.text(alphabet='mx.google.com;=()" /12spfdkimdmarcpass\r\n\t', max_size=300), max_size=4))
def test_no_header_breaks_the_reader(headers: list[str]) -> None:
    read_results(headers, {"mx.google.com", "m"})


# The policy of a domain ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "domain", "signed_by", "expected"),
    [
        ({}, "firm.example", "firm.example", DmarcResult("none")),
        (
            {"firm.example": "v=DMARC1; p=none"},
            "firm.example",
            "mail.firm.example",
            DmarcResult("pass", "none"),
        ),
        (
            {"firm.example": "v=DMARC1; p=none; adkim=s"},
            "firm.example",
            "mail.firm.example",
            DmarcResult("fail", "none"),
        ),
        (
            {"firm.example": "v=DMARC1; p=reject; sp=none"},
            "a.firm.example",
            "b.firm.example",
            DmarcResult("pass", "none"),
        ),
        (
            {"firm.example": "v=DMARC1; p=reject"},
            "a.firm.example",
            "evil.example",
            DmarcResult("fail", "reject"),
        ),
        (
            {"example": "v=DMARC1; p=none; psd=y", "firm.example": "v=DMARC1; p=reject"},
            "firm.example",
            "other.example",
            DmarcResult("fail", "reject"),
        ),
        (
            {"example": "v=DMARC1; p=reject; psd=y"},
            "firm.example",
            "other.example",
            DmarcResult("fail", "reject"),
        ),
        ({"firm.example": "v=spf1 -all"}, "firm.example", "firm.example", DmarcResult("none")),
        ({}, "localhost", "localhost", DmarcResult("permerror")),
    ],
)
def test_alignment_follows_the_tree_of_the_domain(
    records: Mapping[str, str], domain: str, signed_by: str, expected: DmarcResult
) -> None:
    zone = Zone({(f"_dmarc.{name}", "TXT"): [text] for name, text in records.items()})
    assert check_dmarc(domain, ("none", ""), [SignatureResult(signed_by, "pass")], zone) == expected


def test_two_records_at_one_name_count_as_none() -> None:
    zone = Zone({("_dmarc.firm.example", "TXT"): ["v=DMARC1; p=none", "v=DMARC1; p=reject"]})
    assert check_dmarc("firm.example", ("pass", "firm.example"), [], zone) == DmarcResult("none")


def test_a_name_of_many_labels_costs_few_questions() -> None:
    zone = Zone({})
    check_dmarc(".".join("abcdefghijklmnopqrst") + ".example", ("none", ""), [], zone)
    assert zone.asked == 8


# SPF ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "sender", "helo", "expected"),
    [
        ("192.0.2.3", "a@firm.example", "x", "pass"),
        ("198.51.100.7", "a@firm.example", "x", "pass"),
        ("203.0.113.1", "a@firm.example", "x", "fail"),
        ("203.0.113.1", "a@nothing.example", "x", "none"),
        ("198.51.100.7", "", "relay.example", "pass"),
        ("203.0.113.1", "", "[203.0.113.1]", "none"),
        ("203.0.113.1", "a@" + "x" * 70 + ".example", "x", "none"),
    ],
)
def test_the_policy_of_the_envelope_is_evaluated(peer: str, sender: str, helo: str, expected: str) -> None:
    assert check_spf(peer, sender, helo, Zone(ZONE), 5)[0] == expected


def test_a_policy_that_asks_for_ever_ends() -> None:
    zone = Zone({("loop.example", "TXT"): ["v=spf1 include:loop.example -all"]})
    assert check_spf("203.0.113.1", "a@loop.example", "x", zone, 5)[0] == "permerror"
    assert zone.asked < 50


@given(st.binary(max_size=600))
def test_no_bytes_break_the_check(raw: bytes) -> None:
    signed = b"DKIM-Signature: " + raw + b"\r\n" + MAIL
    assert isinstance(check(signed, zone=Zone(ZONE)), Authentication)
    assert isinstance(check(raw, zone=Zone(ZONE)), Authentication)
