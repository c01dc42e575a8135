"""The new words of a reply: `new_text` for plain text, `new_html` for HTML."""

from __future__ import annotations

from channels.mail.quotes.htmlquotes import cut
from channels.mail.quotes.htmltree import Document, TooManyNodes
from channels.mail.quotes.quotations import WHOLE, quote_marks, written


def new_text(plain: str) -> str:
    """What the person newly wrote, without quotes, forms of attribution and what programs add below.

    Each line of the answer is a line of `plain`, or the beginning of one, in the same order, with line ends as `\\n`; blank
    space around it is gone. A forwarded mail is returned whole. Never raises; linear in time.
    """
    lines = plain.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    quoted = quote_marks(lines)
    kept = written(lines, quoted)
    return "\n".join(
        line if length == WHOLE else line[:length].rstrip()
        for line, length in zip(lines, kept, strict=True)
        if length
    ).strip()


def new_html(html: str) -> str:
    """The same for HTML: the document without quotes and what programs add below.

    `html` itself when there is nothing to take out; otherwise a whole document, every element of it closed. Not cleaned: what
    was hostile still is. Never raises; linear in time (a document with more parts than people write is returned as it is).
    """
    try:
        document = Document(html)
    except TooManyNodes:
        return html
    return document.write() if cut(document) else html
