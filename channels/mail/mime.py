"""Reading mail: bytes in, `ParsedMail` out, whatever the bytes. The steps are in `channels.mail.reading`."""

from __future__ import annotations

from channels.mail.parsed import Mailbox, ParsedMail
from channels.mail.reading.addresses import mailboxes
from channels.mail.reading.bodies import read_body
from channels.mail.reading.charsets import clean, decode_header
from channels.mail.reading.dates import read_date
from channels.mail.reading.defects import Defect
from channels.mail.reading.identifiers import message_id, message_ids
from channels.mail.reading.limits import ADDRESS_CHARACTERS
from channels.mail.reading.names import without_controls
from channels.mail.reading.tree import Part, read_tree
from channels.mail.reading.words import decode_words


def parse(raw: bytes) -> ParsedMail:
    """Read a mail. Never raises; what is wrong with it is told in `defects` (see `reading.defects`).

    The work grows linearly with the size, within the limits of `reading.limits`.
    """
    try:
        return read(raw)
    except Exception:
        # A mistake of ours must not lose a mail: it is shown as it came, and marked for a person to look at.
        text = clean(raw[:100_000].decode("utf-8", "replace")).replace("\r\n", "\n")
        return ParsedMail(text=text, defects=(Defect.UNREADABLE.value,))


def read(raw: bytes) -> ParsedMail:
    """As `parse`, without its net: what the fuzzers call."""
    defects: set[str] = set()
    return read_parts(read_tree(raw, defects, within_mails=False), defects)


def read_parts(root: Part, defects: set[str]) -> ParsedMail:
    """The mail whose tree was read already, without the mails in it; `defects` are those that the tree showed."""
    body = read_body(root, defects)
    hint = next((leaf.parameters["charset"] for leaf in root.leaves() if "charset" in leaf.parameters), "")
    values = _Values(root, hint, defects)
    headers = values.all_decoded()
    senders = values.boxes("from") or values.boxes("sender")
    dates = values.raw("date")
    return ParsedMail(
        headers=headers,
        message_id=next((found for text in values.raw("message-id") if (found := message_id(text))), ""),
        in_reply_to=message_ids(values.raw("in-reply-to")),
        references=message_ids(values.raw("references")),
        sender=senders[0] if senders else None,
        reply_to=values.boxes("reply-to"),
        to=values.boxes("to"),
        cc=values.boxes("cc"),
        bcc=values.boxes("bcc"),
        date=read_date(dates[0], defects) if dates else None,
        subject=next((value for name, value in headers if name.lower() == "subject" and value), ""),
        text=body.text,
        html=body.html,
        attachments=tuple(body.attachments),
        text_from_html=body.text_from_html,
        defects=tuple(defect.value for defect in Defect if defect in defects),
    )


class _Values:
    """The header values of the root as text, each decoded once."""

    def __init__(self, root: Part, hint: str, defects: set[str]) -> None:
        self._defects = defects
        self._characters_left = ADDRESS_CHARACTERS
        self._texts = [
            (field.name, field.key, decode_header(field.value, defects, hint)) for field in root.block.fields
        ]

    def raw(self, key: str) -> list[str]:
        """The values of this name that are not empty, encoded words as they are."""
        return [text for _, name, text in self._texts if name == key and text]

    def boxes(self, key: str) -> tuple[Mailbox, ...]:
        """The mailboxes in every header of this name, until too much was read for addresses in this mail."""
        found: list[Mailbox] = []
        for text in self.raw(key):
            if len(text) > self._characters_left:
                self._defects.add(Defect.TOO_MANY_ADDRESSES)
                break
            self._characters_left -= len(text)
            found.extend(mailboxes(text, self._defects))
        return tuple(found)

    def all_decoded(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, without_controls(decode_words(text, self._defects)).strip())
            for name, _, text in self._texts
        )
