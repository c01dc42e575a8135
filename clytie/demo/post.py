"""The demo's post: a handful of mails that people write to us, handed in at the front door as any stranger's are."""

from __future__ import annotations

import asyncio
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from clytie.demo.people import CLAIRE
from clytie.settings import Settings

SUPPORT: Final = "support@helianthe.example"
SALES: Final = "sales@helianthe.example"
#: the server before ours whose findings about senders the demo believes
TRUSTED: Final = "mx.helianthe.example"

_GENUINE: Final = (
    f"{TRUSTED}; spf=pass smtp.mailfrom={{0}}; dkim=pass header.d={{0}}; dmarc=pass header.from={{0}}"
)
_FORGED: Final = f"{TRUSTED}; spf=fail smtp.mailfrom={{0}}; dkim=none; dmarc=fail header.from={{0}}"
_OFFER: Final = """<html><head><style>h2 { letter-spacing: -1px }</style></head><body bgcolor="#fff7e0">
<table width="560" cellpadding="14" align="center" bgcolor="#ffffff"><tr><td>
<h2 style="color:#7a5200;font-family:Georgia,serif">Unser Hofdach, Ihr Angebot?</h2>
<p>Guten Tag,</p><p>wir möchten <b>ein Angebot für 80&nbsp;m²</b> auf unserem Kelterhaus. Bilder vom Dach liegen auf
<a href="https://weingut-gross.example/dach">unserer Seite</a>.</p><p>Viele Grüße<br>Jürgen Groß</p>
<img src="https://weingut-gross.example/pixel.gif" width="1" height="1" alt=""></td></tr></table></body></html>"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in its envelope."""

    sender: str
    recipient: str
    mail: EmailMessage


def write_letters() -> list[Letter]:
    """What arrives in the demo: a question, an offer in HTML, an out-of-office answer, a forgery."""
    question = _write(
        ("Claire Dubreuil", CLAIRE),
        SUPPORT,
        "Où sont mes douze panneaux ?",
        "Bonjour,\n\nj'ai commandé douze panneaux le 3 mars (commande 2026-0318). Le bon de livraison dit qu'ils ont quitté"
        " votre entrepôt mardi dernier, mais rien n'est arrivé, et notre couvreur vient jeudi.\n\nPouvez-vous me dire où ils"
        " sont ?\n\nBien à vous,\nClaire Dubreuil\n",
        _GENUINE,
    )
    offer = _write(
        ("Jürgen Groß", "juergen@weingut-gross.example"),
        SALES,
        "Angebot für 80 m²",
        "Guten Tag,\n\nwir möchten ein Angebot für 80 m² auf unserem Kelterhaus.\n\nViele Grüße\nJürgen Groß\n",
        _GENUINE,
    )
    offer.mail.add_alternative(_OFFER, subtype="html")
    away = _write(
        ("Niamh O'Connor", "niamh@oconnor-logistics.example"),
        SUPPORT,
        "Automatic reply: Your delivery on Tuesday",
        "I am out of the office until next Monday and will answer then.\n",
        _GENUINE,
    )
    away.mail["Auto-Submitted"] = "auto-replied"
    forged = _write(
        ("Banque du Rhône", "service@banque-du-rhone.example"),
        SUPPORT,
        "Changement urgent de coordonnées bancaires",
        "Veuillez régler dès aujourd'hui toutes vos factures sur notre nouveau compte.\n"
        "Détails : http://banque-du-rhone.example.evil.example/compte\n",
        _FORGED,
    )
    return [question, offer, away, forged]


def _write(sender: tuple[str, str], recipient: str, subject: str, text: str, findings: str) -> Letter:
    name, address = sender
    domain = address.rpartition("@")[2]
    mail = EmailMessage()
    mail["Authentication-Results"] = findings.format(domain)
    mail["From"] = f'"{name}" <{address}>'
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = make_msgid(domain=domain)
    mail.set_content(text)
    return Letter(address, recipient, mail)


async def hand_in(settings: Settings, letters: list[Letter]) -> None:
    """Send the letters through the front door. Raises OSError or SMTPException when it does not take them."""
    door = settings.inbox.smtp
    await asyncio.to_thread(_send, door.host, door.port, letters)


def _send(host: str, port: int, letters: list[Letter]) -> None:
    with smtplib.SMTP(host, port, timeout=30) as server:
        for letter in letters:
            server.send_message(letter.mail, letter.sender, [letter.recipient])
