"""The note that a running house leaves in its data directory, so that commands find its servers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from clytie.services.supervisor import ServiceUrls

_NAME: Final = "running.json"


def write_note(var: Path, urls: ServiceUrls, public_url: str) -> None:
    """Tell where the servers answer; readable by the owner alone."""
    draft = var / f"{_NAME}.new"
    var.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(
            {"database_url": urls.database_url, "redis_url": urls.redis_url, "public_url": public_url}, file
        )
    draft.replace(var / _NAME)


def read_note(var: Path) -> ServiceUrls | None:
    """Where the servers of the house that uses `var` answer; None when there is no note."""
    try:
        note = json.loads((var / _NAME).read_text())
        return ServiceUrls(note["database_url"], note["redis_url"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def remove_note(var: Path) -> None:
    """The house has stopped."""
    (var / _NAME).unlink(missing_ok=True)
