"""The collector of a process that serves: tuned once, in a process of its own so that the tests' one stays as it is."""

from __future__ import annotations

import subprocess
import sys


def test_what_a_process_started_with_is_not_looked_through_again() -> None:
    script = "import gc; from web.collector import tune_collector; tune_collector(); print(gc.get_freeze_count() > 1000, gc.get_threshold())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["True", "(20000, 20, 20)\n"]


def test_cycles_are_still_collected() -> None:
    script = (
        "import gc, weakref; from web.collector import tune_collector; tune_collector()\n"
        "class Node: pass\n"
        "seen = []\n"
        "for _ in range(60_000):\n"
        "    node = Node(); node.me = node; seen.append(weakref.ref(node)) if len(seen) < 10 else None\n"
        "print(any(ref() is None for ref in seen))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
