"""The actions `send` and `auto_answer`: the message is written here, with its fields; router/errands/ sends it after that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.actions.errands import about, put_down
from router.actions.work import Planned, Shown, Work
from router.decide import Decision
from router.message_templates import choose, load_templates
from router.then.messages import AutoAnswerAction, Send, SendAction


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said, to whom: `order` for `send`, None for an automatic answer."""

    order: Send | None
    subject: str
    text: str
    template: str | None


def plan(decision: Decision, number: int, work: Work) -> Message:
    """The message with its fields filled in; that of a template is filled when it is written."""
    compiled = decision.rule.actions[number]
    facts = decision.sighting.facts(work.now)
    text = compiled.texts["text"](facts)
    match compiled.action:
        case SendAction(send=order):
            return Message(order, compiled.texts["subject"](facts), text, order.template)
        case AutoAnswerAction(auto_answer=order):
            return Message(None, "", text, order.template)
    raise TypeError(compiled.action)  # EXECUTORS gives this file nothing else


def show(plan: Message, work: Work) -> Shown:
    """To whom, and the first words."""
    words = f"“{plan.template}”" if plan.template is not None else plan.subject or plan.text[:120]
    if plan.order is None:
        return Shown("auto_answer", words)
    return Shown("send", f"{plan.order.channel} → {plan.order.to}: {words}")


async def execute(work: Work, planned: Sequence[Planned]) -> None:
    """Put them down; each is sent after the commit, once."""
    names = list({item.plan.template for item in planned if item.plan.template is not None})
    templates = await load_templates(work.connection, names)
    for item in planned:
        message: Message = item.plan
        subject, text, channel = message.subject, message.text, message.order and message.order.channel
        if message.template is not None:
            known = templates.get(message.template, ())
            fitting = [one for one in known if channel is None or one.channel == channel]
            if not fitting:
                work.fail(item, f"There is no message template {message.template!r} for {channel or 'this'}.")
                continue
            sighting = item.decision.sighting
            subject, text = choose(fitting, sighting.contact.get("language")).fill(sighting.facts(work.now))
        payload = {**about(item), "subject": subject, "text": text}
        if message.order is not None:
            payload |= {
                "to": message.order.to,
                "channel": message.order.channel,
                "purpose": message.order.purpose,
                "queue": message.order.queue,
                "sender": message.order.sender,
                "owner_id": item.decision.sighting.contact.get("owner_id"),
            }
        put_down(work, item, payload)
