"""Where the provider calls us about a call: addresses below the public one, each with the call's signed token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.calls import CallPart
from domain.tokens import TokenKeys, TokenUse

#: below our public address
VOICE_PATH: Final = "/callbacks/voice"
INBOUND_PATH: Final = f"{VOICE_PATH}/inbound"


@dataclass(frozen=True, slots=True)
class CallAddresses:
    """Makes and reads them. `public_url`: our address as the provider calls it, without a slash at the end."""

    public_url: str
    tokens: TokenKeys

    def of(self, message_id: int, what: str, number: int | None = None) -> str:
        """The address that is asked or told `what` about a call, such as `bridge`; `number` counts steps."""
        token = self.tokens.sign(TokenUse.CALLBACK, 0, message_id)
        end = "" if number is None else f"/{number}"
        return f"{self.public_url}{VOICE_PATH}/{token}/{what}{end}"

    def status(self, message_id: int, part: CallPart) -> str:
        """The address that is told how one leg stands."""
        return self.of(message_id, f"status/{part.value}")

    def read(self, token: str) -> int | None:
        """The call that a token in such an address names; None when we did not sign it."""
        read = self.tokens.verify(token, TokenUse.CALLBACK)
        return None if read is None else read.message_id
