"""`make bench`: run every benchmark, print the medians beside their yardsticks, write build/bench.json.

Figures are ratios to a yardstick measured in the same run, because machines are shared and noisy. Choose some with
`python -m benchmarks send hits`, the rounds with `--rounds 5`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any, Final

MODULES: Final = (
    "compose",
    "signing",
    "smtp_wire",
    "send",
    "hits",
    "inbound",
    "reading",
    "parse",
    "route",
    "backtest",
    "imports",
    "sms",
)
RESULT: Final = Path("build/bench.json")


def main() -> int:
    """Run the chosen benchmarks; 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(MODULES)}; all when left out")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MODULES)
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    figures: list[dict[str, Any]] = []
    failed = []
    for name in arguments.names or MODULES:
        print(f"\n{name}", flush=True)
        try:
            for figure in importlib.import_module(f"benchmarks.{name}").run(arguments.rounds):
                figures.append(figure)
                print(_line(figure), flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nWritten to {RESULT}." + (f" Failed: {', '.join(failed)}." if failed else ""))
    return 1 if failed else 0


def _line(figure: dict[str, Any]) -> str:
    yardstick = f"{figure['yardstick']:>14,.1f}" if figure["yardstick"] is not None else " " * 14
    ratio = f"{figure['ratio']:>8.2f}" if figure["ratio"] is not None else " " * 8
    return f"  {figure['name']:<58}{figure['ours']:>14,.1f}{yardstick}{ratio}  {figure['unit']}"


if __name__ == "__main__":
    sys.exit(main())
