"""Accounts, subaccounts, and their numbers."""

from __future__ import annotations

import re
import secrets

from aiohttp import web

from channels.sandbox.carrier.api.asked import Asked, answer, answer_page
from channels.sandbox.carrier.records import Account, Number, make_sid
from channels.sandbox.carrier.refusals import Refusal
from channels.sandbox.carrier.shapes import show_account, show_number

_SETTABLE = {
    "FriendlyName": "friendly_name",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
}


async def create_account(asked: Asked) -> web.StreamResponse:
    """Make a subaccount of whoever asks."""
    now = asked.parts.exchange.now()
    name = asked.field("FriendlyName") or f"SubAccount created at {now:%Y-%m-%d %H:%M}"
    account = Account(make_sid("AC"), secrets.token_hex(16), name, asked.account.sid, now, now)
    asked.parts.exchange.memory.accounts[account.sid] = account
    return answer(show_account(account), 201)


async def list_accounts(asked: Asked) -> web.StreamResponse:
    """The account that asks, and its subaccounts."""
    query = asked.request.query
    accounts = [
        account
        for account in reversed(asked.parts.exchange.memory.accounts.values())
        if asked.account.sid in (account.sid, account.owner_sid)
        and query.get("FriendlyName", account.friendly_name) == account.friendly_name
        and query.get("Status", account.status) == account.status
    ]
    return answer_page(asked, "accounts", accounts, show_account)


async def fetch_account(asked: Asked) -> web.StreamResponse:
    """One account."""
    return answer(show_account(asked.account))


async def update_account(asked: Asked) -> web.StreamResponse:
    """Rename, suspend, reactivate or close it."""
    account, status = asked.account, asked.field("Status", asked.account.status)
    if status not in ("active", "suspended", "closed") or account.status == "closed":
        raise Refusal(20001)
    account.status = status
    account.friendly_name = asked.field("FriendlyName") or account.friendly_name
    account.updated = asked.parts.exchange.now()
    return answer(show_account(account))


async def create_number(asked: Asked) -> web.StreamResponse:
    """Buy a number, the wanted one or any of an area."""
    memory, now = asked.parts.exchange.memory, asked.parts.exchange.now()
    phone_number = asked.field("PhoneNumber")
    if not phone_number:
        area = asked.field("AreaCode") or "500"
        phone_number = f"+1{area}555{secrets.randbelow(10_000):04}"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", phone_number) or phone_number == "+15005550001":
        raise Refusal(21421)
    if memory.find_number(phone_number) is not None or phone_number == "+15005550000":
        raise Refusal(21422)
    number = Number(make_sid("PN"), asked.account.sid, phone_number, phone_number, now, now)
    _set(number, asked)
    memory.numbers[number.sid] = number
    return answer(show_number(number), 201)


async def list_numbers(asked: Asked) -> web.StreamResponse:
    """The account's numbers; PhoneNumber finds by a part, FriendlyName exactly."""
    query = asked.request.query
    numbers = [
        number
        for number in asked.own(asked.parts.exchange.memory.numbers)
        if query.get("PhoneNumber", "").strip("*") in number.phone_number
        and query.get("FriendlyName", number.friendly_name) == number.friendly_name
    ]
    return answer_page(asked, "incoming_phone_numbers", numbers, show_number)


async def fetch_number(asked: Asked) -> web.StreamResponse:
    """One number."""
    return answer(show_number(asked.find(asked.parts.exchange.memory.numbers, asked.path("sid"))))


async def update_number(asked: Asked) -> web.StreamResponse:
    """Change whom it asks."""
    number = asked.find(asked.parts.exchange.memory.numbers, asked.path("sid"))
    _set(number, asked)
    number.updated = asked.parts.exchange.now()
    return answer(show_number(number))


async def delete_number(asked: Asked) -> web.StreamResponse:
    """Give it back."""
    numbers = asked.parts.exchange.memory.numbers
    asked.find(numbers, asked.path("sid"))
    del numbers[asked.path("sid")]
    return web.Response(status=204)


def _set(number: Number, asked: Asked) -> None:
    for name, attribute in _SETTABLE.items():
        if name in asked.form:
            value = asked.method(name) if name.endswith("Method") else asked.field(name)
            setattr(number, attribute, value)
