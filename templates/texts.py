"""A short message as a marketer writes it, with jinja2 in it, and its plan: the text for one recipient after the other.

It is compiled as the text part of a mail, so that the same names, the same sandbox and the same trial in a process that
can be killed (templates/preview.py) hold for it. Its links are plain: a measured one would be longer than the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import InvalidInput
from templates.plan import Plan
from templates.source import Body, MailTemplate, PlainLine
from templates.stop_hints import hint_template

#: Stands where a mail would have its author: nothing is sent from it.
_NOBODY: Final = "texts@texts.invalid"


class SmsTemplate(BaseModel):
    """What is sent to everybody, before it is made personal.

    `text` is jinja2 (see templates/variables.py). `sender`: a number of ours, short code, name or messaging service
    (MG…). `lookalikes`: put signs of the small alphabet in the place of those that look the same. `stop_hint`: end
    with the words that tell how to stop, in the reader's language; `stop_number`: where STOP is sent, for senders that
    nobody can answer (a name). `language`: that of the text, and of readers who told none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Body = Field(min_length=1, max_length=10_000)
    sender: PlainLine = Field(min_length=1, max_length=34)
    lookalikes: bool = False
    stop_hint: bool = False
    stop_number: Annotated[str, Field(pattern=r"^(\+?[0-9]{3,15})?$")] = ""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"
    validity: int | None = Field(default=None, ge=1, le=36_000)

    @property
    def whole_text(self) -> str:
        """The text with the words that tell how to stop, as jinja2."""
        if not self.stop_hint:
            return self.text
        return f"{self.text.rstrip()}\n{hint_template(self.language, self.stop_number)}"

    def as_mail(self) -> MailTemplate:
        """The mail whose text part it is."""
        return MailTemplate(
            subject="SMS", from_name=self.sender, from_address=_NOBODY, html="<p></p>", text=self.whole_text
        )


def read_text_source(source: object) -> SmsTemplate:
    """A campaign's template as it was stored. Raises InvalidInput naming the first part that is not right."""
    try:
        return SmsTemplate.model_validate(source)
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(str(step) for step in first["loc"]) or "source"
        raise InvalidInput(part, first["msg"].removeprefix("Value error, ") + ".") from error


class TextPlan:
    """The text of a compiled plan, without headers and HTML."""

    def __init__(self, plan: Plan) -> None:
        self._write = plan.text_writer()

    def write(self, contact: Mapping[str, Any], unsubscribe_token: str) -> str:
        """The text for one recipient. Raises MissingField or InvalidInput for what the launch would have told."""
        return self._write(contact, unsubscribe_token).strip("\n")
