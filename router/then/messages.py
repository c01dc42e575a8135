"""The actions `send` and `auto_answer`: messages that a rule writes, by mail or SMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.events import EventType
from router.then.base import LONGEST_TITLE, Mention, Order, Template, Written

LONGEST_MAIL: Final = 20_000
LONGEST_SMS: Final = 1_000
#: what outgoing messages to the contact may lead to by themselves
_FOLLOWS: Final = frozenset(
    {
        EventType.SENT,
        EventType.DELIVERED,
        EventType.DEFERRED,
        EventType.BOUNCED,
        EventType.REJECTED,
        EventType.FAILED,
    }
)


class Send(Order):
    """Send a mail or an SMS. It goes out like every message of the house, once, and never to an address on the
    do-not-contact list.

    To the contact it needs a `purpose`: `service` for what they need to know because of what they asked or bought;
    any other is a consent that must stand when it is sent, and that no pause of marketing holds back. What may not be sent is
    not; the run log says why. Mail for a consent carries a link to unsubscribe. The text may show fields.
    """

    to: str = Field(
        "contact",
        max_length=320,
        description="`contact`, `owner` (the user who looks after the contact), or an address or number",
    )
    channel: Literal["mail", "sms"] = Field("mail", description="mail or sms")
    purpose: Literal["service", "newsletter", "texts"] | None = Field(
        None, description="needed for the contact: `service`, or the consent `newsletter` or `texts`"
    )
    template: str | None = Field(
        None, max_length=200, description="a message template by name, in place of subject and text"
    )
    subject: str | None = Field(
        None, max_length=LONGEST_TITLE, description="the subject of a mail, with fields"
    )
    text: str | None = Field(None, max_length=LONGEST_MAIL, description="the text, with fields")
    queue: str | None = Field(
        None,
        max_length=200,
        description="the queue that it comes from: its address and signature. Left out: the conversation's",
    )
    sender: str | None = Field(
        None,
        max_length=40,
        description="for SMS: our number that it comes from. Left out: the conversation's",
    )

    @model_validator(mode="after")
    def _complete(self) -> Send:
        if (self.template is None) == (self.text is None):
            raise ValueError("write either text, or template")
        if self.template is None and self.channel == "mail" and not self.subject:
            raise ValueError("subject: a mail needs one")
        if self.channel == "sms" and self.subject:
            raise ValueError("subject: an SMS has none; write it into the text")
        if self.channel == "sms" and self.text is not None and len(self.text) > LONGEST_SMS:
            raise ValueError(f"text: {LONGEST_SMS} characters at most for an SMS")
        if self.purpose == ("texts" if self.channel == "mail" else "newsletter"):
            raise ValueError("purpose: newsletter is about mail, and texts about SMS")
        if self.to == "contact" and self.purpose is None:
            raise ValueError("purpose: write service, or the consent that allows it: newsletter, texts")
        if self.to not in ("contact", "owner"):
            if self.purpose is not None:
                raise ValueError("purpose: it is about the contact's consent; leave it out")
            if ("@" in self.to) != (self.channel == "mail") or "{" in self.to:
                raise ValueError("to: write contact, owner, an address for mail, or a number for SMS")
        return self

    def templates(self) -> Mapping[str, Template]:
        """Subject and text."""
        longest = LONGEST_MAIL if self.channel == "mail" else LONGEST_SMS
        return {
            "subject": Template(self.subject or "", LONGEST_TITLE, one_line=True),
            "text": Template(self.text or "", longest),
        }

    def mentions(self) -> Iterator[Mention]:
        """Queue and template."""
        if self.queue is not None:
            yield Mention("queue", self.queue, ("queue",))
        if self.template is not None:
            yield Mention("message_template", self.template, ("template",))

    def causes(self) -> frozenset[EventType]:
        """What becomes of a message to the contact is told by events about them."""
        return _FOLLOWS if self.to == "contact" else frozenset()


class SendAction(Written):
    """The action `send`."""

    send: Send


class AutoAnswer(Order):
    """Answer the event's mail or SMS by machine, under the rules of RFC 3834: never another machine, a list or a forged sender,
    seldom the same person, with an envelope that nobody's machine answers. What speaks against it stands in the run
    log. The text may show fields; the queue's signature follows it.
    """

    text: str | None = Field(None, max_length=LONGEST_MAIL, description="the answer, with fields")
    template: str | None = Field(
        None, max_length=200, description="a message template by name, in place of text"
    )

    @model_validator(mode="after")
    def _one(self) -> AutoAnswer:
        if (self.template is None) == (self.text is None):
            raise ValueError("write either text, or template")
        return self

    def templates(self) -> Mapping[str, Template]:
        """The answer."""
        return {"text": Template(self.text or "", LONGEST_MAIL)}

    def mentions(self) -> Iterator[Mention]:
        """The template."""
        if self.template is not None:
            yield Mention("message_template", self.template, ("template",))

    def causes(self) -> frozenset[EventType]:
        """What becomes of the answer is told by events."""
        return _FOLLOWS


def _text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class AutoAnswerAction(Written):
    """The action `auto_answer`; a plain text will do."""

    auto_answer: Annotated[AutoAnswer, BeforeValidator(_text)]
