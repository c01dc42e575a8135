"""The brochure that the demo's newsletter offers: a small, real PDF of one page, written by hand."""

from __future__ import annotations

NAME = "brochure.pdf"

_LINES = (
    (30, "Helianthe Energie"),
    (18, "Solar roofs for workshops, schools and farms"),
    (12, ""),
    (12, "From the first visit to the first kilowatt-hour in eleven weeks."),
    (12, "Measured on 214 roofs: 38% of the yearly consumption, paid back in 7.4 years."),
    (12, ""),
    (12, "This brochure belongs to the demo of Clytie; the company is invented."),
)


def write_brochure() -> bytes:
    """The PDF's bytes (ISO 32000-1: header, objects, cross-reference table, trailer)."""
    y = 780
    drawing = ["0.98 0.78 0.11 rg 0 800 595 42 re f 0.1 0.1 0.15 rg"]
    for size, line in _LINES:
        y -= size * 2
        drawing.append(f"BT /F1 {size} Tf 56 {y} Td ({line}) Tj ET")
    content = "\n".join(drawing).encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
