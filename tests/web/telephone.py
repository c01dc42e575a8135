"""A test carrier for the pages about phones, and our side of it: a menu that answers whoever calls."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from twilio.twiml.voice_response import VoiceResponse

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.remote import CarrierLink, RemoteControl, RemotePhones
from channels.sandbox.carrier.settings import CarrierSettings, NumberSettings
from storage.pool import Pool
from tests.channels.carrier.house import House as Switchboard
from web.context import TestPhone

SUPPORT, SALES = "+33639980010", "+33639980020"
ANNA, REP = "+33639980001", "+33639980002"
TOKEN = "0123456789abcdef" * 2


def menu(params: dict[str, str]) -> str:
    """What a caller of ours hears first."""
    response = VoiceResponse()
    gather = response.gather(num_digits=1, action="/chosen", timeout=30)
    gather.say("Bonjour, Hélianthe Énergie. Pour un rendez-vous, tapez un.", language="fr-FR")
    response.say("Au revoir.", language="fr-FR")
    return str(response)


def chosen(params: dict[str, str]) -> str:
    """What they hear after a key."""
    response = VoiceResponse()
    gather = response.gather(input="speech", action="/said", timeout=30, language="fr-FR")
    gather.say(f"Vous avez choisi {params['Digits']}. Dites votre nom.", language="fr-FR")
    return str(response)


def said(params: dict[str, str]) -> str:
    """And after they spoke."""
    response = VoiceResponse()
    response.say(f"Merci, {params['SpeechResult']}.", language="fr-FR")
    response.pause(length=30)
    return str(response)


def talk(params: dict[str, str]) -> str:
    """What somebody hears whom we call."""
    response = VoiceResponse()
    response.say("Un conseiller va vous parler.", language="fr-FR")
    response.pause(length=60)
    return str(response)


def draw_picture(width: int = 96, height: int = 64) -> bytes:
    """A PNG of one colour (W3C PNG, third edition)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 2, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x2c\x5c\x8a" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@dataclass
class Telephone:
    """The carrier, our side of it, and what a web process reaches it by."""

    carrier: Carrier
    switchboard: Switchboard
    test_phone: TestPhone

    async def call(self, to: str, url: str = "/talk", caller: str = SALES) -> str:
        """Call somebody on our behalf; gives the call's identifier."""
        return await self._post("Calls", {"To": to, "From": caller, "Url": self.switchboard.url + url})

    async def text(self, to: str, body: str, sender: str = SALES) -> str:
        """Send somebody a message; gives its identifier."""
        return await self._post("Messages", {"To": to, "From": sender, "Body": body})

    async def _post(self, resource: str, form: dict[str, str]) -> str:
        account = self.carrier.settings.account_sid
        place = f"{self.carrier.url}/2010-04-01/Accounts/{account}/{resource}.json"
        headers = {"Authorization": aiohttp.encode_basic_auth(account, TOKEN)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(place, data=form) as response,
        ):
            assert response.status == 201, await response.text()
            return str((await response.json())["sid"])


@asynccontextmanager
async def open_telephone() -> AsyncIterator[Telephone]:
    """A carrier with two numbers of ours whose seconds are short."""
    switchboard = Switchboard(TOKEN)
    switchboard.documents = {"/voice": menu, "/chosen": chosen, "/said": said, "/talk": talk}
    await switchboard.start()
    numbers = tuple(
        NumberSettings(
            phone_number=number,
            friendly_name=name,
            sms_url=f"{switchboard.url}/sms",
            voice_url=f"{switchboard.url}/voice",
        )
        for number, name in ((SALES, "Sales"), (SUPPORT, "Support"))
    )
    carrier = Carrier(
        CarrierSettings.model_validate(
            {"port": 0, "auth_token": TOKEN, "numbers": numbers, "pace": 0.02, "words_per_second": 200}
        )
    )
    await carrier.start()
    link = CarrierLink(carrier.url, carrier.settings.account_sid, TOKEN)
    try:
        yield Telephone(carrier, switchboard, TestPhone(RemotePhones(link), RemoteControl(link)))
    finally:
        await link.close()
        await carrier.stop()
        await switchboard.stop()


async def give_phone(pool: Pool, contact_id: int, number: str) -> None:
    """A contact has this phone."""
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) VALUES ($1, 'phone', $2, $2)",
        contact_id,
        number,
    )
