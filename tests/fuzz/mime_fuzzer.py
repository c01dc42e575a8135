"""Reading mail under atheris (coverage-guided fuzzing), for minutes or hours outside of CI. Atheris is not a dependency:

    python -m venv /some/venv && /some/venv/bin/pip install atheris idna
    PYTHONPATH=. /some/venv/bin/python -m tests.fuzz.mime_fuzzer corpus/ -max_len=20000 -max_total_time=600 -timeout=2

`corpus/` is a folder of mails to start from (and where new ones are kept). A mail that breaks a promise, or takes
longer than the timeout, is written to a file and ends the run.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Run until the fuzzer's own options tell it to stop."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["channels"]):
        promises: Any = importlib.import_module("tests.fuzz.mime_promises")
    atheris.Setup(sys.argv, lambda data: promises.check(bytes(data)) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
