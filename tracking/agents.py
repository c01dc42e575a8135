"""What the User-Agent header gives away. Only ever a supporting reason: the programs that matter call themselves browsers."""

from __future__ import annotations

import re
from typing import Final

_ROBOT: Final = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|monitor|preview|check|fetch|validator|headless|phantomjs|selenium|puppeteer|"
    r"playwright|facebookexternalhit|whatsapp|curl/|wget/|libwww|lwp-|python|aiohttp|httpx|urllib|java/|okhttp|"
    r"apache-httpclient|go-http-client|node-fetch|axios|undici|ruby|perl|php/|guzzle|winhttp|powershell",
    re.IGNORECASE,
)
#: Apple's Mail Privacy Protection fetches pictures ahead, and calls itself this and nothing more.
_AHEAD: Final = frozenset({"Mozilla/5.0"})
#: Proxies that fetch when a mail is shown, and sometimes before.
_ON_VIEW: Final = re.compile(
    r"GoogleImageProxy|YahooMailProxy|BingPreview|CloudMagic|ProtonMail", re.IGNORECASE
)


def is_robot(agent: str) -> bool:
    """Tell whether the agent says itself that it is a program without a person in front of it."""
    return _ROBOT.search(agent) is not None and not fetches_on_view(agent)


def fetches_ahead(agent: str) -> bool:
    """Tell whether this is a proxy that fetches pictures whether or not anybody looks at the mail."""
    return agent.strip() in _AHEAD


def fetches_on_view(agent: str) -> bool:
    """Tell whether this is a proxy that fetches when the mail is shown: it hides an address, not a machine.

    Right after delivery even these fetch by themselves.
    """
    return _ON_VIEW.search(agent) is not None
