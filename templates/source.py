"""A newsletter as a marketer writes it: subject, sender, HTML and text, with jinja2 in them."""

from __future__ import annotations

import re
from typing import Annotated, Final

from markupsafe import escape
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from templates.encoding import flat, mailbox
from templates.markup import tokens
from templates.masking import map_text, mask, unmask
from templates.plaintext import derive_text

_ODD: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NEWLINES: Final = re.compile(r"\r\n?")
_PREHEADER: Final = re.compile(r"\{\{-?\s*preheader\s*-?\}\}")
_HIDDEN: Final = '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden">'


def _one_line(text: str) -> str:
    if flat(text) != text.strip():
        raise ValueError("must be one line of text; take out line ends and control characters")
    return text.strip()


def _plain(text: str) -> str:
    if "{{" in text or "{%" in text:
        raise ValueError("is the same for every recipient; write it without {{ }}")
    return _one_line(text)


def _address(text: str) -> str:
    try:
        mailbox("", text)
    except ValueError as error:
        raise ValueError(f"{error}; write it like news@example.org") from None
    return text


def _text(text: str) -> str:
    if _ODD.search(text):
        raise ValueError("holds control characters; take them out")
    return _NEWLINES.sub("\n", text)


Line = Annotated[str, AfterValidator(_one_line)]
PlainLine = Annotated[str, AfterValidator(_plain)]
Address = Annotated[str, AfterValidator(_address)]
Body = Annotated[str, AfterValidator(_text)]


class MailTemplate(BaseModel):
    """What is sent to everybody, before it is made personal.

    `subject`, `preheader`, `html` and `text` are jinja2 (see templates/variables.py for what they may speak of);
    `preheader` stands where the HTML says `{{ preheader }}`, else hidden at the top of the body. Without `text`,
    the text part is derived from the HTML.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Line = Field(min_length=1, max_length=500)
    preheader: Line = Field(default="", max_length=500)
    from_name: PlainLine = Field(default="", max_length=200)
    from_address: Address
    reply_to: Address | None = None
    html: Body = Field(min_length=1, max_length=1_000_000)
    text: Body | None = Field(default=None, max_length=1_000_000)
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")

    def full_html(self) -> str:
        """Give the HTML with the preheader in its place, on the same lines as before."""
        if not self.preheader:
            return _PREHEADER.sub("", self.html)
        lead = map_text(self.preheader, lambda text: str(escape(text)))
        if _PREHEADER.search(self.html):
            return _PREHEADER.sub(lambda _: lead, self.html)
        masked, tags = mask(self.html)
        for token in tokens(masked):
            if token.kind == "start" and token.name == "body":
                before, after = masked[: token.end], masked[token.end :]
                return f"{unmask(before, tags)}{_HIDDEN}{lead}</div>{unmask(after, tags)}"
        return f"{_HIDDEN}{lead}</div>{self.html}"

    def full_text(self) -> str:
        """Give the text part's source: the one that was written, else one derived from the HTML."""
        return self.text if self.text is not None else derive_text(_PREHEADER.sub("", self.html))
