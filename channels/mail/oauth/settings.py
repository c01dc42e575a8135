"""Settings of an OAuth 2.0 login: the provider, the registered application, and what it may do.

Sources: Microsoft, “Authenticate an IMAP, POP or SMTP connection using OAuth”; Google, “OAuth 2.0 mechanism”.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Provider(StrEnum):
    """Whose addresses are known here."""

    MICROSOFT = "microsoft"
    GOOGLE = "google"
    OTHER = "other"


class Flow(StrEnum):
    """Who allows the access."""

    PERSON = "person"  #: somebody logs in once (`clytie mail login`); the refresh token is kept
    APPLICATION = "application"  #: the application itself, allowed by an administrator (client credentials)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider gives tokens and asks for consent; empty for what it does not offer."""

    token_url: str
    device_url: str
    consent_url: str
    scope: str


_MICROSOFT: Final = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
_MICROSOFT_SCOPE: Final = (
    "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
)
#: Google's device flow offers no scope for mail, so its people log in by the consent page.
_PRESETS: Final = {
    Provider.MICROSOFT: Endpoints(
        f"{_MICROSOFT}/token", f"{_MICROSOFT}/devicecode", f"{_MICROSOFT}/authorize", _MICROSOFT_SCOPE
    ),
    Provider.GOOGLE: Endpoints(
        "https://oauth2.googleapis.com/token",
        "",
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://mail.google.com/",
    ),
    Provider.OTHER: Endpoints("", "", "", ""),
}
_APPLICATION_SCOPES: Final = {Provider.MICROSOFT: "https://outlook.office365.com/.default"}


class OAuthSettings(BaseModel):
    """An OAuth 2.0 login instead of a password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Provider = Field(
        default=Provider.OTHER, description="microsoft or google, whose addresses are known; or other."
    )
    tenant: str = Field(
        default="common",
        pattern=r"^[A-Za-z0-9.\-]+$",
        description="The organisation's directory at Microsoft: its id or its domain.",
    )
    flow: Flow = Field(
        default=Flow.PERSON,
        description="person (somebody logs in once with `clytie mail login`) or application (client credentials).",
    )
    client_id: str = Field(min_length=1, description="The registered application's id.")
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="The registered application's secret; empty for a public client."
    )
    scope: str = Field(default="", description="What is asked for; empty for the provider's usual.")
    token_url: str = Field(default="", description="Where tokens come from; empty for the provider's usual.")
    device_url: str = Field(
        default="", description="Where a login by device code starts; empty for the provider's usual."
    )
    consent_url: str = Field(
        default="", description="The page on which people consent; empty for the provider's usual."
    )
    redirect_url: str = Field(
        default="http://localhost",
        description="Where the consent page leads back to, as it was registered; the code is read from its address.",
    )

    @model_validator(mode="after")
    def _check_flow(self) -> Self:
        if not self.endpoints.token_url:
            raise ValueError("token_url is missing: set it, or choose the provider microsoft or google")
        if self.flow is Flow.APPLICATION:
            if not self.client_secret.get_secret_value():
                raise ValueError("client_secret is missing: the flow `application` needs it")
            if self.provider is Provider.MICROSOFT and self.tenant == "common":
                raise ValueError(
                    "tenant is missing: the flow `application` needs the organisation's id or domain"
                )
        return self

    @property
    def endpoints(self) -> Endpoints:
        """The addresses and the scope in use: the settings' own, else the provider's."""
        usual = _PRESETS[self.provider]
        scope = usual.scope
        if self.flow is Flow.APPLICATION:
            scope = _APPLICATION_SCOPES.get(self.provider, "")
        return Endpoints(
            (self.token_url or usual.token_url).format(tenant=self.tenant),
            (self.device_url or usual.device_url).format(tenant=self.tenant),
            (self.consent_url or usual.consent_url).format(tenant=self.tenant),
            self.scope or scope,
        )


def grant_name(oauth: OAuthSettings, username: str) -> str:
    """Under which name the tokens of this login are kept: one login serves IMAP and SMTP alike."""
    if oauth.flow is Flow.APPLICATION:
        return f"{oauth.endpoints.token_url} application {oauth.client_id} {oauth.endpoints.scope}"
    return f"{oauth.endpoints.token_url} {username.casefold()}"
