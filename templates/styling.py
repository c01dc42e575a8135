"""Makes a mail's HTML fit for mail clients: MJML becomes HTML, rules of `<style>` move to the elements.

Done once, when a template is registered. jinja2 tags are hidden from both tools and put back where they were.
"""

from __future__ import annotations

import re
from typing import Final

import mrml
from css_inline import CSSInliner, InlineError

from domain.errors import InvalidInput
from templates.markup import tokens
from templates.masking import MARK, is_print, mask

_MJML: Final = re.compile(r"<mjml[\s>]", re.IGNORECASE)
#: MJML's reset stays a style sheet: written to every cell it would double the mail.
_RESET: Final = re.compile(r'<style type="text/css">\s*#outlook.*?</style>', re.DOTALL)
#: Two conditional comments in a row, with the same condition, are one.
_SEAM: Final = re.compile(r"<!\[endif\]--><!--\[if mso \| IE\]>")
_HEAD_END: Final = "</head>"
_INDENT: Final = re.compile(r"\n\s*")
_INLINER: Final = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False, minify_css=True)


def prepare(source: str) -> str:
    """Turn MJML or HTML with style sheets, jinja2 tags in it, into the HTML that is sent.

    Raises InvalidInput when the MJML is not valid or a jinja2 tag stands where it cannot be kept. Nothing is
    loaded from files or the network. Style sheets make the HTML be written anew: what HTML implies (such as
    `<tbody>`) is then spelt out, so write it yourself where a loop begins.
    """
    masked, tags = mask(source)
    stem = _stem(source)
    html, reset = _disguised(masked, tags, stem), ""
    if _MJML.search(masked):
        html, reset = _from_mjml(html)
    if "<style" in html.lower():
        try:
            html = _INLINER.inline(html)
        except InlineError as error:
            raise InvalidInput(
                "html", f"its styles cannot be read: {error}.", "Correct the style sheet."
            ) from error
    html = html.replace(_HEAD_END, reset + _HEAD_END, 1)
    return _restored(html, tags, stem)


def _stem(source: str) -> str:
    stem = "jinja"
    while stem in source:
        stem += "j"
    return stem


def _disguised(masked: str, tags: list[str], stem: str) -> str:
    """Write tags that steer as comments where text stands, and everything else as words."""
    out: list[str] = []
    for token in tokens(masked):
        piece = masked[token.start : token.end]

        def disguise(match: re.Match[str], *, text: bool = token.kind == "text") -> str:
            word = f"{stem}{match[1]}x"
            return f"<!--{word}-->" if text and not is_print(tags[int(match[1])]) else word

        out.append(MARK.sub(disguise, piece))
    return "".join(out)


def _from_mjml(source: str) -> tuple[str, str]:
    options = mrml.ParserOptions(include_loader=mrml.noop_loader())
    try:
        html: str = mrml.to_html(source, parser_options=options).content
    except OSError as error:
        raise InvalidInput("html", f"this is not valid MJML: {error}.", "Correct the MJML.") from error
    reset = _RESET.search(html)
    html = _SEAM.sub("", _INDENT.sub("\n", _RESET.sub("", html, 1)))
    return html, _INDENT.sub(" ", reset[0]) if reset else ""


def _restored(html: str, tags: list[str], stem: str) -> str:
    placed = re.compile(rf"<!--{stem}(\d+)x-->|{stem}(\d+)x")
    found = [int(match[1] or match[2]) for match in placed.finditer(html)]
    steering = [number for number in found if not is_print(tags[number])]
    for number, tag in enumerate(tags):
        if number not in found or (not is_print(tag) and steering.count(number) != 1):
            raise InvalidInput(
                "html",
                f"the tag {tag} stands where it cannot be kept.",
                "Move it into the text, or into <mj-raw>.",
            )
    if steering != sorted(steering):
        raise InvalidInput("html", "tags such as {% if %} changed their order.", "Move them into <mj-raw>.")
    return placed.sub(lambda match: tags[int(match[1] or match[2])], html)
