"""The test phone: what people's phones show of us, and what their owners write, answer and say.

Everything on it was written by strangers or by ourselves to them: text is text, files are sealed downloads.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.web_request import FileField

from domain.errors import ClytieError, InvalidInput, Unavailable
from web.access.permissions import Permission
from web.console.mail_files import SEALED, disposition, safe_type
from web.console.pages import page
from web.console.rendering import write_phone
from web.console.visit import Visit, find_number, read_number
from web.i18n import N_, _
from web.mails.cleaning import picture_type
from web.queries.phones import find_owners
from web.sentences import translate_error, translate_sentence
from web.work.handsets import (
    FILE_LIMIT,
    MOST_FILES,
    TRICKS,
    act_on_call,
    check_phone,
    find_call,
    find_test_phone,
    list_handsets,
    list_threads,
    name_others,
    play_trick,
    read_any_phone,
    read_everything,
    read_thread,
)

_NUMBERS: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SEE: Final = Permission.MAILBOX_SEE
_KEYS: Final = "123456789*0#"
#: what the carrier notes on a line, for the catalogue: the template says it in the reader's language
NOTES: Final = (
    N_("beep"),
    N_("recording"),
    N_("hold music"),
    N_("connected with {0}"),
    N_("in the conference {0}"),
)
_PARTS: Final = {"call": "phone_call.html", "pads": "phone_pads.html"}
_LETTERS: Final = ("", "ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ", "", "+", "")


@page("GET", "/phone", permission=_SEE)
async def show_phones(visit: Visit) -> web.StreamResponse:
    """The phones on the table; a search finds those of contacts, or opens any number."""
    search = visit.request.query.get("q", "").strip()[:100]
    number = read_any_phone(search) if search else None
    if number is not None:
        return visit.redirect(f"/phone/{quote(number)}")
    values = await _list_values(visit, search)
    if visit.is_fragment:
        return visit.page("phone_list.html", **values, number=visit.request.query.get("on", ""))
    return visit.page("phones.html", **values, **await _trick_values(visit), number="")


@page("GET", "/phone/{number}", permission=_SEE)
async def show_phone(visit: Visit) -> web.StreamResponse:
    """One phone; as a fragment `?part=call`, `pads` or `talk`. `?with=` names the thread."""
    values = await _phone_values(visit)
    if visit.is_fragment:
        part = visit.request.query.get("part")
        return visit.page(_PARTS.get(part or "", "phone_talk.html"), **values)
    return visit.page(
        "phone.html", **values, **await _list_values(visit, ""), **await _trick_values(visit), problem=""
    )


async def _list_values(visit: Visit, search: str) -> dict[str, Any]:
    if visit.context.test_phone is None:
        return {"handsets": [], "search": search, "trouble": "", "is_off": True}
    try:
        handsets, trouble = await list_handsets(visit.context.test_phone, visit.context.pool, search), ""
    except Unavailable:
        handsets, trouble = [], _("The test carrier does not answer. It runs in the mail process.")
    return {"handsets": handsets, "search": search, "trouble": trouble, "is_off": False}


async def _phone_values(visit: Visit) -> dict[str, Any]:
    number = check_phone(visit.request.match_info["number"])
    phones = find_test_phone(visit.context)
    phone, numbers = await read_everything(phones, number)
    threads = list_threads(phone)
    asked = visit.request.query.get("with", "")
    ours = [one.number for one in numbers]
    other = asked if asked in threads or asked in ours else next(iter(threads), next(iter(ours), ""))
    call = find_call(phone)
    entries = read_thread(phone, other)
    told = [sound.text for one in [call, *(entry.call for entry in entries)] if one for sound in one.sounds]
    others = {*threads, *ours, other, *([call.other] if call else []), *_NUMBERS.findall(" ".join(told))}
    names = await name_others(visit.context.pool, numbers, sorted(others - {""}))
    return {
        "number": number,
        "owner": (await find_owners(visit.context.pool, [number])).get(number),
        "names": names,
        "is_ours": other in ours,
        "sound_of": name_sound,
        "note_of": lambda text: translate_sentence(
            _NUMBERS.sub(lambda found: names.get(found[0]) or write_phone(found[0]), text)
        ),
        "numbers": numbers,
        "threads": threads,
        "other": other,
        "entries": entries,
        "call": call,
        "keys": list(zip(_KEYS, _LETTERS, strict=True)),
    }


def name_sound(text: str) -> str:
    """What is played, in a word or two: of an address only the file, and our own music by its name."""
    if "://" not in text:
        return translate_sentence(text)
    path = urlsplit(text).path
    return _("hold music") if path.endswith("/voice/hold.wav") else path.rpartition("/")[2] or text


async def _trick_values(visit: Visit) -> dict[str, Any]:
    if visit.context.test_phone is None:
        return {"tricks": (), "rules": {}}
    try:
        return {"tricks": TRICKS, "rules": await visit.context.test_phone.mischief.list_rules()}
    except Unavailable:
        return {"tricks": (), "rules": {}}


@page("POST", "/phone/{number}/texts", permission=_SEE)
async def write_text(visit: Visit) -> web.StreamResponse:
    """Write to one of our numbers, with pictures or files."""
    number, to = check_phone(visit.request.match_info["number"]), visit.text("to", longest=64)
    media = await _read_files(visit)
    body = visit.fields.get("text", "").replace("\r\n", "\n").strip()

    async def send() -> None:
        await find_test_phone(visit.context).phones.send_text(number, to, body, media)

    return await _do(visit, send, to)


async def _read_files(visit: Visit) -> list[tuple[str, bytes]]:
    data = await visit.request.post()
    files = [file for file in data.getall("file", []) if isinstance(file, FileField) and file.filename]
    if len(files) > MOST_FILES:
        raise InvalidInput("file", N_("Too many files for one message."), N_("Send some of them later."))
    found = []
    for file in files:
        content = file.file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise InvalidInput("file", N_("This file is too large for a phone."), N_("Choose a smaller one."))
        found.append((picture_type(content[:16]) or safe_type(file.content_type), content))
    return found


@page("POST", "/phone/{number}/calls", permission=_SEE)
async def call_us(visit: Visit) -> web.StreamResponse:
    """Call one of our numbers."""
    number, to = check_phone(visit.request.match_info["number"]), visit.text("to", longest=64)

    async def call() -> None:
        await find_test_phone(visit.context).phones.call(number, to)

    return await _do(visit, call, to)


@page("POST", "/phone/{number}/calls/{call}", permission=_SEE)
async def act(visit: Visit) -> web.StreamResponse:
    """Answer, hang up, press keys, say something."""
    phones, sid = find_test_phone(visit.context), visit.request.match_info["call"]

    async def do() -> None:
        await act_on_call(
            phones,
            sid,
            visit.text("deed", longest=20),
            digits=visit.text("digits", longest=40),
            text=visit.text("text", longest=2000),
        )

    return await _do(visit, do, visit.text("with", longest=64))


async def _do(visit: Visit, work: Any, other: str) -> web.StreamResponse:
    """Do it; a script is told the problem in a sentence, everybody else sees the phone again."""
    number = check_phone(visit.request.match_info["number"])
    try:
        await work()
    except ClytieError as error:
        sentence = translate_error(error)
        if visit.is_fragment:
            return web.Response(status=422, text=sentence, content_type="text/plain", charset="utf-8")
        values = await _phone_values(visit)
        return visit.page(
            "phone.html",
            status=422,
            **values,
            **await _list_values(visit, ""),
            **await _trick_values(visit),
            problem=sentence,
        )
    if visit.is_fragment:
        return web.Response(status=204)
    return visit.redirect(f"/phone/{quote(number)}" + (f"?with={quote(other)}" if other else ""))


@page("GET", "/phone/{number}/files/{sid}", permission=_SEE)
async def fetch_file(visit: Visit) -> web.StreamResponse:
    """A file of a message: a sealed download; `?show=1` shows it when its bytes are those of a picture."""
    check_phone(visit.request.match_info["number"])
    phones = find_test_phone(visit.context)
    content_type, content = await phones.phones.fetch_attachment(visit.request.match_info["sid"])
    picture = picture_type(content[:16]) if visit.request.query.get("show") == "1" else None
    kind = picture or safe_type(content_type)
    name = "file." + kind.rpartition("/")[2].partition("+")[0]
    return web.Response(
        body=content,
        headers={
            **SEALED,
            "Content-Type": kind,
            "Content-Disposition": disposition(name, "inline" if picture else "attachment"),
        },
    )


@page("POST", "/phone/tricks", permission=_SEE)
async def add_trick(visit: Visit) -> web.StreamResponse:
    """Let the provider misbehave: towards one phone, or everybody."""
    phones, number = find_test_phone(visit.context), visit.text("number", longest=80)
    towards = check_phone(number) if visit.fields.get("only") == "1" and number else ""
    await play_trick(
        phones, visit.text("trick"), times=find_number(visit.fields.get("times", "")) or None, number=towards
    )
    return visit.redirect(_back(number), "trick_added")


@page("POST", "/phone/tricks/end", permission=_SEE)
async def end_trick(visit: Visit) -> web.StreamResponse:
    """Take a trick back, or all of them."""
    phones, rule = find_test_phone(visit.context), visit.fields.get("rule", "")
    if rule:
        await phones.mischief.remove_rule(read_number(rule, "rule"))
    else:
        await phones.mischief.behave()
    return visit.redirect(_back(visit.text("number", longest=80)), "trick_ended")


def _back(number: str) -> str:
    return f"/phone/{quote(check_phone(number))}" if number else "/phone"
