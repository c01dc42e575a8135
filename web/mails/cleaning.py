"""HTML of mails made fit to be shown: what can run, load or send something is taken out (nh3), pictures are held back.

This is the first wall. The second is the frame it is shown in: sandboxed without scripts, forms and an origin of its
own, under a policy that loads nothing but what was asked for (web/headers.py).
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import nh3

LONGEST: Final = 1_000_000  #: characters that are shown
#: elements that are open at a time; cleaning takes a time that grows with the square of this
_DEEPEST: Final = 2_000
_MOST_ENTITIES: Final = 100_000  #: the same is true of these
MOST_DATA: Final = 8_000_000  #: bytes of pictures that are put into the page
#: characters of data URLs in a page: a mail may name its picture again and again
_MOST_SHOWN: Final = 3 * MOST_DATA

#: what may be shown as a picture, by the bytes that it begins with; SVG is a document, not a picture
_PICTURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_ELEMENT: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
#: elements that never stay open, or are closed by the next of them
_SHALLOW: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
     "p", "li", "dt", "dd", "tr", "td", "th", "option")
)  # fmt: skip
_REMOTE: Final = re.compile(r"\s*https?://", re.IGNORECASE)
_LINK: Final = re.compile(r"\s*(?:https?://|mailto:|tel:)", re.IGNORECASE)
_DATA: Final = re.compile(
    r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]{1,4000000}", re.IGNORECASE
)
#: a declaration with one of these may load or run something; an escape could hide them
_UNSAFE_STYLE: Final = re.compile(
    r"[\\@<]|//|url|src|image|expression|behaviou?r|binding|attr|var\s*\(", re.IGNORECASE
)
_ALLOWED: Final = """
background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width
border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius
border-right border-right-color border-right-style border-right-width border-spacing border-style border-top
border-top-color border-top-style border-top-width border-width clear color direction display float font
font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style
list-style-type margin margin-bottom margin-left margin-right margin-top max-width min-width padding
padding-bottom padding-left padding-right padding-top table-layout text-align text-decoration text-indent
text-transform vertical-align white-space width word-break word-spacing word-wrap overflow-wrap
"""
_PROPERTIES: Final = frozenset(_ALLOWED.split())
_TAGS: Final = (nh3.ALLOWED_TAGS - {"map", "area"}) | {"font", "center", "u", "big", "tt", "section", "main"}
_EVERYWHERE: Final = {
    "align",
    "bgcolor",
    "color",
    "dir",
    "height",
    "lang",
    "style",
    "title",
    "valign",
    "width",
}
_ANY_ELEMENT: Final = re.compile(r"<[^<>]{0,5000}>")
_PAGE: Final = """<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><style>
body{{margin:12px;font:15px/1.5 system-ui,sans-serif;color:#211d15;background:#fff;overflow-wrap:anywhere}}
img{{max-width:100%;height:auto}}table{{max-width:100%}}pre{{white-space:pre-wrap}}
blockquote{{margin:0 0 0 8px;padding-left:10px;border-left:3px solid #cfc6b2;color:#686152}}
</style></head><body>{body}</body></html>"""


@dataclass(frozen=True, slots=True)
class CleanMail:
    """HTML that can be put into the frame. `held_back`: pictures that would come from elsewhere."""

    html: str
    held_back: int


def clean_mail(source: str, pictures: Mapping[str, str], *, remote: bool = False) -> CleanMail:
    """Take out what can do harm. `pictures`: data URLs by Content-ID; `remote` lets pictures of other servers stay.

    Takes a while for a long mail: call it in a thread.
    """
    source = source[:LONGEST]
    if is_tangled(source):
        return CleanMail(_PAGE.format(body=f"<pre>{html.escape(_only_words(source))}</pre>"), 0)
    held_back = 0
    room = _MOST_SHOWN

    def choose(tag: str, name: str, value: str) -> str | None:
        nonlocal held_back, room
        if name == "style":
            return _clean_style(value)
        if name == "href":
            return value if _LINK.match(value) else None
        if name == "src":
            if value.strip().lower().startswith("cid:"):
                picture = pictures.get(value.strip()[4:].strip("<>"), "")
                room -= len(picture)
                return picture if picture and room >= 0 else None
            if _REMOTE.match(value):
                held_back += not remote
                return value.strip() if remote else None
            return value if _DATA.fullmatch(value.strip()) else None
        return value

    cleaned = nh3.clean(
        source,
        tags=set(_TAGS),
        attributes=_attributes(),
        attribute_filter=choose,
        filter_style_properties=set(_PROPERTIES),
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return CleanMail(_PAGE.format(body=cleaned), held_back)


def is_tangled(source: str) -> bool:
    """Whether so much is open at a time, or escaped, that cleaning it would take long; no person writes that."""
    if source.count("&") > _MOST_ENTITIES:
        return True
    still_open: dict[str, int] = {}
    depth = 0
    for found in _ELEMENT.finditer(source):
        name = found[2].lower()
        if name in _SHALLOW:
            continue
        if not found[1]:
            still_open[name] = still_open.get(name, 0) + 1
            depth += 1
            if depth > _DEEPEST:
                return True
        elif still_open.get(name):
            still_open[name] -= 1
            depth -= 1
    return False


def _attributes() -> dict[str, set[str]]:
    return {
        "*": set(_EVERYWHERE),
        "a": {"href"},
        "img": {"src", "alt", "border", "hspace", "vspace"},
        "table": {"border", "cellpadding", "cellspacing"},
        "td": {"colspan", "rowspan", "nowrap"},
        "th": {"colspan", "rowspan", "nowrap", "scope"},
        "col": {"span"},
        "colgroup": {"span"},
        "font": {"face", "size"},
        "ol": {"start", "type"},
        "li": {"value", "type"},
        "ul": {"type"},
        "hr": {"size", "noshade"},
    }


def _clean_style(style: str) -> str | None:
    kept = [part for part in style.split(";") if part.strip() and not _UNSAFE_STYLE.search(part)]
    return ";".join(kept) or None


def picture_type(content: bytes) -> str | None:
    """The media type of a picture that may be shown, by its first bytes; None for everything else."""
    for begin, kind in _PICTURES:
        if content.startswith(begin):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def data_urls(files: Mapping[str, bytes]) -> dict[str, str]:
    """Pictures by Content-ID as data URLs; what is no picture, or too much, is left out.

    A frame without an origin sends no cookies, so the pictures of a mail travel inside its page.
    """
    urls: dict[str, str] = {}
    left = MOST_DATA
    for content_id, content in files.items():
        kind = picture_type(content)
        if kind is not None and len(content) <= left:
            left -= len(content)
            urls[content_id] = f"data:{kind};base64,{b64encode(content).decode()}"
    return urls


def _only_words(source: str) -> str:
    lines = html.unescape(_ANY_ELEMENT.sub(" ", source)).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines).strip()
