"""Settings of mailboxes that are read by IMAP: an account each, its folders, and what is done with mail taken in."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from channels.mail.oauth.settings import OAuthSettings
from channels.mail.settings import Encryption
from domain.errors import ConfigurationError

_Seconds = Annotated[float, Field(gt=0)]
#: A server may end a connection that idles for 30 minutes; RFC 2177 asks to renew after 29.
_LONGEST_IDLE: Final = 29 * 60


class After(StrEnum):
    """What is done in the mailbox with a mail, once it is safe here. A courtesy: its failure harms nothing."""

    KEEP = "keep"  #: nothing; the folder is opened for reading only
    SEEN = "seen"  #: mark as read
    MOVE = "move"  #: move to another folder
    DELETE = "delete"  #: delete


class FolderSettings(BaseModel):
    """One folder of a mailbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        default="INBOX",
        min_length=1,
        description=r"Its name on the server, with the server's separator; `\Sent`: the one marked as sent mail.",
    )
    direction: Literal["in", "out"] = Field(
        default="in",
        description="in, or out for a folder of sent mail, which goes to its recipients' timelines.",
    )
    after: After = Field(
        default=After.KEEP, description="What is done with a mail taken in: keep, seen, move or delete."
    )
    move_to: str = Field(default="", description="The folder that `move` moves to.")

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if (self.after is After.MOVE) != bool(self.move_to):
            raise ValueError("move_to names the folder that after = “move” moves to: set both, or neither")
        if self.move_to == self.name:
            raise ValueError("move_to is the folder itself: choose another")
        return self


class ImapAccount(BaseModel):
    """A mailbox that is read by IMAP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="The account's name here; do not change it later: what was read is noted under it.",
    )
    enabled: bool = Field(default=True, description="Read this mailbox.")
    host: str = Field(min_length=1, pattern=r"^[^\s\x00-\x1f\x7f]+$", description="The IMAP server.")
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Its port; 0 for the usual one: 993 with implicit TLS, else 143.",
    )
    encryption: Encryption = Field(
        default=Encryption.IMPLICIT,
        description="implicit (TLS at once), required (STARTTLS), opportunistic (STARTTLS if offered) or never.",
    )
    verify: bool = Field(default=True, description="Check the server's certificate.")
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust instead of the system's, a PEM file."
    )
    username: str = Field(min_length=1, description="The login.")
    password: SecretStr = Field(default=SecretStr(""), description="The login's password.")
    password_file: Path | None = Field(
        default=None, description="A file that holds the password, read at each login."
    )
    plain_login: bool = Field(default=False, description="Allow to log in over a connection without TLS.")
    oauth: OAuthSettings | None = Field(default=None, description="OAuth 2.0 instead of a password.")
    mailbox: str = Field(
        default="",
        description="A shared mailbox's address, when the login is another person's (Microsoft 365), or the user "
        "whose mailbox it is, when the login is a master user (Dovecot, Cyrus).",
    )
    address: str = Field(
        default="",
        description="The address that mail of this mailbox is for; empty when the mailbox or the login is it.",
    )
    folders: tuple[FolderSettings, ...] = Field(
        default=(FolderSettings(),),
        min_length=1,
        description="The folders that are read; INBOX when not set.",
    )
    since: Literal["all", "now"] | date = Field(
        default="all",
        description="What a folder seen for the first time gives: all, now (only what arrives from now on), or a day.",
    )
    size_limit: int = Field(
        default=52_428_800,
        ge=1024,
        le=2_000_000_000,
        description="Bytes of the largest mail; of a larger one, the beginning is kept among the unreadable messages.",
    )
    batch_bytes: int = Field(default=8_388_608, ge=1024, description="The most bytes fetched at a time.")
    batch_mails: int = Field(default=100, ge=1, le=500, description="The most mails fetched at a time.")
    idle: bool = Field(default=True, description="Let the server tell of new mail (IDLE) where it can.")
    idle_seconds: float = Field(
        default=540, gt=0, le=_LONGEST_IDLE, description="Seconds after which IDLE is renewed."
    )
    poll_seconds: _Seconds = Field(
        default=60, description="Seconds between two looks, where there is no IDLE."
    )
    connect_seconds: _Seconds = Field(default=20, description="Seconds to wait for a connection.")
    read_seconds: _Seconds = Field(
        default=60, description="Seconds that the server may be silent in the middle of an answer."
    )
    retry_seconds: _Seconds = Field(
        default=2, description="Seconds before the first new attempt; each further one waits twice as long."
    )
    retry_longest: _Seconds = Field(default=300, description="The most seconds between two attempts.")
    login_retry_seconds: _Seconds = Field(
        default=300,
        description="Seconds before another attempt after a refused login, so as not to be locked out.",
    )

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        given = [
            bool(self.password.get_secret_value()),
            self.password_file is not None,
            self.oauth is not None,
        ]
        if sum(given) != 1:
            raise ValueError("the login needs one of password, password_file and oauth")
        if self.encryption is Encryption.NEVER and not self.plain_login:
            raise ValueError(
                "encryption is `never`, so the login would travel in the clear: choose `implicit` or `required`, "
                "or set plain_login if the way to the server is private"
            )
        names = [folder.name for folder in self.folders]
        if len(set(names)) != len(names):
            raise ValueError("folders: a folder is named twice; name each once")
        return self

    @property
    def door(self) -> str:
        """The name of the door by which this account's mail arrives."""
        return f"imap:{self.name}"

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (993 if self.encryption is Encryption.IMPLICIT else 143)

    @property
    def recipient(self) -> str:
        """The address that this mailbox's mail is for; empty when nothing tells."""
        candidates = (self.address, self.mailbox, self.username)
        return next((candidate for candidate in candidates if "@" in candidate), "")

    def read_password(self) -> str:
        """The password as it is now. Raises ConfigurationError when its file cannot be read."""
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"password_file: {self.password_file} cannot be read: {error}"
            ) from error
