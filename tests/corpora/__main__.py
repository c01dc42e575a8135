"""`make corpora`: how many real mails come out as expected, beside plain libraries and what is asked of us.

Every `*_scores.py` in this folder has a function `scores() -> list[Score]`. Ends with 1 when a target is missed.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from tests.corpora.scoring import Score, corpora


def main(names: list[str]) -> int:
    """Print the scores of the named corpora, of all when none is named."""
    folder = corpora()
    if folder is None:
        print("Skipped: there are no corpora beside the repository; name their folder in CLYTIE_CORPORA.")
        return 0
    found = Path(__file__).parent.glob("*_scores.py")
    modules = sorted(path.stem for path in found if not path.stem.startswith("test_"))
    known = [module.removesuffix("_scores") for module in modules]
    if unknown := set(names) - set(known):
        print(f"No scores are called {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
        return 2
    missed = False
    print(f"{'':<44}{'cases':>7}{'as expected':>13}{'':>8}{'baseline':>10}{'target':>9}")
    for name in names or known:
        begun = time.perf_counter()
        for score in importlib.import_module(f"tests.corpora.{name}_scores").scores():
            missed |= is_missed(score)
            print(_line(score))
        print(f"{'':<4}{name}: {time.perf_counter() - begun:.1f} s")
    return int(missed)


def is_missed(score: Score) -> bool:
    """Whether a score stays below what is asked."""
    return score.target is not None and score.ours < score.target - 1e-9


def _line(score: Score) -> str:
    share = f"{100 * score.ours / score.of:7.1f}%" if score.of else ""
    baseline = f"{100 * score.baseline / score.of:9.0f}%" if score.baseline is not None and score.of else ""
    target = f"{100 * score.target / score.of:8.0f}%" if score.target is not None and score.of else ""
    mark = "  missed" if is_missed(score) else ""
    return f"{score.name:<44}{score.of:>7g}{score.ours:>13g}{share:>8}{baseline:>10}{target:>9}{mark}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
