"""Mail to the test mailbox: the mail channel, pointed at the door on this machine.

Nothing is simulated: what works here works with a mail server, and nothing leaves the machine.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from channels.mail.settings import Encryption, MailSettings
from channels.mail.smtp import MailChannel

SANDBOX_PORT = 8026  #: where the door listens unless told otherwise


class SandboxMailSettings(MailSettings):
    """Where the test mailbox listens."""

    port: int = Field(default=SANDBOX_PORT, ge=1, le=65535, description="port of the test mailbox")
    encryption: Encryption = Field(
        default=Encryption.NEVER, description="how the connection is encrypted; never, on the same machine"
    )


class SandboxMail(MailChannel):
    """The test mailbox as a channel."""

    name: ClassVar[str] = "sandbox"
    settings_model: ClassVar[type[BaseModel]] = SandboxMailSettings
