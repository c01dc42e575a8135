"""A leaf of the tree as an attachment: its name, its type, its content id."""

from __future__ import annotations

from channels.mail.parsed import Attachment
from channels.mail.reading.charsets import decode_header
from channels.mail.reading.fields import read_block
from channels.mail.reading.names import safe_name, without_controls
from channels.mail.reading.parameters import decoded
from channels.mail.reading.tree import Part
from channels.mail.reading.words import decode_words

_MAILS = frozenset({"message/rfc822", "message/global", "message/news"})
_SAME = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "application/x-pdf": "application/pdf",
}
_VAGUE = frozenset({"application/octet-stream", "application/octetstream", "application/unknown", "application/x-download",
                    "application/binary", "application/force-download"})  # fmt: skip
_BY_EXTENSION = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "pdf": "application/pdf", "ics": "text/calendar", "vcf": "text/vcard", "csv": "text/csv",
}  # fmt: skip


def file_name(part: Part) -> str:
    """The name that the part itself gives, as written; empty when it gives none."""
    for value in (part.disposition_parameters.get("filename", ""), part.parameters.get("name", "")):
        if name := decoded(value).strip():
            return name
    return ""


def content_id(part: Part) -> str:
    """The part's Content-ID without angle brackets."""
    value = part.block.first("content-id")
    return without_controls(decode_header(value, set())).strip("<> ")[:500] if value else ""


def attachment(part: Part, name: str, defects: set[str]) -> Attachment:
    """The leaf as an attachment; one without a name gets one from its type, a mail from its subject."""
    content = part.content(defects)
    media_type = _SAME.get(part.media_type, part.media_type)
    if not name and media_type in _MAILS:
        name = _subject(content)
    if not name and (location := part.block.first("content-location")):
        name = _last_segment(decode_header(location, set()))
    safe = safe_name(name, media_type)
    return Attachment(part.number, safe, by_extension(safe, media_type), content, content_id(part))


def by_extension(name: str, media_type: str) -> str:
    """The type, or what the name's extension says when the type says nothing."""
    if media_type in _VAGUE:
        return _BY_EXTENSION.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return media_type


def _subject(content: bytes) -> str:
    block = read_block(content, 0, min(len(content), 100_000), set(), outermost=True)
    subject = decode_words(decode_header(block.first("subject") or b"", set()), set()).strip()
    return subject[:80].replace("/", "_").replace("\\", "_") + ".eml" if subject else ""


def _last_segment(location: str) -> str:
    segment = location.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
    return segment if "." in segment else ""
