"""Settings of the search for junk and viruses."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

_Place = Annotated[str, StringConstraints(pattern=r"^(unix:/.+|[^/:\s]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5})$")]
_Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]


class JunkSettings(BaseModel):
    """Who says what is junk. Junk is kept and can be read; it makes no task and is never answered by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    headers: bool = Field(
        default=True, description="believe headers like X-Spam-Flag that the servers before ours wrote"
    )
    rspamd: _Url | None = Field(
        default=None, description="ask an rspamd, e.g. http://127.0.0.1:11333; unset: nobody is asked"
    )
    rspamd_password: SecretStr = Field(default=SecretStr(""), description="its password; empty for none")
    clamav: _Place | None = Field(
        default=None,
        description="have clamd look for viruses, e.g. 127.0.0.1:3310 or unix:/run/clamav/clamd.ctl",
    )
    timeout: float = Field(default=20.0, gt=0, le=300, description="seconds that one scanner may take")
