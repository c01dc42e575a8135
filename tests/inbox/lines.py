"""Lines for tests, and the pieces that a step is taken with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from domain.calls import Document, Gather, Play, Say
from inbox.lines.files import read_lines
from inbox.lines.menus import Line
from inbox.lines.ringing import Reach, Rep
from inbox.lines.scene import Links, Next, Scene

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
OURS, ANA = "+33199000001", "+33639980001"
LINKS = Links(
    step="/step",
    left="/left",
    voicemail="/voicemail",
    transcript="/transcript",
    talk="/talk",
    music="/music",
    whisper=lambda user: f"/whisper/{user}",
    rang=lambda user: f"/rang/{user}",
)

MENU_LINE = """
number: "+33199000001"
name: Main line
queue: Support
languages: [fr, en]
greeting: {fr: Bienvenue, en: Welcome}
open: {menu: main}
closed:
  - say: {fr: Fermé, en: Closed}
  - voicemail
menus:
  main:
    say: {fr: Ventes 1 ou assistance 2, en: Sales 1 or support 2}
    keys:
      "1": {ring: {queue: Sales}}
      "2": [{ring: {owner: false, together: true, hold: {longest: 60, leave_key: "9"}}}, {voicemail: {longest: 30}}]
      "3": [{say: {fr: Neuf heures, en: Nine}}, {menu: main}]
    words:
      "1": {fr: [ventes, commercial], en: sales}
    otherwise: ring
"""

RING_LINE = """
number: "+33199000001"
name: Main line
queue: Support
open: ring
"""


def line_of(text: str, **changes: Any) -> Line:
    """The line of a text, with some fields changed."""
    return read_lines(text)[0].line.model_copy(update=changes)


def scene_of(**changes: Any) -> Scene:
    """An ordinary moment: open, a caller with a number, nobody to be rung."""
    values: dict[str, Any] = {"now": NOW, "is_open": True, "links": LINKS, "caller": ANA, "language": "en"}
    return Scene(**values | changes)


def team(*users: int, busy: tuple[int, ...] = ()) -> tuple[Rep, ...]:
    """People with phones."""
    return tuple(Rep(user, f"+3363997{user:04}", user not in busy) for user in users)


def reach_of(*users: int, queue: str = "Support", busy: tuple[int, ...] = (), **changes: Any) -> Reach:
    """Who can be rung: the people of one queue, and whatever else is given."""
    return Reach(**{"queues": {queue: team(*users, busy=busy)}} | changes)


def texts(document: Document) -> list[str]:
    """What is said and played, prompts among it."""
    heard: list[str] = []
    for verb in document:
        for one in verb.prompt if isinstance(verb, Gather) else (verb,):
            if isinstance(one, Say):
                heard.append(one.text)
            elif isinstance(one, Play):
                heard.append(one.url)
    return heard


def verbs(step: Next) -> list[str]:
    """The names of a document's verbs."""
    return [type(verb).__name__ for verb in step.document]
