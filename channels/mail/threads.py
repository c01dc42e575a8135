"""Which mails belong together, by Message-ID, In-Reply-To and References alone.

After Jamie Zawinski's algorithm (https://www.jwz.org/doc/threading.html, RFC 5256 section 3) without its last step: two mails
with the same subject are not one conversation. Loops and lies in References end in some tree, never in an endless one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_REFERENCES = 100  #: of one mail, the nearest ones
LONGEST_ID = 998  #: characters; RFC 5322 allows no longer line

_ID = re.compile(r"<([^<>]*)>|([^<>\s,]+)")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ThreadedMessage:
    """What threading needs to know of a mail. Ids with or without angle brackets."""

    message_id: str
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def clean_id(text: str) -> str:
    """One id without brackets and white space; empty when it cannot be one."""
    if len(text) > 4 * LONGEST_ID:
        return ""
    bare = _SPACE.sub("", text).strip("<>")
    return bare if 0 < len(bare) <= LONGEST_ID and "<" not in bare and ">" not in bare else ""


def _ids(values: str | Iterable[str], most: int) -> list[str]:
    """The cleaned ids of a header's value or values, in order: of too many, the last ones."""
    found: list[str] = []
    for value in [values] if isinstance(values, str) else values:
        if "<" in value or (isinstance(values, str) and " " in value.strip()):
            found.extend(clean_id(match[1] or match[2] or "") for match in _ID.finditer(value[-200_000:]))
        else:
            found.append(clean_id(value))
    return [one for one in found if one][-most:]


def ancestors(
    in_reply_to: str | Sequence[str],
    references: str | Sequence[str],
    message_id: str = "",
    most: int = MOST_REFERENCES,
) -> tuple[str, ...]:
    """The ids that a mail answers, to be looked up, the nearest first: each once, at most `most`, not its own.

    >>> ancestors("<c@x>", "<a@x> <b@x> <c@x>")
    ('c@x', 'b@x', 'a@x')
    """
    own = clean_id(message_id)
    nearest = [*_ids(in_reply_to, most), *reversed(_ids(references, most))]
    return tuple(one for one in dict.fromkeys(nearest) if one != own)[:most]


def thread(messages: Iterable[ThreadedMessage]) -> list[tuple[ThreadedMessage, ...]]:
    """The mails in groups that belong together, groups and mails in the order they came in.

    A mail's own word about its parent counts before what others' References presume about it, as in jwz's algorithm, but
    independent of the order of mails. Mails without an id stand alone, unless they name what they answer. Near linear.
    """
    mails = list(messages)
    forest = _Forest()
    nodes: list[int] = []
    chains: list[list[int]] = []
    for mail in mails:
        own = clean_id(mail.message_id)
        node = forest.node(own) if own else forest.new()
        nodes.append(node)
        chain = [forest.node(one) for one in reversed(ancestors(mail.in_reply_to, mail.references, own))]
        chains.append(chain)
    for node, chain in zip(nodes, chains, strict=True):
        for parent in reversed(chain):
            if forest.adopt(parent, node):
                break
    for chain in chains:
        for parent, child in pairwise(chain):
            forest.adopt(parent, child)
    groups: dict[int, list[ThreadedMessage]] = {}
    for node, mail in zip(nodes, mails, strict=True):
        groups.setdefault(forest.root(node), []).append(mail)
    return [tuple(group) for group in groups.values()]


class _Forest:
    """Trees of ids, each node with at most one parent. Kept as disjoint sets, whose representative is the tree's root."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._above: list[int] = []

    def new(self) -> int:
        self._above.append(len(self._above))
        return len(self._above) - 1

    def node(self, message_id: str) -> int:
        number = self._numbers.get(message_id)
        if number is None:
            number = self._numbers[message_id] = self.new()
        return number

    def root(self, node: int) -> int:
        above = self._above
        while above[node] != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    def adopt(self, parent: int, child: int) -> bool:
        """Make `parent` the parent of a node that has none. False when it has one, or when a loop would come of it."""
        if self._above[child] != child or self.root(parent) == child:
            return False
        self._above[child] = parent
        return True
