"""A winmail.dat turned into what was in it: attachments, and text for a mail that has no other."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.mail.parsed import Attachment
from channels.mail.reading.attaching import by_extension
from channels.mail.reading.charsets import clean, decode_text
from channels.mail.reading.defects import Defect
from channels.mail.reading.names import safe_name, without_controls
from channels.mail.reading.rtf import rtf_to_text
from channels.mail.reading.tnef import SIGNATURE, BadTnef, read_tnef

TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})


@dataclass(slots=True)
class Opened:
    """What was in a container."""

    text: str = ""
    html: str = ""
    attachments: list[Attachment] = field(default_factory=list)


def is_winmail(content: bytes) -> bool:
    """Whether these bytes say that they are TNEF."""
    return content.startswith(SIGNATURE)


def open_winmail(content: bytes, number: str, defects: set[str]) -> Opened | None:
    """Open the container at `number` of the tree; None when there is nothing to be taken out."""
    try:
        container = read_tnef(content)
    except BadTnef:
        defects.add(Defect.BAD_TNEF)
        return None
    opened = Opened(text=clean(container.text))
    if container.html:
        opened.html = decode_text(container.html, "", set())
    elif container.rtf:
        text, opened.html = rtf_to_text(container.rtf)
        opened.text = opened.text or text
    for index, file in enumerate(container.files, start=1):
        media_type = by_extension(file.name, file.media_type or "application/octet-stream")
        name = safe_name(clean(file.name), media_type)
        identifier = without_controls(clean(file.content_id))
        opened.attachments.append(Attachment(f"{number}.{index}", name, media_type, file.content, identifier))
    if not container.whole:
        defects.add(Defect.BAD_TNEF)
    if not (opened.text or opened.html or opened.attachments):
        return None  # a report of Exchange, say: only properties; the attachment stays as it came
    return opened
