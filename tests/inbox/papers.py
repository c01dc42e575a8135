"""PDF files for tests, written by hand: honest ones, and some that mean harm."""

from __future__ import annotations

import zlib


def write_pdf(*pages: str, compressed: bool = True) -> bytes:
    """A PDF with a page for each text; a line of it is a line there."""
    contents = [_content(page, compressed) for page in pages]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(contents):
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects += [page.encode(), content]
    return assemble(objects)


def assemble(objects: list[bytes]) -> bytes:
    """A file of these objects, the first of which is its catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def stream(data: bytes, *, compressed: bool = True) -> bytes:
    """A stream object's body."""
    packed = zlib.compress(data, 9) if compressed else data
    flate = b" /Filter /FlateDecode" if compressed else b""
    return b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(packed), flate, packed)


def write_pdf_of_stream(content: bytes, *, compressed: bool = True) -> bytes:
    """A PDF of one page that draws this."""
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>",
            stream(content, compressed=compressed),
        ]
    )


def write_bomb() -> bytes:
    """A file of half a megabyte that unpacks to half a gigabyte."""
    return write_pdf_of_stream(b"BT /F1 12 Tf (" + b"a" * 500_000_000 + b") Tj ET")


def write_slow_pdf(words: int = 400_000) -> bytes:
    """A small file whose page takes very long to read: word by word."""
    return write_pdf_of_stream(b"BT /F1 12 Tf 72 720 Td " + b"(resign) Tj 0 -1 Td " * words + b"ET")


def write_circular_pdf() -> bytes:
    """A file whose pages contain each other."""
    return assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>",
        ]
    )


def _content(text: str, compressed: bool) -> bytes:
    lines = []
    for line in text.split("\n"):
        written = line.encode("cp1252", "replace")
        for sign in (b"\\", b"(", b")"):
            written = written.replace(sign, b"\\" + sign)
        lines.append(b"(" + written + b") Tj 0 -16 Td")
    drawn = b"BT /F1 12 Tf 72 720 Td " + b"\n".join(lines) + b" ET"
    return stream(drawn, compressed=compressed)
