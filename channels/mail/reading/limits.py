"""How much of a mail is read: everything beyond a limit is kept unread or cut, and told as a defect.

The limits are far above what honest mail needs and keep the work for hostile mail bounded; the raw mail is stored
whole, so nothing is lost by them.
"""

from __future__ import annotations

DEPTH = 50  #: levels of nesting (multiparts, mails within mails) that are read
PARTS = 1_000  #: parts of a mail
HEADERS = 1_000  #: headers of a mail or part
HEADER_LINES = 10_000  #: lines looked at before a block of headers must have ended
HEADER_BYTES = 64 * 1024  #: length of one header
ADDRESSES = 5_000  #: addresses in one header
ADDRESS_CHARACTERS = 256 * 1024  #: characters of all headers with addresses of a mail
REFERENCES = 1_000  #: message ids in one header
PARAMETERS = 100  #: parameters of one Content-Type or Content-Disposition
NAME_LENGTH = 120  #: characters of a file name
TEXT_CHARACTERS = 5_000_000  #: characters of text, and of HTML, of a mail
TNEF_BYTES = 50 * 1024 * 1024  #: decoded content of one winmail.dat
RTF_BYTES = 2 * 1024 * 1024  #: unpacked rich text
TOKENS = 200_000  #: tags or control words that are looked at where text is made from HTML or rich text
TNEF_CONTAINERS = 5  #: winmail.dat that are opened in one mail
