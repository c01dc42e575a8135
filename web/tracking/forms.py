"""Read a small form from anybody, whatever they send: bounded in size, time and number of fields."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email import message_from_bytes
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

LIMIT: Final = 10_000  # bytes
SECONDS: Final = 10


async def read_form(request: web.Request) -> Mapping[str, str] | None:
    """The text fields of the form; None when there is none, or it is damaged, too large or too slow."""
    body = b""
    try:
        async with asyncio.timeout(SECONDS):
            while len(body) <= LIMIT and (part := await request.content.readany()):
                body += part
        if len(body) > LIMIT:
            return None
        if not request.content_type.startswith("multipart/"):  # some providers name no type at all
            return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except (ValueError, TimeoutError, web.RequestPayloadError):
        return None
    try:
        return _read_multipart(request.headers.get("Content-Type", ""), body)
    except Exception:  # whatever the standard library's parser makes of hostile parameters
        return None


def _read_multipart(content_type: str, body: bytes) -> Mapping[str, str] | None:
    """The fields of a multipart/form-data body (RFC 7578), which providers may post as well (RFC 8058)."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("utf-8", "replace")
    form = message_from_bytes(head + body)
    if form.get_content_type() != "multipart/form-data" or not form.is_multipart():
        return None
    fields = {}
    for part in form.walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode("utf-8", "replace").strip()
    return fields
