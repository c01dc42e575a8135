"""What DKIM costs per mail: our signer with a key parsed once, against dkimpy; RSA of 2048 bits and Ed25519.

Composed newsletters of about 5 KB (benchmarks/compose.py); microseconds per signature, median of several rounds.
"""

from __future__ import annotations

import statistics
import time
from base64 import b64encode
from collections.abc import Callable

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.compose import BASE, NOW, newsletter, recipients
from channels.mail.dkim.keys import DkimKey
from channels.mail.dkim.signing import Signer
from templates.compilation import compile_plan
from templates.context import CampaignContext

_COUNT = 200


def run(rounds: int = 5) -> list[dict[str, str | float]]:
    """Measure both kinds of key; `ratio` tells how many times faster ours is."""
    plan = compile_plan(newsletter(), CampaignContext("Spring", BASE))
    payloads = [plan.compose(person, NOW)[0] for person in recipients(_COUNT)]
    rsa = DkimKey("example.org", "s1", "rsa-sha256", generate_private_key(65537, 2048))
    edwards = DkimKey("example.org", "s2", "ed25519-sha256", Ed25519PrivateKey.generate())
    figures: list[dict[str, str | float]] = []
    for key in (rsa, edwards):
        signer, yardstick = Signer([key]), _dkimpy(key)
        ours = _median(lambda payload, s=signer: s.sign_payload(payload), payloads, rounds)  # type: ignore[misc]
        theirs = _median(yardstick, [payload[:-3] for payload in payloads], rounds)
        figures.append(
            {
                "name": f"signing: {key.algorithm} / dkimpy",
                "ours": round(ours, 1),
                "yardstick": round(theirs, 1),
                "unit": "µs per mail, less is better",
                "ratio": round(theirs / ours, 2),
            }
        )
    return figures


def _dkimpy(key: DkimKey) -> Callable[[bytes], object]:
    if isinstance(key.private, Ed25519PrivateKey):
        private = b64encode(key.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    else:
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    selector, domain, algorithm = key.selector.encode(), key.domain.encode(), key.algorithm.encode()
    return lambda mail: dkim.sign(
        mail,
        selector,
        domain,
        private,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=algorithm,
    )


def _median(sign: Callable[[bytes], object], mails: list[bytes], rounds: int) -> float:
    sign(mails[0])
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for mail in mails:
            sign(mail)
        times.append((time.perf_counter() - start) / len(mails) * 1e6)
    return statistics.median(times)


if __name__ == "__main__":
    for row in run():
        print(row)
