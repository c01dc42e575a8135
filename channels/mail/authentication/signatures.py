"""DKIM signatures of inbound mail (RFC 6376), verified by dkimpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import dkim

from channels.mail.authentication.resolver import DnsAway, Resolver
from channels.mail.dkim.canonical import relaxed_body

#: A mail may carry as many signatures as its sender likes; so many are looked at.
_LIMIT: Final = 5


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """What became of one signature: its signing domain, and a word of RFC 8601."""

    domain: str
    result: str


def check_dkim(raw: bytes, resolver: Resolver) -> list[SignatureResult]:
    """Verify the signatures, topmost first; empty when there are none. Never raises."""
    try:
        verifier = dkim.DKIM(raw, minkey=1024)
    except Exception:
        return []
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")

    def ask(name: bytes | str, timeout: int = 5) -> bytes | None:
        text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        found = resolver(text.rstrip("."), "TXT")
        keys = [record for record in found if "p=" in record]
        return keys[0].encode() if keys else None

    results = []
    for index in range(min(count, _LIMIT)):
        try:
            result = "pass" if verifier.verify(idx=index, dnsfunc=ask) else "fail"
        except DnsAway:
            result = "temperror"
        except (dkim.ValidationError, dkim.MessageFormatError):
            result = "fail"
        except Exception:  # a malformed signature or key, of which dkimpy knows many kinds
            result = "permerror"
        fields = getattr(verifier, "signature_fields", None) or {}
        if result == "pass" and b"l" in fields and int(fields[b"l"]) < len(relaxed_body(verifier.body)):
            result = "policy"  # anybody may have written what follows the signed part (RFC 6376 8.2)
        domain = fields.get(b"d", b"").decode("ascii", "replace").lower()
        results.append(SignatureResult(domain, result))
    return results
