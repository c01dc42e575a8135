"""Text in the format "flowed" (RFC 3676): lines that a mailer wrapped are joined again, quotes stay quotes."""

from __future__ import annotations


def unflow(text: str, *, delete_space: bool = False) -> str:
    """Join the soft line breaks of `text` (lines end with LF); `delete_space` is the parameter DelSp.

    >>> unflow("one \\ntwo\\n> quoted \\n> too")
    'one two\\n> quoted too'
    """
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.split("\n"):
        content = line.lstrip(">")
        quotes = len(line) - len(content)
        content = content.removeprefix(" ")
        signature = content == "-- "
        if paragraph and (quotes != depth or signature):
            out.append(_line(depth, paragraph))
            paragraph = []
        depth = quotes
        if content.endswith(" ") and not signature:
            paragraph.append(content[:-1] if delete_space else content)
        else:
            paragraph.append(content)
            out.append(_line(depth, paragraph))
            paragraph = []
    if paragraph:
        out.append(_line(depth, paragraph))
    return "\n".join(out)


def _line(depth: int, paragraph: list[str]) -> str:
    content = "".join(paragraph)
    if depth:
        return ">" * depth + (" " + content if content else "")
    return content
