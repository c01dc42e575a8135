"""Subjects without what replying and forwarding put before them. For showing and answering; a subject joins nothing.

The prefixes are those of Outlook, Gmail, Apple Mail, Notes and web mailers in the languages they come in.
"""

from __future__ import annotations

import re

REPLIED = (
    "re", "aw", "antw", "antwort", "sv", "vs", "ynt", "odp", "res", "rif", "r", "ref", "rép", "réf", "rsp", "bls", "atb", "ats",
    "vá", "vl", "hl", "回复", "回覆", "答复", "返信", "답장", "ответ", "отв", "на", "відп", "απ", "σχετ", "yan", "re to",
)  # fmt: skip
FORWARDED = (
    "fwd", "fw", "wg", "tr", "rv", "enc", "i", "vb", "pd", "vs", "vl", "vidarebefordrat", "doorst", "doorgest", "fs", "ilt",
    "továbbítás", "přep", "přeposl", "转发", "轉寄", "转寄", "転送", "전달", "пересл", "перес", "fwd by", "πρθ", "iletildi",
    "transf", "weiterl", "inoltro", "rtr", "továbbított",
)  # fmt: skip

_COUNT = r"\s?(?:[\[(*^]{0,2}\d{1,3}[\])]?)?\s?"


def _prefix(words: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True))
    return re.compile(rf"\s*(?:{alternatives}){_COUNT}[:：]\s*", re.IGNORECASE)


_ANY = _prefix(REPLIED + FORWARDED)
_FORWARD = _prefix(FORWARDED)
_LIST = re.compile(r"\s*\[[^\[\]]{1,80}\]\s*")
_EXTERNAL = re.compile(
    r"\s*[\[(](?:external|externe?|extern|ext|spam\??|suspected spam|\*+spam\*+)[\])]:?\s*", re.IGNORECASE
)
LONGEST = 2_000  #: characters that are looked at
MOST_PREFIXES = 100


def bare_subject(subject: str) -> str:
    """The subject without `Re:`, `AW:`, `TR:`, `Fwd:` and their like, nested in any number, white space made single.

    A list's `[name]` stays, unless a prefix follows it; a gateway's `[EXTERNAL]` goes.
    """
    text = " ".join(subject[:LONGEST].split())
    for _ in range(MOST_PREFIXES):
        match = _ANY.match(text) or _EXTERNAL.match(text)
        if match is None:
            tag = _LIST.match(text)
            behind = _ANY.match(text, tag.end()) if tag else None
            if tag is None or behind is None:
                break
            text = f"{tag[0].strip()} {text[behind.end() :]}".strip()
            continue
        text = text[match.end() :]
    return text.strip()


def reply_subject(subject: str) -> str:
    """`Re: ` and the bare subject: what an answer to a mail of this subject carries."""
    bare = bare_subject(subject)
    return f"Re: {bare}" if bare else "Re:"


def is_forward(subject: str) -> bool:
    """Whether the subject begins as those of forwarded mails do. A hint: some prefixes mean a reply in other languages."""
    text = " ".join(subject[:LONGEST].split())
    for _ in range(MOST_PREFIXES):
        if _FORWARD.match(text):
            return True
        match = _EXTERNAL.match(text) or _LIST.match(text)
        if match is None or not match.end():
            return False
        text = text[match.end() :]
    return False
