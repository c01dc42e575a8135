"""One way to ignore case, the same in Python and in PostgreSQL.

PostgreSQL's builtin collation `pg_c_utf8` lowers text character by character (the simple mappings of Unicode 16):
no final sigma, İ becomes a plain i, ß stays. `str.lower` and `str.casefold` do other things, so `fold` follows the
database. A test compares both over all of Unicode.
"""

from __future__ import annotations

from typing import Final

#: the collation that SQL lowers with; written out there, whatever the database's own default is
COLLATION: Final = "pg_c_utf8"

_GARAY: Final = {code: code + 0x20 for code in range(0x10D50, 0x10D66)}
#: characters that str.lower treats by context, or does not know in older versions of Python
_APART: Final = {
    0x0130: 0x69,  # İ, which str.lower makes two characters
    0x03A3: 0x03C3,  # Σ, which str.lower makes ς at the end of a word
    0x1C89: 0x1C8A,
    0xA7CB: 0x0264,
    0xA7CC: 0xA7CD,
    0xA7DA: 0xA7DB,
    0xA7DC: 0x019B,
    **_GARAY,
}


def fold(text: str) -> str:
    """`text` as `lower(text COLLATE pg_c_utf8)` gives it."""
    return text.lower() if text.isascii() else text.translate(_APART).lower()
