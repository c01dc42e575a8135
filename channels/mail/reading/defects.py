"""What can be wrong with a mail that was read nevertheless: our vocabulary of defects, one gloss each."""

from __future__ import annotations

from enum import StrEnum


class Defect(StrEnum):
    """A word for each kind of damage; `ParsedMail.defects` holds the words, each once."""

    NO_HEADERS = "no headers"  #: nothing in it looks like a header; all of it is shown as text
    BAD_HEADER = "header line skipped"  #: a line among the headers that is no header
    NO_BLANK_LINE = "missing blank line"  #: the text follows the headers without a blank line
    TOO_MANY_HEADERS = "too many headers"  #: the rest of the headers was left out
    LONG_HEADER = "header cut"  #: a header longer than the limit was cut
    BARE_CR = "bare carriage returns"  #: lines end with CR alone
    RAW_HEADER = "unencoded header"  #: bytes beyond ASCII in a header that are not UTF-8
    BAD_ENCODED_WORD = "encoded word not understood"  #: RFC 2047 with an unknown charset or broken content
    BAD_CONTENT_TYPE = "content type not understood"  #: the part is read as text
    NO_BOUNDARY = "missing boundary"  #: a multipart without a boundary parameter
    NO_PARTS = "boundary not found"  #: a multipart in which its boundary never appears
    UNCLOSED = "multipart not closed"  #: its last boundary is missing
    AFTER_CLOSE = "parts after the end"  #: more parts follow the closing boundary
    TOO_DEEP = "nested too deep"  #: deeper parts are kept unread
    TOO_MANY_PARTS = "too many parts"  #: the rest of the parts is kept unread, in one piece
    BAD_ENCODING = "content encoding not understood"  #: an unknown Content-Transfer-Encoding
    BAD_CONTENT = "content damaged"  #: base64, quoted-printable or uuencode that does not decode cleanly
    WRONG_CHARSET = "wrong charset"  #: the text is not in the charset that it declares
    UNKNOWN_CHARSET = "unknown charset"  #: a charset that nobody knows
    NO_CHARSET = "missing charset"  #: text beyond ASCII without a charset; the charset was guessed
    BAD_ADDRESS = "address not understood"  #: an address that is none; left out
    TOO_MANY_ADDRESSES = "too many addresses"  #: the rest of the addresses was left out
    BAD_DATE = "date not understood"  #: no date, or an absurd one
    BAD_TNEF = "winmail.dat not understood"  #: the attachment is kept as it came
    TEXT_CUT = "text cut"  #: the text is longer than the limit; the rest is in the raw mail
    UNREADABLE = "not understood"  #: reading failed in a way we did not foresee; the raw text is shown
