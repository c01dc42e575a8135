"""Whether a request comes from the provider: its signature over the URL, as it saw it, and the form or the body.

The provider signs what it was told to call (www.twilio.com/docs/usage/webhooks/webhooks-security): HMAC-SHA1, keyed
with the account's token, of the URL with its query, followed by the form's fields sorted by name, each name and
value run together; a body that is no form is covered by its SHA-256 in the query (`bodySHA256`). A shared key gives
HMAC-SHA256 and says so in a header. Whether the URL holds its port differs between parts of the provider, and
credentials in it are signed by some and not by others, so all these spellings are tried; each takes the same key.

Behind a proxy the URL that reaches us is another one: `seen_url` puts the public one together.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha1, sha256
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from channels.base import CallbackRequest
from channels.http.forms import read_form

SIGNATURE: Final = "x-twilio-signature"
SETTINGS: Final = "x-twilio-webhooks-signature-settings"

_HASHES: Final = {"HMAC_SHA1": sha1, "HMAC_SHA256": sha256}
_PORTS: Final = {"https": 443, "http": 80}

Fields = Mapping[str, str | Sequence[str]]


def is_signed(
    url: str,
    content: Fields | str | bytes,
    signature: str,
    tokens: Iterable[str],
    *,
    algorithm: str = "HMAC_SHA1",
) -> bool:
    """Whether one of the `tokens` made this signature.

    `content` is the form's fields, or the body as it came when it is no form; then the URL has to hold its hash.
    Tokens are those of the account, of its subaccounts, and old ones while they are rotated. Takes the same time
    wherever a wrong signature differs.
    """
    hashed = _HASHES.get(algorithm.upper())
    if hashed is None or not signature.isascii():
        return False
    tail = ""
    if isinstance(content, (str, bytes)):
        body = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if not _holds_hash(url, body):
            return False
    else:
        tail = _run_together(content)
    given = signature.strip().encode("ascii")
    matches = False
    for token in tokens:
        if not token:
            continue  # an unset token signs nothing, else everybody could
        for spelling in _spellings(url):
            text = (spelling + tail).encode("utf-8", "surrogatepass")
            made = base64.b64encode(hmac.new(token.encode(), text, hashed).digest())
            matches |= hmac.compare_digest(made, given)
    return matches


def is_signed_request(request: CallbackRequest, tokens: Iterable[str]) -> bool:
    """Whether a request carries a valid signature. A form's fields are read from the body; a GET's are in its URL."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    signature = headers.get(SIGNATURE, "")
    if not signature:
        return False
    content: Fields | bytes = {}
    if request.body:
        if request.method.upper() == "GET":
            return False  # what nobody signed must not be read
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_form = kind in ("application/x-www-form-urlencoded", "")
        content = read_form(request.body) if is_form else request.body
    return is_signed(request.url, content, signature, tokens, algorithm=_algorithm(headers.get(SETTINGS, "")))


def sign(url: str, content: Fields, token: str) -> str:
    """The signature that the provider would make of a form sent to this URL."""
    text = (url + _run_together(content)).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.new(token.encode(), text, sha1).digest()).decode("ascii")


def seen_url(base_url: str, target: str) -> str:
    """The URL as the provider saw it: our public address, and the path and query exactly as they were requested.

    `base_url` is the setting that the provider was given, with the path below which a proxy serves us, if any;
    `target` the request's raw path with its query (percent signs untouched). Headers such as Host or
    X-Forwarded-Proto are not asked, since whoever sends a request can write them.
    """
    return base_url.rstrip("/") + "/" + target.lstrip("/")


def _run_together(fields: Fields) -> str:
    """Name and value of each field, sorted by name; of a repeated one its different values, sorted."""
    pieces = []
    for name in sorted(fields):
        value = fields[name]
        for one in [value] if isinstance(value, str) else sorted(set(value)):
            pieces.append(name + one)
    return "".join(pieces)


def _holds_hash(url: str, body: bytes) -> bool:
    """Whether the URL names the body's SHA-256, in hexadecimal."""
    given = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0].lower()
    made = sha256(body).hexdigest()
    return hmac.compare_digest(made.encode(), given.encode("utf-8", "surrogatepass"))


def _spellings(url: str) -> Iterator[str]:
    """The ways in which the provider may have written this URL: with its port and without, with credentials and
    without, its host as it was typed."""
    yield url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    credentials, at, _ = parts.netloc.rpartition("@")
    host = _bare_host(parts)
    with_port = f"{host}:{port or _PORTS.get(parts.scheme.lower(), 443)}"
    seen = {url}
    rest = url[url.index("//") + 2 + len(parts.netloc) :] if "//" in url else ""
    for place in (host, with_port):
        for who in ("", credentials + at):
            spelling = f"{url.partition('//')[0]}//{who}{place}{rest}"
            if spelling not in seen:
                seen.add(spelling)
                yield spelling


def _bare_host(parts: SplitResult) -> str:
    """Host without credentials and port, in the case it was written in."""
    place = parts.netloc.rpartition("@")[2]
    if place.startswith("["):
        return place.partition("]")[0] + "]"
    return place.partition(":")[0]


def _algorithm(header: str) -> str:
    """The algorithm that the settings' header names: `key=…,algorithm=HMAC_SHA256`; SHA-1 without it."""
    for part in header.split(","):
        name, found, value = part.partition("=")
        if found and name.strip() == "algorithm" and value.strip():
            return value.strip()
    return "HMAC_SHA1"
