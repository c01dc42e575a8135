"""What people hear on a line, as data: steps, menus, who is rung, the hold, the voicemail.

A line is written in YAML (inbox/lines/files.py); docs/phone-lines.md is generated from these models. A step is a
mapping with one key. Words are one text, or a text per language.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from channels.sms.numbers import is_e164
from channels.voice.twiml import is_address


def _words(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


def _texts(value: Any) -> Any:
    """Numbers are often written without quotes: `+33…` is a whole number in YAML then, and its plus is lost."""
    return f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else value


def _by_key(value: Any) -> Any:
    return {str(key): one for key, one in value.items()} if isinstance(value, dict) else value


def _step(value: Any) -> Any:
    return {value: {}} if isinstance(value, str) and value in ("ring", "voicemail", "hangup") else value


def _one_step(value: Any) -> Any:
    return [value] if isinstance(value, dict | str) else value


def _number(value: str) -> str:
    if not is_e164(value):
        raise ValueError(f"{value!r} is no number; write it with the country's code, such as +33199000001")
    return value


def _sound(value: str) -> str:
    if not is_address(value):
        raise PydanticCustomError("string_pattern_mismatch", "this is no address")
    return value


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Words = Annotated[dict[str, _Text], Field(min_length=1), BeforeValidator(_words)]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]
Number = Annotated[str, BeforeValidator(_texts), AfterValidator(_number)]
Blocked = Annotated[
    str, BeforeValidator(_texts), StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}\*?$", max_length=17)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Sound = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=1000), AfterValidator(_sound)]
Spoken = Annotated[
    tuple[Name, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hold(_Part):
    """The caller waits, hears music and their place, and everybody who is free by then is rung in rounds."""

    say: Words | None = Field(None, description="Said in each round instead of the house's own sentence.")
    music: Sound | None = Field(
        None, description="Sound file of each round, best of 15 to 40 seconds; else the house's own tune."
    )
    position: bool = Field(True, description="Tell the caller which place they have.")
    longest: int = Field(300, ge=10, le=7200, description="Seconds after which the steps behind go on.")
    leave_key: Key = Field(
        "1", description="The key by which the caller leaves a message instead of waiting."
    )


class Ring(_Part):
    """Lets the phones of people ring: the contact's owner first, then the people of a queue's team.

    Rung are those who take calls, have a phone, are on no other call and whose team works now. When nobody takes the
    call the step behind is next, or voicemail when there is none.
    """

    owner: bool = Field(True, description="Ring whoever looks after the contact first.")
    queue: Name | None = Field(
        None, description="Whose team is rung, and where a message goes then; else the line's."
    )
    people: tuple[Name, ...] = Field(
        (),
        max_length=50,
        description="Mail addresses of people in the order in which they are rung, instead of the team.",
    )
    together: bool = Field(
        False,
        description="All at once, ten at most; else one after the other, whoever had no call for longest first.",
    )
    seconds: int = Field(20, ge=5, le=120, description="How long a phone rings.")
    whisper: bool = Field(
        True,
        description="Tell whoever answers who calls, and connect when they press a key: the voicemail of a mobile "
        "phone presses none.",
    )
    hold: Hold | None = Field(None, description="What happens when all of them are busy or do not answer.")


class Voicemail(_Part):
    """The caller leaves a message, which comes to a queue like a mail."""

    say: Words | None = Field(None, description="Said before the tone instead of the house's own sentence.")
    queue: Name | None = Field(
        None, description="Where the message goes; else the queue that was rung, or the line's."
    )
    longest: int | None = Field(
        None,
        ge=5,
        le=600,
        description="Seconds that a message may last; else the setting voice.voicemail_seconds.",
    )
    transcript: bool = Field(
        True, description="Have it written down, in the languages of voice.transcribed_languages."
    )


class Hangup(_Part):
    """Ends the call."""


class Step(_Part):
    """One thing that happens: a mapping with exactly one of these keys."""

    say: Words | None = Field(None, description="Speak a text.")
    play: Sound | None = Field(None, description="Play a sound file from this address.")
    pause: int | None = Field(None, ge=1, le=60, description="Seconds of silence.")
    menu: Name | None = Field(None, description="Go to the menu of this name.")
    ring: Ring | None = Field(None, description="Let phones ring.")
    voicemail: Voicemail | None = Field(None, description="Let the caller leave a message.")
    hangup: Hangup | None = Field(None, description="End the call.")

    @model_validator(mode="after")
    def _just_one(self) -> Step:
        if len(self.model_fields_set) != 1 or self.kind is None:
            raise ValueError(f"a step has exactly one of the keys {', '.join(type(self).model_fields)}")
        return self

    @property
    def kind(self) -> str | None:
        """The key that it has."""
        return next((name for name in type(self).model_fields if getattr(self, name) is not None), None)

    @property
    def is_last(self) -> bool:
        """Whether no step behind it is ever reached."""
        return self.kind in ("menu", "voicemail", "hangup")


Steps = Annotated[
    tuple[Annotated[Step, BeforeValidator(_step)], ...], Field(max_length=50), BeforeValidator(_one_step)
]


class Menu(_Part):
    """A question, and what each key leads to. An unknown key is said so, and the question comes again."""

    say: Words = Field(description="The question.")
    keys: Annotated[dict[Key, Steps], BeforeValidator(_by_key)] = Field(
        min_length=1, description="Key → the steps that it leads to."
    )
    words: Annotated[dict[Key, dict[str, Spoken]], BeforeValidator(_by_key)] = Field(
        default_factory=dict,
        description="Key → language → words by which one may say it instead of pressing it.",
    )
    seconds: int = Field(5, ge=1, le=30, description="Silence after which the question comes again.")
    again: int = Field(2, ge=0, le=5, description="How often the question is said again.")
    otherwise: Steps = Field((), description="The steps after that; voicemail when there are none.")


class Line(_Part):
    """A number of ours on which people call, and what they hear there."""

    number: Number = Field(description="The number, in the form +33199000001.")
    name: Name = Field(description="What it is called; also the subject of its conversations.")
    queue: Name = Field(description="Where messages and missed calls go, and whose team answers.")
    languages: tuple[Language, ...] = Field(
        ("en",),
        min_length=1,
        max_length=9,
        description="What is spoken, such as fr or fr-CA; the first is the default.",
    )
    ask_language: bool = Field(
        True, description="Let callers choose one, when neither their contact nor their last call tells it."
    )
    team: Name | None = Field(None, description="Whose working time counts; else that of the queue's team.")
    hours: Literal["team", "always"] = Field("team", description="When the line is open.")
    blocked: tuple[Blocked, ...] = Field(
        (),
        max_length=5000,
        description="Numbers whose calls are not taken; +33899* stands for all that begin so.",
    )
    anonymous: Literal["take", "reject"] = Field(
        "take", description="What is done with callers without a number."
    )
    record: bool = Field(False, description="Record what is talked with whoever answers.")
    announce: Words | None = Field(
        None, description="Said before a talk is recorded, instead of the house's own sentence."
    )
    greeting: Words | None = Field(None, description="Said first to everybody.")
    open: Steps = Field(min_length=1, description="The steps in working time.")
    closed: Steps = Field((), description="The steps outside of it; voicemail when there are none.")
    menus: dict[Name, Menu] = Field(default_factory=dict, description="The menus that steps go to, by name.")

    def menu_steps(self) -> Iterator[tuple[tuple[str | int, ...], tuple[Step, ...]]]:
        """Every list of steps with its place."""
        yield ("open",), self.open
        yield ("closed",), self.closed
        for name, menu in self.menus.items():
            for key, steps in menu.keys.items():
                yield ("menus", name, "keys", key), steps
            yield ("menus", name, "otherwise"), menu.otherwise

    def every_step(self) -> Iterator[Step]:
        """Every step, wherever it stands."""
        for _place, steps in self.menu_steps():
            yield from steps

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are named anywhere, the line's own first."""
        named = [self.queue]
        for step in self.every_step():
            for part in (step.ring, step.voicemail):
                if part is not None and part.queue:
                    named.append(part.queue)
        return tuple(dict.fromkeys(named))

    @property
    def people(self) -> tuple[str, ...]:
        """The mail addresses that are named anywhere."""
        named = [one for step in self.every_step() if step.ring for one in step.ring.people]
        return tuple(dict.fromkeys(named))


def words_in(words: Words, language: str) -> str:
    """The text in a language: of the tag itself, of its language without the country, for all, else the first one."""
    for tag in (language, language.partition("-")[0], ""):
        if tag in words:
            return words[tag]
    return next(iter(words.values()))


def is_blocked(line: Line, caller: str) -> bool:
    """Whether calls from this number are not taken."""
    return any(
        caller.startswith(one[:-1]) if one.endswith("*") else caller == one for one in line.blocked if caller
    )


def default_line(number: str, queue: str) -> Line:
    """For a number of ours that has no line: nobody is rung, nobody is lost."""
    return Line.model_validate(
        {"number": number, "name": number, "queue": queue, "hours": "always", "open": ["voicemail"]}
    )
