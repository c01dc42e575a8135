"""The entry of `clytie` and `python -m clytie`: finds the rooms, then hands over to the command line.

In a checkout the rooms are the top-level folders of the repository; in an installed wheel they are tucked under
clytie/_root/. Either folder has to come first on sys.path before any room is imported.
"""

from __future__ import annotations

import sys
from pathlib import Path


def find_root(package: Path) -> Path:
    """Return the folder that holds the rooms, given the folder of the package `clytie`."""
    tucked = package / "_root"
    return tucked if tucked.is_dir() else package.parent


def prepare_path() -> None:
    """Put the folder with the rooms first on sys.path; calling it again changes nothing."""
    root = str(find_root(Path(__file__).resolve().parent))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != root)]


def main() -> None:
    """Run the command line."""
    prepare_path()
    from clytie.commands.main import run

    run()


if __name__ == "__main__":
    main()
