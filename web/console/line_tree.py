"""A phone line in words: what a caller hears at which hours, who rings, and where it ends, as a tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import get_day_names

from inbox.lines.menus import Hold, Line, Ring, Step, Voicemail, Words
from web.i18n import _, current_language, ngettext
from web.queries.lines import LineStaff

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Node:
    """One step as it is read; `key` is what the caller presses to get there."""

    icon: str
    title: str
    key: str = ""
    quotes: tuple[tuple[str, str], ...] = ()  #: language and what is said
    notes: tuple[str, ...] = ()
    tone: str = ""
    children: tuple[Node, ...] = ()


def describe_line(line: Line, staff: LineStaff) -> tuple[Node, ...]:
    """The tree of a line."""
    return tuple(_Reader(line, staff).read())


def write_hours(hours: Mapping[str, Sequence[Sequence[str]]], zone: str) -> str:
    """Working hours with neighbouring days of the same hours joined: "Monday to Friday 09:00–12:30, 14:00–18:00"."""
    names = get_day_names("wide", locale=current_language())
    groups: list[tuple[int, int, str]] = []
    for place, day in enumerate(_DAYS):
        shifts = ", ".join("–".join(shift) for shift in hours.get(day, ()))
        if groups and groups[-1][2] == shifts and groups[-1][1] == place - 1:
            groups[-1] = (groups[-1][0], place, shifts)
        elif shifts:
            groups.append((place, place, shifts))
    words = [
        f"{names[first]} {shifts}"
        if first == last
        else _("%(first)s to %(last)s %(hours)s")
        % {"first": names[first], "last": names[last], "hours": shifts}
        for first, last, shifts in groups
    ]
    return f"{'; '.join(words)} ({zone})" if words else _("never")


def write_language(code: str) -> str:
    """A language in the reader's: "français" for fr, "French (Canada)" for fr-CA."""
    try:
        name = Locale.parse(code, sep="-").get_display_name(current_language())
    except (UnknownLocaleError, ValueError):
        return code
    return name or code


def _length(seconds: int) -> str:
    if seconds % 60 == 0:
        minutes = seconds // 60
        return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
    return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds}


