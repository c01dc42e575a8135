"""How reading mail fares on the malformed and odd mail of the MIME corpus."""

from __future__ import annotations

from pathlib import Path

from channels.mail.mime import read
from tests.corpora.mime_trees import expected_leaves, expected_tree, our_leaves, our_tree
from tests.corpora.scoring import Score, corpora

_MAILS = frozenset({".msg", ".eml", ".txt"})


def mails(folder: Path) -> list[Path]:
    """The mails of the corpus: not the expected trees and leaves beside them."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _MAILS and "_decoded" not in path.name)


def _is_read(path: Path) -> bool:
    try:
        read(path.read_bytes())
    except Exception:
        return False
    return True


def scores() -> list[Score]:
    """Mails read without an exception; mime4j's trees, and mails whose leaves are all decoded as expected.

    Two of mime4j's trees are for the same bytes and differ (it reads them in two modes), so 31 is all there is.
    """
    root = corpora()
    if root is None or not (root / "mime").is_dir():
        return []
    every = mails(root / "mime")
    trees = leaves = 0
    expected = [path for path in every if path.with_name(f"{path.stem}_decoded.xml").exists()]
    for path in expected:
        raw, xml = path.read_bytes(), path.with_name(f"{path.stem}_decoded.xml")
        trees += our_tree(raw) == expected_tree(xml)
        leaves += our_leaves(raw) == expected_leaves(xml)
    return [
        Score(
            "mime: mails read without an exception", sum(map(_is_read, every)), len(every), None, len(every)
        ),
        Score("mime: mime4j's trees", trees, len(expected), 22, 29),
        Score("mime: mime4j's decoded leaves", leaves, len(expected), 13, 24),
    ]
