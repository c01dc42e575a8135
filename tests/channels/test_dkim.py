"""DKIM signatures: verified by another implementation (dkimpy), sealed, rotated, refused with a reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_elliptic_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.mail.dkim.keys import DkimKey, DkimKeySettings, load_key
from channels.mail.dkim.signing import Signer, make_signer
from domain.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
RSA = DkimKey("firm.example", "r1", "rsa-sha256", generate_private_key(65537, 2048))
EDWARDS = DkimKey("firm.example", "e1", "ed25519-sha256", Ed25519PrivateKey.generate())
MAIL = (
    b"From: Claire <claire@firm.example>\r\nTo: bob@post.example\r\nSubject: Offer\r\n for   you\r\n"
    b"List-Unsubscribe: <https://firm.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Message-ID: <1@firm.example>\r\n\r\nHello  Bob \r\n\r\n.hidden\r\n\r\n\r\n"
)


def signer(*keys: DkimKey) -> Signer:
    return Signer(keys, lambda: NOW)


def verifies(mail: bytes, *keys: DkimKey) -> list[bool]:
    """What dkimpy says of each signature, first to last."""
    records = {key.record_name + ".": key.record.encode() for key in keys}
    checker = dkim.DKIM(mail)
    verdicts = []
    for index in range(len(keys)):
        try:
            good = checker.verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
        except dkim.ValidationError:
            good = False
        verdicts.append(good)
    return verdicts


@pytest.mark.parametrize("key", [RSA, EDWARDS], ids=["rsa", "ed25519"])
def test_another_implementation_accepts_the_signature(key: DkimKey) -> None:
    assert verifies(signer(key).sign(MAIL), key) == [True]


def test_two_valid_keys_sign_both() -> None:
    signed = signer(RSA, EDWARDS).sign(MAIL)
    assert verifies(signed, RSA, EDWARDS) == [True, True]


def test_the_payload_of_data_is_signed_as_it_arrives_without_its_doubled_dots() -> None:
    payload = MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    signed = signer(RSA).sign_payload(payload)
    assert signed.endswith(payload)
    arrived = signed[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
    assert verifies(arrived, RSA) == [True]


def test_the_fields_of_one_click_unsubscription_are_covered() -> None:
    signed = signer(RSA).sign(MAIL)
    found = re.search(rb"h=([^;]*);", signed)
    assert found is not None
    names = re.sub(rb"\s", b"", found[1]).split(b":")
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(names)


@pytest.mark.parametrize("added", [b"Subject: Other", b"From: x@evil.example", b"Reply-To: x@evil.example"])
def test_a_field_that_somebody_adds_breaks_the_signature(added: bytes) -> None:
    signed = signer(RSA).sign(MAIL)
    head, body = signed.split(b"\r\n\r\n", 1)
    assert verifies(head + b"\r\n" + added + b"\r\n\r\n" + body, RSA) == [False]


def test_a_changed_body_breaks_the_signature_and_changed_blanks_do_not() -> None:
    signed = signer(RSA).sign(MAIL)
    assert verifies(signed.replace(b"Hello  Bob \r\n", b"Hello Rob\r\n"), RSA) == [False]
    assert verifies(signed.replace(b"Hello  Bob \r\n", b"Hello Bob\r\n"), RSA) == [True]


def test_only_mail_from_the_domain_of_a_key_is_signed() -> None:
    other = MAIL.replace(b"claire@firm.example", b"claire@other.example")
    assert signer(RSA).sign(other) == other
    below = MAIL.replace(b"claire@firm.example", b"claire@news.firm.example")
    assert verifies(signer(RSA).sign(below), RSA) == [True]
    near = MAIL.replace(b"claire@firm.example", b"claire@notfirm.example")
    assert signer(RSA).sign(near) == near


def test_a_key_signs_only_while_it_is_valid() -> None:
    old = DkimKey("firm.example", "old", "rsa-sha256", RSA.private, None, NOW)
    new = DkimKey("firm.example", "new", "rsa-sha256", RSA.private, NOW, NOW + timedelta(days=90))
    assert b"s=new;" in (signed := signer(old, new).sign(MAIL))
    assert b"s=old;" not in signed


@given(st.binary(max_size=2000).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_any_body_verifies(body: bytes) -> None:
    mail = b"From: a@firm.example\r\n\r\n" + body + b"\r\n"
    assert verifies(signer(EDWARDS).sign(mail), EDWARDS) == [True]


def pem(key: DkimKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    for key in (RSA, EDWARDS):
        (tmp_path / f"{key.selector}.pem").write_bytes(pem(key))
        settings = DkimKeySettings(
            domain="Firm.example", selector=key.selector, file=tmp_path / f"{key.selector}.pem"
        )
        assert load_key(settings).record == key.record
        assert verifies(make_signer([settings]).sign(MAIL), key) == [True]  # type: ignore[union-attr]


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"rubbish", "openssl")])
def test_a_key_that_cannot_be_read_is_refused_with_the_remedy(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        load_key(DkimKeySettings(domain="a.example", selector="s", file=file))


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    private = generate_elliptic_key(SECP256R1())
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigurationError, match="neither an RSA nor an Ed25519"):
        load_key(DkimKeySettings(domain="a.example", selector="s", file=file))


def test_a_key_that_could_never_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="never sign"):
        DkimKeySettings(
            domain="a.example", selector="s", file=Path("k"), valid_from=NOW, valid_until=NOW - timedelta(1)
        )
