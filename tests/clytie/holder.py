"""A process that owns the servers of a data directory until its input ends; run by tests that kill it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from clytie.services.supervisor import Services

if __name__ == "__main__":
    with Services(Path(sys.argv[1]), durable=False) as services:
        print(json.dumps(asdict(services.start())), flush=True)
        sys.stdin.read()
