"""What a connection needs to know of the door that it came in by."""

from __future__ import annotations

from typing import Protocol

from channels.base import Received
from channels.mail.door.certificate import Certificate
from channels.mail.door.content import Room
from channels.mail.door.login import Logins
from channels.mail.door.peers import Peers
from channels.mail.door.settings import DoorSettings


class Entrance(Protocol):
    """A door, as its connections see it; they share what it counts."""

    @property
    def name(self) -> str:
        """smtp or lmtp."""
        ...

    @property
    def settings(self) -> DoorSettings:
        """What may come in, and how long it may take."""
        ...

    @property
    def hostname(self) -> str:
        """How the door names itself."""
        ...

    @property
    def peers(self) -> Peers:
        """Who is connected, and who made errors."""
        ...

    @property
    def room(self) -> Room:
        """The memory for mails that are coming in."""
        ...

    @property
    def logins(self) -> Logins:
        """Who may log in."""
        ...

    @property
    def certificate(self) -> Certificate | None:
        """For STARTTLS; None when it is not offered."""
        ...

    async def keep(self, received: Received) -> str | None:
        """Store a mail and say what we call it; None when that failed."""
        ...
