"""File names that are safe to show and to save: no path, no control characters, nothing that turns the text around."""

from __future__ import annotations

import re

from channels.mail.reading.limits import NAME_LENGTH

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[^.\s]{1,12}$")

_NAMES: dict[str, str] = {
    "application/ics": "invitation.ics",
    "application/json": "attachment.json",
    "application/ms-tnef": "winmail.dat",
    "application/msword": "document.doc",
    "application/pdf": "document.pdf",
    "application/pgp-encrypted": "version.asc",
    "application/pgp-keys": "key.asc",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/postscript": "document.ps",
    "application/rtf": "document.rtf",
    "application/vnd.ms-excel": "table.xls",
    "application/vnd.ms-powerpoint": "slides.ppt",
    "application/vnd.ms-tnef": "winmail.dat",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "slides.pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "table.xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "document.docx",
    "application/vnd.oasis.opendocument.spreadsheet": "table.ods",
    "application/vnd.oasis.opendocument.text": "document.odt",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/xml": "attachment.xml",
    "application/zip": "archive.zip",
    "application/x-zip-compressed": "archive.zip",
    "application/gzip": "archive.gz",
    "audio/aac": "audio.aac",
    "audio/amr": "audio.amr",
    "audio/mp4": "audio.m4a",
    "audio/mpeg": "audio.mp3",
    "audio/ogg": "audio.ogg",
    "audio/wav": "audio.wav",
    "audio/x-wav": "audio.wav",
    "image/bmp": "image.bmp",
    "image/gif": "image.gif",
    "image/heic": "image.heic",
    "image/jpeg": "image.jpg",
    "image/jpg": "image.jpg",
    "image/pjpeg": "image.jpg",
    "image/png": "image.png",
    "image/svg+xml": "image.svg",
    "image/tiff": "image.tiff",
    "image/webp": "image.webp",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/external-body": "external-body.txt",
    "message/feedback-report": "feedback-report.txt",
    "message/global": "message.eml",
    "message/news": "message.eml",
    "message/partial": "message-part.eml",
    "message/rfc822": "message.eml",
    "text/calendar": "invitation.ics",
    "text/csv": "table.csv",
    "text/directory": "contact.vcf",
    "text/html": "page.html",
    "text/plain": "text.txt",
    "text/rfc822-headers": "headers.txt",
    "text/rtf": "document.rtf",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
    "text/xml": "attachment.xml",
    "video/mp4": "video.mp4",
    "video/mpeg": "video.mpg",
    "video/quicktime": "video.mov",
    "video/3gpp": "video.3gp",
}


def without_controls(text: str) -> str:
    """The text without control characters and without marks that turn or hide what follows; tabs become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", text.replace("\t", " ").replace("\n", " "))


def name_for(media_type: str) -> str:
    """A file name for content of this type that came without one.

    >>> name_for("image/png")
    'image.png'
    """
    known = _NAMES.get(media_type)
    if known:
        return known
    return "attachment.txt" if media_type.startswith("text/") else "attachment.bin"


def safe_name(name: str, media_type: str) -> str:
    """`name` as a file name without folders, at most 120 characters, its extension kept; never empty.

    >>> safe_name("../../etc/passwd", "text/plain")
    'passwd'
    """
    name = without_controls(name)[:4_000].replace("\\", "/").rstrip("/ .").rpartition("/")[2]
    name = " ".join(_FORBIDDEN.sub("_", name).split()).strip(". ")
    if not name.strip("_"):
        return name_for(media_type)
    if _RESERVED.match(name):
        name = "_" + name
    if len(name) > NAME_LENGTH:
        extension = _EXTENSION.search(name)
        tail = extension[0] if extension else ""
        name = name[: NAME_LENGTH - len(tail)].rstrip(". ") + tail
    return name
