"""The text of a PDF. Whatever the file is, it takes no more than these limits; time and memory are the caller's to limit.

Runs where it may be killed (inbox/mails/process.py).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Final

#: decoded bytes of one stream, and of all that one page takes; a page of text has some kilobytes
_MOST_BYTES: Final = 16_000_000


def pages_of(content: bytes, most: int) -> Iterator[str]:
    """The text of each page, of the first `most`, one by one. Empty for a picture of a page.

    Raises whatever the file makes the reading raise; no password but the empty one is tried.
    """
    # it takes its time to import, and most mails bring no PDF
    from pypdf import PdfReader, apply_configuration

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it has something to say about every other file
    limits = apply_configuration(
        maximum_declared_stream_length=_MOST_BYTES,
        array_based_stream_maximum_output_length=_MOST_BYTES,
        lzw_maximum_output_length=_MOST_BYTES,
        run_length_maximum_output_length=_MOST_BYTES,
        zlib_maximum_output_length=_MOST_BYTES,
        stream_decoding_work_maximum_length=2 * _MOST_BYTES,
        jbig2dec_binary=None,
    )
    with limits:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            reader.decrypt("")
        for number in range(min(len(reader.pages), most)):
            yield reader.pages[number].extract_text()
