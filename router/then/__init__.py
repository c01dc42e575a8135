"""What a rule may do, as it is written under `then`: a model per action, by the key it is written with.

A new action is a model in this folder, a line in ACTIONS and in Action, and an executor in router/actions/.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, Discriminator, Tag

from router.then.base import Order
from router.then.cases import CloseCaseAction, MoveCaseAction, OpenCaseAction
from router.then.changes import SetAction, TagAction, UntagAction
from router.then.messages import AutoAnswerAction, SendAction
from router.then.notes import NoteAction
from router.then.notices import NotifyAction
from router.then.pauses import PauseMarketingAction
from router.then.people import AssignAction, EscalateAction
from router.then.queues import RouteAction
from router.then.tasks import OpenTaskAction
from router.then.webhooks import WebhookAction

ACTIONS: Final[dict[str, type[BaseModel]]] = {
    "open_task": OpenTaskAction,
    "note": NoteAction,
    "route": RouteAction,
    "set": SetAction,
    "tag": TagAction,
    "untag": UntagAction,
    "assign": AssignAction,
    "escalate": EscalateAction,
    "send": SendAction,
    "auto_answer": AutoAnswerAction,
    "notify": NotifyAction,
    "pause_marketing": PauseMarketingAction,
    "open_case": OpenCaseAction,
    "move_case": MoveCaseAction,
    "close_case": CloseCaseAction,
    "webhook": WebhookAction,
}


def _action(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else type(value).model_fields
    return next((key for key in keys if key in ACTIONS), None)


Action = Annotated[
    Annotated[OpenTaskAction, Tag("open_task")]
    | Annotated[NoteAction, Tag("note")]
    | Annotated[RouteAction, Tag("route")]
    | Annotated[SetAction, Tag("set")]
    | Annotated[TagAction, Tag("tag")]
    | Annotated[UntagAction, Tag("untag")]
    | Annotated[AssignAction, Tag("assign")]
    | Annotated[EscalateAction, Tag("escalate")]
    | Annotated[SendAction, Tag("send")]
    | Annotated[AutoAnswerAction, Tag("auto_answer")]
    | Annotated[NotifyAction, Tag("notify")]
    | Annotated[PauseMarketingAction, Tag("pause_marketing")]
    | Annotated[OpenCaseAction, Tag("open_case")]
    | Annotated[MoveCaseAction, Tag("move_case")]
    | Annotated[CloseCaseAction, Tag("close_case")]
    | Annotated[WebhookAction, Tag("webhook")],
    Discriminator(
        _action,
        custom_error_type="action",
        custom_error_message=f"an action has one of the keys {', '.join(ACTIONS)}",
    ),
]


def key_of(action: BaseModel) -> str:
    """The key that an action is written with."""
    return next(iter(type(action).model_fields))


def order_of(action: BaseModel) -> Order:
    """What stands behind the key of an action."""
    order: Order = getattr(action, key_of(action))
    return order
