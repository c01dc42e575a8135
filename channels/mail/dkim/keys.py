"""DKIM keys: read from PEM files once, chosen by the domain of From and by time, so that they can be rotated."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.errors import ConfigurationError

_Label = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=253)
]
#: RFC 8301: verifiers must take 1024 to 4096 bits, signers should use at least 2048. Below 1024 nobody takes it.
_LEAST_BITS: Final = 1024


class DkimKeySettings(BaseModel):
    """A key that signs for a domain, while it is valid. Two keys of one domain, valid at once, both sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: _Label = Field(
        description="the signing domain (d=); signs mail whose From is in it or in a subdomain"
    )
    selector: _Label = Field(description="the selector (s=); its record is SELECTOR._domainkey.DOMAIN")
    file: Path = Field(description="the private key, RSA or Ed25519, a PEM file")
    valid_from: AwareDatetime | None = Field(
        default=None, description="signs from then on; publish the record some days before"
    )
    valid_until: AwareDatetime | None = Field(
        default=None, description="signs until then; leave the record published for a week after"
    )

    @model_validator(mode="after")
    def _check_times(self) -> DkimKeySettings:
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("valid_until: it lies before valid_from, so the key would never sign")
        return self


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A parsed key. `algorithm` is the a= tag."""

    domain: str
    selector: str
    algorithm: str
    private: RSAPrivateKey | Ed25519PrivateKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def signs(self, domain: str, now: datetime) -> bool:
        """Whether it signs for this domain of From (its own, or one below it) at this time."""
        if not (domain == self.domain or domain.endswith("." + self.domain)):
            return False
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )

    @property
    def record_name(self) -> str:
        """Where its public half is published."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What is to be published there, a TXT record (RFC 6376 3.6.1, RFC 8463 4)."""
        public = self.private.public_key()
        if isinstance(self.private, Ed25519PrivateKey):
            kind, data = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            kind, data = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k={kind}; p={b64encode(data).decode('ascii')}"


def load_key(settings: DkimKeySettings) -> DkimKey:
    """Read a key from its file. Raises ConfigurationError that names the file and the remedy."""
    where = f"dkim key {settings.selector} of {settings.domain}"
    try:
        private = load_pem_private_key(settings.file.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(
            f"{where}: {settings.file} cannot be read ({error.strerror}). Check the path and who may read it."
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{where}: {settings.file} holds no private key in PEM form without a password ({error}). "
            "Make one with: openssl genrsa 2048, or openssl genpkey -algorithm ed25519."
        ) from error
    if isinstance(private, RSAPrivateKey):
        if private.key_size < _LEAST_BITS:
            raise ConfigurationError(f"{where}: {private.key_size} bits are too few. Use 2048.")
        algorithm = "rsa-sha256"
    elif isinstance(private, Ed25519PrivateKey):
        algorithm = "ed25519-sha256"
    else:
        raise ConfigurationError(f"{where}: {settings.file} is neither an RSA nor an Ed25519 key.")
    return DkimKey(
        settings.domain.lower(),
        settings.selector,
        algorithm,
        private,
        settings.valid_from,
        settings.valid_until,
    )
