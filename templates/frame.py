"""The frame of a newsletter: its headers, and the MIME parts around text and HTML.

RFC 5322 headers; RFC 2369 and RFC 8058 for unsubscribing; RFC 2919 List-Id; multipart/alternative of RFC 2046.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from templates.addresses import Addresses
from templates.context import CampaignContext
from templates.encoding import flat, header_text, mailbox
from templates.program import Reserved, Step
from templates.source import MailTemplate


@dataclass(frozen=True, slots=True)
class Frame:
    """Builds the sequence of a whole message around the steps of its two bodies."""

    source: MailTemplate
    campaign: CampaignContext

    def __call__(self, text: list[Step], html: list[Step]) -> list[Step]:
        """Give headers, text part, HTML part and the end of DATA, with the values of each recipient between them."""
        # `=_` cannot occur in quoted-printable (RFC 2045, 6.7), so no content can hold this boundary.
        seed = self.source.model_dump_json().encode() + self.campaign.name.encode("utf-8", "replace")
        boundary = b"=_" + hashlib.sha256(seed).hexdigest()[:24].encode()
        start = b"\r\n--" + boundary + b"\r\nContent-Type: text/%s; charset=utf-8\r\n"
        start += b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        mime = (
            b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="'
            + boundary
            + b'"\r\n'
        )
        return [
            *self._headers(),
            b"\r\nContent-Language: " + self.source.language.encode() + mime + start % b"plain",
            *text,
            start % b"html",
            *html,
            b"\r\n--" + boundary + b"--\r\n.\r\n",
        ]

    def _headers(self) -> list[Step]:
        source, campaign = self.source, self.campaign
        steps: list[Step] = [
            b"From: " + mailbox(source.from_name, source.from_address) + b"\r\nTo: ",
            Reserved.TO,
            b"\r\nSubject: ",
            Reserved.SUBJECT,
            b"\r\nDate: ",
            Reserved.DATE,
            b"\r\nMessage-ID: <",
            Reserved.MESSAGE_ID,
            b">",
        ]
        if source.reply_to:
            steps.append(b"\r\nReply-To: " + mailbox("", source.reply_to))
        before, after = Addresses(campaign.base_url).unsubscribe("\x00").split("\x00")
        steps += [
            f"\r\nList-Unsubscribe: <{before}".encode(),
            Reserved.UNSUBSCRIBE_HEADER,
            f"{after}>".encode(),
        ]
        if campaign.unsubscribe_mailbox:
            mailto = f",\r\n <mailto:{quote(campaign.unsubscribe_mailbox, safe='@+')}?subject=unsubscribe%20"
            steps += [mailto.encode(), Reserved.UNSUBSCRIBE_HEADER, b">"]
        steps.append(b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click")
        if campaign.list_id:
            steps.append(b"\r\nList-Id: <" + flat(campaign.list_id).strip("<>").encode() + b">")
        if campaign.feedback_id:
            steps.append(b"\r\nFeedback-ID: " + header_text(campaign.feedback_id, 13))
        return steps
