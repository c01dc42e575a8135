"""Pages that recipients of mails see: small, calm, without a script, in their language, and never in a cache."""

from __future__ import annotations

from enum import StrEnum
from html import escape
from typing import Final

from aiohttp import web

from web.headers import protect
from web.i18n import _, choose_language, speaking
from web.static_files import static_url

PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{house}">
<link rel="stylesheet" href="{page}">
</head>
<body>
<main class="letter">
<div class="card">
<h1>{title}</h1>
{content}
</div>
</main>
</body>
</html>
"""


class Note(StrEnum):
    """What a recipient may have to be told."""

    UNKNOWN_LINK = "unknown_link"
    UNKNOWN_FILE = "unknown_file"
    UNAVAILABLE = "unavailable"
    NOT_A_FORM = "not_a_form"


def reader_language(request: web.BaseRequest) -> str:
    """The language that the reader's browser asks for."""
    return choose_language(request.headers.get("Accept-Language", ""))


def answer_page(
    language: str, title: str, content: str, *, status: int = 200, later: bool = False
) -> web.Response:
    """A page with finished HTML inside. `title` is plain text. `later`: ask the reader to come back."""
    text = PAGE.format(
        language=language,
        title=escape(title),
        content=content,
        house=static_url("clytie.css"),
        page=static_url("recipients.css"),
    )
    response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    response.headers["Content-Language"] = language
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    if later:
        response.headers["Retry-After"] = "5"
    protect(response)
    return response


def answer_note(request: web.BaseRequest, note: Note) -> web.Response:
    """A page with a sentence or two."""
    language = reader_language(request)
    with speaking(language):
        match note:
            case Note.UNKNOWN_LINK:
                title, text = (
                    _("This link leads nowhere"),
                    _("It may be incomplete. Try the link in the mail itself."),
                )
            case Note.UNKNOWN_FILE:
                title, text = _("This file is not here"), _("It may have been replaced or removed.")
            case Note.NOT_A_FORM:
                title, text = (
                    _("That was not understood"),
                    _("Go back, and try the button again. Nothing was changed."),
                )
            case Note.UNAVAILABLE:
                title, text = (
                    _("One moment, please"),
                    _("This cannot be answered right now. Try again in a minute."),
                )
    status = {Note.UNAVAILABLE: 503, Note.NOT_A_FORM: 400}.get(note, 404)
    return answer_page(language, title, f"<p>{escape(text)}</p>", status=status, later=status == 503)
