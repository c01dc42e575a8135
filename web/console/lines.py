"""Phone lines: the list, one line as a tree of what callers hear, and the text that it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from domain.errors import NotFound
from inbox.lines.files import InvalidLines, LineProblem, read_lines
from inbox.lines.menus import Line
from inbox.lines.store import StoredLine, list_lines, require_known, save_line, switch_line
from web.access.permissions import Permission
from web.console.line_tree import describe_line
from web.console.pages import page
from web.console.visit import Visit
from web.i18n import N_, _
from web.queries.conversations import list_queue_names
from web.queries.lines import read_staff
from web.work.phones import list_own_numbers

_PERMISSION: Final = Permission.QUEUES_EDIT
_LONGEST: Final = 200_000


@page("GET", "/lines", permission=_PERMISSION)
async def show_lines(visit: Visit) -> web.StreamResponse:
    """All lines, and the numbers of ours on which nobody wrote what callers hear."""
    lines = await list_lines(visit.context.pool)
    known = {one.line.number for one in lines}
    return visit.page(
        "lines.html",
        lines=lines,
        bare=[row for row in await list_own_numbers(visit.context.pool) if row["number"] not in known],
    )


@page("GET", "/lines/new", permission=_PERMISSION)
async def show_new_line(visit: Visit) -> web.StreamResponse:
    """A text to begin with."""
    number = visit.request.query.get("number", "")
    known = {one.line.number for one in await list_lines(visit.context.pool)}
    free = [row["number"] for row in await list_own_numbers(visit.context.pool) if row["number"] not in known]
    queues = await list_queue_names(visit.context.pool)
    chosen = number if number in free else next(iter(free), "+33199000001")
    return await _line_page(
        visit, None, first_text(chosen, queues[0]["name"] if queues else "Support", visit.language)
    )


def first_text(number: str, queue: str, language: str) -> str:
    """A line that greets, rings and takes messages, to be written on."""
    quoted = '"' + queue.replace("\\", "\\\\").replace('"', '\\"') + '"'
    greeting = _("Welcome. One moment, please: we connect you.")
    closed = _("We are closed at the moment. Leave us a message, and we call you back.")
    return (
        f'number: "{number}"\n'
        f"name: {_yaml(_('Main line'))}\n"
        f"queue: {quoted}\n"
        f"languages: [{language}]\n"
        f"greeting: {_yaml(greeting)}\n"
        "open:\n"
        "  - ring:\n"
        "      seconds: 20\n"
        "      hold: {longest: 180}\n"
        "  - voicemail\n"
        "closed:\n"
        f"  - say: {_yaml(closed)}\n"
        "  - voicemail\n"
    )


def _yaml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@page("POST", "/lines/new", permission=_PERMISSION)
async def make_line(visit: Visit) -> web.StreamResponse:
    """Keep a new line, or only look at it."""
    return await _keep(visit, None)


@page("GET", "/lines/{id}", permission=_PERMISSION)
async def show_line(visit: Visit) -> web.StreamResponse:
    """One line."""
    stored = await _find(visit)
    return await _line_page(visit, stored, stored.text, shown=stored.line)


@page("POST", "/lines/{id}", permission=_PERMISSION)
async def change_line(visit: Visit) -> web.StreamResponse:
    """Keep what was written, or only look at it."""
    return await _keep(visit, await _find(visit))


@page("POST", "/lines/{id}/switch", permission=_PERMISSION)
async def switch(visit: Visit) -> web.StreamResponse:
    """Let the line be heard, or not."""
    number = visit.number("id")
    await switch_line(visit.context.pool, number, active=visit.fields.get("active") == "1")
    return visit.redirect(f"/lines/{number}", "settings_saved")


async def _find(visit: Visit) -> StoredLine:
    number = visit.number("id")
    for stored in await list_lines(visit.context.pool):
        if stored.id == number:
            return stored
    raise NotFound(f"There is no line {number}.")


async def _keep(visit: Visit, stored: StoredLine | None) -> web.StreamResponse:
    text = visit.fields.get("text", "").replace("\r\n", "\n")[:_LONGEST]
    pool = visit.context.pool
    try:
        (written, *others) = read_lines(text)
        if others:
            raise InvalidLines([others[0].problem((), "is a second line.", "Write one line here.")])
        await require_known(pool, [written])
        known = {one.line.number: one.id for one in await list_lines(pool)}
        if known.get(written.line.number, stored.id if stored else None) != (
            stored.id if stored else None
        ) or (stored is not None and written.line.number != stored.line.number):
            raise InvalidLines(
                [
                    written.problem(
                        ("number",),
                        _("another line has this number, or this line had another one."),
                        _("A line keeps its number. Make a new line for another number."),
                    )
                ]
            )
        if visit.fields.get("check") == "1":
            return await _line_page(visit, stored, text, shown=written.line, checked=True)
        saved = await save_line(pool, text)
    except InvalidLines as error:
        return await _line_page(visit, stored, text, problems=error.problems)
    return visit.redirect(f"/lines/{saved.id}", "line_saved")


async def _line_page(
    visit: Visit,
    stored: StoredLine | None,
    text: str,
    *,
    shown: Line | None = None,
    problems: Sequence[LineProblem] = (),
    checked: bool = False,
) -> web.Response:
    tree: Any = ()
    if shown is None and not problems:
        shown = read_lines(text)[0].line
    if shown is not None:
        tree = describe_line(shown, await read_staff(visit.context.pool, shown, visit.context.router.hours))
    return visit.page(
        "line.html",
        status=422 if problems else 200,
        stored=stored,
        text=text,
        tree=tree,
        problems=problems,
        checked=checked,
    )


#: what inbox/lines/files.py says of a text; here so that the catalogue has it
_PROBLEMS: Final = (
    N_("another line has this number."),
    N_("is a second line."),
    N_("Write one line here."),
    N_("there is no queue {0}."),
    N_("there is no team {0}."),
    N_("Set it up first."),
    N_("{0} is nobody here."),
    N_("Write a mail address."),
    N_("there is no menu {0}."),
    N_("Did you mean {0}?"),
    N_("Write it below menus."),
    N_("is never reached: {0} stands before it."),
    N_("is never reached."),
    N_("Remove it, or move it up."),
    N_("Name it in a step {menu: …}, or remove it."),
    N_("leads nowhere."),
    N_("Add key {0} to the keys."),
    N_("is one text for {0} languages."),
    N_("Write one for each of {0}."),
    N_("is missing in {0}."),
    N_("Add {0}: …"),
    N_("is no language of this line."),
    N_("Add it to languages, or remove it."),
    N_("a language stands here twice."),
    N_("Remove one."),
    N_("there is no line."),
    N_("Begin with number: and name:."),
    N_("it is nested too deeply."),
    N_("is missing."),
    N_("is unknown here."),
    N_("is no mapping."),
    N_("Write keys with values."),
    N_("is no list."),
    N_("Write - in front of each entry."),
    N_("is no text."),
    N_("Write it in quotes."),
    N_("is empty."),
    N_("Give at least one entry."),
    N_("{0} is unknown here."),
    N_("Write {0}."),
    N_("{0} is no language."),
    N_("Write it like fr or fr-CA."),
    N_("{0} is no number."),
    N_("{0} is no address."),
    N_("Write one that begins with https://."),
    N_("{0} is no key."),
    N_("Write one of 0 to 9, * and #, in quotes."),
    N_("See docs/phone-lines.md for what may stand here."),
    N_("this is not YAML: {0}."),
    # and what pydantic says
    N_("input should be a valid integer, unable to parse string as an integer."),
    N_("input should be a valid integer, got a number with a fractional part."),
    N_("input should be a valid integer."),
    N_("input should be a valid boolean, unable to interpret input."),
    N_("input should be a valid boolean."),
    N_("input should be greater than or equal to {0}."),
    N_("input should be less than or equal to {0}."),
    N_("string should have at most {0} characters."),
    N_("string should have at least {0} character."),
    N_("list should have at most {0} items after validation, not {1}."),
    N_("input should be {0}."),
    N_("Look at the indentation and quotes."),
    N_("a step has exactly one of the keys {0}."),
    N_("{0} is no number; write it with the country's code, such as +33199000001."),
)