class _Reader:
    """Reads one line; a menu is told once, and named where it is gone to again."""

    def __init__(self, line: Line, staff: LineStaff) -> None:
        self._line = line
        self._staff = staff
        self._told: set[str] = set()

    def read(self) -> Iterator[Node]:
        line = self._line
        if line.blocked or line.anonymous == "reject":
            notes = [
                ngettext("%(n)s number is not let in", "%(n)s numbers are not let in", len(line.blocked))
                % {"n": len(line.blocked)}
            ] * bool(line.blocked)
            if line.anonymous == "reject":
                notes.append(_("callers without a number are not let in"))
            yield Node("ban", _("At the door"), notes=tuple(notes))
        if len(line.languages) > 1 and line.ask_language:
            spoken = ", ".join(f"{key}: {write_language(one)}" for key, one in enumerate(line.languages, 1))
            yield Node("conversations", _("Callers we do not know choose a language"), notes=(spoken,))
        if line.greeting:
            yield Node("phone", _("Everybody hears"), quotes=self._quotes(line.greeting))
        staff = self._staff
        if line.hours == "always" or not staff.team:
            why = (
                () if line.hours == "always" else (_("the queue has no team whose working time would count"),)
            )
            yield Node("clock", _("At any time"), notes=why, children=self._steps(line.open, line.queue))
            return
        title, hours = (
            _("While %(team)s works") % {"team": staff.team},
            write_hours(staff.hours, staff.timezone),
        )
        yield Node("clock", title, notes=(hours,), tone="good", children=self._steps(line.open, line.queue))
        closed = self._steps(line.closed, line.queue)
        if not line.closed:
            closed = (Node("phone", _("Says that we are closed")), *closed)
        yield Node("clock", _("Outside of it, and on public holidays"), tone="sun", children=closed)

    def _quotes(self, words: Words) -> tuple[tuple[str, str], ...]:
        """In the order in which the line names its languages."""
        order = {language: place for place, language in enumerate(self._line.languages)}
        return tuple(sorted(words.items(), key=lambda one: order.get(one[0], len(order))))

    def _steps(self, steps: Sequence[Step], queue: str) -> tuple[Node, ...]:
        nodes = []
        for step in steps:
            if step.ring and step.ring.queue:
                queue = step.ring.queue
            nodes.append(self._step(step, queue))
        if not steps or steps[-1].kind == "ring":
            nodes.append(self._voicemail(Voicemail(), queue))
        elif not steps[-1].is_last:
            nodes.append(Node("hang_up", _("Says good-bye and hangs up")))
        return tuple(nodes)

    def _step(self, step: Step, queue: str) -> Node:
        if step.say:
            return Node("phone", _("Says"), quotes=self._quotes(step.say))
        if step.play:
            return Node("phone", _("Plays a sound file"), notes=(step.play,))
        if step.pause:
            return Node("pause", _("Is silent for %(length)s") % {"length": _length(step.pause)})
        if step.menu:
            return self._menu(step.menu, queue)
        if step.ring:
            return self._ring(step.ring, queue)
        if step.voicemail:
            return self._voicemail(step.voicemail, queue)
        return Node("hang_up", _("Hangs up"))

    def _menu(self, name: str, queue: str) -> Node:
        menu = self._line.menus[name]
        title = _("Asks (menu “%(name)s”)") % {"name": name}
        if name in self._told:
            return Node("rules", _("Goes to the menu “%(name)s” again") % {"name": name})
        self._told.add(name)
        choices = []
        for key, steps in menu.keys.items():
            spoken = [word for words in menu.words.get(key, {}).values() for word in words]
            notes = (_("or says: %(words)s") % {"words": ", ".join(spoken)},) if spoken else ()
            choices.append(
                Node(
                    "click",
                    _("Presses %(key)s") % {"key": key},
                    key,
                    notes=notes,
                    children=self._steps(steps, queue),
                )
            )
        again = ngettext(
            "Presses nothing: after the question came %(n)s more time",
            "Presses nothing: after the question came %(n)s more times",
            menu.again,
        ) % {"n": menu.again}
        choices.append(Node("clock", again, children=self._steps(menu.otherwise, queue)))
        return Node("question", title, quotes=self._quotes(menu.say), children=tuple(choices))

    def _ring(self, ring: Ring, queue: str) -> Node:
        people = (
            [self._staff.people[mail.lower()] for mail in ring.people if mail.lower() in self._staff.people]
            if ring.people
            else list(self._staff.queues.get(queue, ()))
        )
        ready = [one.name for one in people if one.rings]
        silent = [one.name for one in people if not one.rings]
        notes = []
        if ring.owner:
            notes.append(_("first whoever looks after the contact"))
        if ready:
            names = ", ".join(ready)
            notes.append(
                _("then all at once: %(names)s") % {"names": names}
                if ring.together
                else _("then one after the other: %(names)s") % {"names": names}
            )
        if silent:
            notes.append(
                _("not rung, because they have no phone or take no calls: %(names)s")
                % {"names": ", ".join(silent)}
            )
        notes.append(_("each for %(length)s") % {"length": _length(ring.seconds)})
        title = (
            _("Rings certain people")
            if ring.people
            else _("Rings the people of %(queue)s") % {"queue": queue}
        )
        nobody = () if ready else (Node("alert", _("Nobody of them can be rung now."), tone="bad"),)
        children = (*nobody, *self._hold(ring.hold)) if ring.hold else nobody
        return Node("call_in", title, notes=tuple(notes), tone="info", children=children)

    def _hold(self, hold: Hold) -> tuple[Node, ...]:
        notes = [_("for %(length)s at most, then the next step") % {"length": _length(hold.longest)}]
        if hold.position:
            notes.append(_("hears which place they have"))
        notes.append(_("%(key)s leaves a message instead") % {"key": hold.leave_key})
        return (
            Node(
                "pause",
                _("Nobody takes it: waits with music, and all are rung again in rounds"),
                quotes=self._quotes(hold.say) if hold.say else (),
                notes=tuple(notes),
            ),
        )

    def _voicemail(self, voicemail: Voicemail, queue: str) -> Node:
        notes = [
            _("comes to the queue %(queue)s") % {"queue": voicemail.queue or queue},
        ]
        if voicemail.longest is not None:
            notes.append(_("%(length)s at most") % {"length": _length(voicemail.longest)})
        if voicemail.transcript:
            notes.append(_("written down by the provider"))
        return Node(
            "voicemail",
            _("Takes a message"),
            quotes=self._quotes(voicemail.say) if voicemail.say else (),
            notes=tuple(notes),
            tone="sun",
        )
