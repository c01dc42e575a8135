"""The payload of SMTP's DATA from a mail: dots doubled at the start of lines, a lone dot at the end.

Source: RFC 5321, 4.5.2. Mails have CRLF line ends here.
"""

from __future__ import annotations


def stuff(mail: bytes) -> bytes:
    """The payload that carries this mail; its last line is ended when it is not."""
    if not mail.endswith(b"\r\n"):
        mail += b"\r\n"
    mail = mail.replace(b"\r\n.", b"\r\n..")
    return b".%b.\r\n" % mail if mail.startswith(b".") else mail + b".\r\n"
