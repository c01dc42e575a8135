"""The URLs that a mail carries. tracking/ answers the first three, the preference centre the last."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Addresses:
    """Builds the public URLs below one base, such as https://news.example.org (no slash at its end)."""

    base: str

    def opened(self, token: str) -> str:
        """The pixel."""
        return f"{self.base}/o/{token}.gif"

    def clicked(self, token: str, number: int) -> str:
        """The redirect of link `number`."""
        return f"{self.base}/c/{token}.{number}"

    def downloaded(self, token: str, name: str) -> str:
        """The download of an asset."""
        return f"{self.base}/d/{token}/{quote(name)}"

    def unsubscribe(self, token: str) -> str:
        """The unsubscribe page, which is also where one-click unsubscription posts to (RFC 8058)."""
        return f"{self.base}/u/{token}"
