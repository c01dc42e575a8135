"""Runs the test carrier alone, for tests that must outlive or kill other processes, and for trying things by hand.

    python -m channels.sandbox.carrier SETTINGS.json

`SETTINGS.json` holds CarrierSettings; `-` reads them from standard input. When the carrier listens, one line of JSON is
written: its url, account_sid and auth_token. It ends at SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from channels.sandbox.carrier.carrier import Carrier
from channels.sandbox.carrier.settings import CarrierSettings
from domain.errors import ConfigurationError


async def _run(settings: CarrierSettings) -> None:
    carrier = Carrier(settings)
    await carrier.start()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    hello = {
        "url": carrier.url,
        "account_sid": settings.account_sid,
        "auth_token": settings.auth_token.get_secret_value(),
    }
    print(json.dumps(hello), flush=True)
    await ending.wait()
    await carrier.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop, where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop

    return cast(Callable[[], asyncio.AbstractEventLoop], uvloop.new_event_loop)


def main(arguments: list[str]) -> int:
    """Run until told to end; 2 when the settings are wrong."""
    if len(arguments) > 1:
        print("usage: python -m channels.sandbox.carrier [SETTINGS.json | -]", file=sys.stderr)
        return 2
    given = arguments[0] if arguments else ""
    try:
        text = "{}" if not given else sys.stdin.read() if given == "-" else Path(given).read_text()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(CarrierSettings.model_validate_json(text)))
    except (OSError, ValidationError, ConfigurationError) as error:
        print(f"The test carrier cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
