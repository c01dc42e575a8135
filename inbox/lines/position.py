"""Where in a line's definition a caller is, as it is kept between two requests of the provider."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.calls import CallState


class Mode(StrEnum):
    """What the caller was given last."""

    BEGIN = "begin"
    LANGUAGE = "language"  #: asked which language
    MENU = "menu"
    RING = "ring"
    HOLD = "hold"
    VOICEMAIL = "voicemail"
    OVER = "over"  #: told goodbye


STATES = {
    Mode.BEGIN: CallState.MENU,
    Mode.LANGUAGE: CallState.MENU,
    Mode.MENU: CallState.MENU,
    Mode.RING: CallState.RINGING,
    Mode.HOLD: CallState.WAITING,
    Mode.VOICEMAIL: CallState.VOICEMAIL,
    Mode.OVER: CallState.ENDED,
}


class Position(BaseModel):
    """Kept as JSON with the call."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Mode = Mode.BEGIN
    at: tuple[str | int, ...] = ()  #: the step, e.g. ("menus", "main", "keys", "1", 0)
    menu: str = ""
    tries: int = 0  #: answers to the present question that were none
    language: str = ""
    queue: str = ""  #: the one that was chosen by a step
    tried: tuple[int, ...] = ()  #: people rung in this round
    ringing: tuple[int, ...] = ()  #: people rung now
    since: datetime | None = None  #: when the present ring step began
    rounds: int = 0  #: of the hold
    rang: bool = False  #: somebody's phone rang
    moves: int = 0  #: questions asked, of all menus
    announced: bool = False  #: that talks are recorded
    silent: bool = False  #: nothing was said after the tone

    @property
    def state(self) -> CallState:
        """The call's state, unless two people talk."""
        return STATES[self.mode]
