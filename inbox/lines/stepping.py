"""A caller's way through a line: what was heard, who can be rung → the next document. Pure; no clock, no database.

Each request of the provider takes one step. A step says what is to be said and ends with one verb that comes back:
a question, phones that ring, music, a recording; or it hangs up. Loops are bounded by `MOST_QUESTIONS` and by the
time that a hold may last.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from channels.sms.numbers import is_e164
from domain.calls import (
    Gather,
    Hangup,
    Pause,
    Play,
    Record,
    Redirect,
    Reject,
    Ring,
    Say,
    Target,
    Verb,
)
from inbox.calls.phrases import Phrase, accent, phrase, spoken_language
from inbox.lines.menus import Hold, Line, Step, Voicemail, Words, is_blocked, words_in
from inbox.lines.menus import Ring as Plan
from inbox.lines.position import Mode, Position
from inbox.lines.ringing import Rep, choose_next, is_anybody_there
from inbox.lines.scene import Heard, Next, Scene
from inbox.lines.speaking import find_spoken, list_hints, match_language

#: questions that one caller is asked; voicemail follows
MOST_QUESTIONS: Final = 40
_LANGUAGE_SECONDS: Final = 4
_LANGUAGE_TRIES: Final = 2


def begin(line: Line, scene: Scene) -> Next:
    """The first document of a call."""
    if is_blocked(line, scene.caller) or (not scene.caller and line.anonymous == "reject"):
        return Next((Reject(),), Position(mode=Mode.OVER))
    return _Way(line, Position(), scene).begin()


def take_step(line: Line, position: Position, heard: Heard, scene: Scene) -> Next:
    """The document after what was heard."""
    return _Way(line, position, scene).go_on(heard)


class _Way:
    def __init__(self, line: Line, position: Position, scene: Scene) -> None:
        self._line = line
        self._at = position
        self._scene = scene
        self._verbs: list[Verb] = []

    # --- what came back ------------------------------------------------------------------------------------

    def begin(self) -> Next:
        known = match_language(self._line, self._scene.language)
        if known or len(self._line.languages) == 1 or not self._line.ask_language:
            return self._greet(known or self._line.languages[0])
        return self._ask_language()

    def go_on(self, heard: Heard) -> Next:
        match self._at.mode:
            case Mode.LANGUAGE:
                return self._hear_language(heard)
            case Mode.MENU:
                return self._hear_choice(heard)
            case Mode.RING:
                return self._hear_ring(heard)
            case Mode.HOLD:
                return self._hear_hold(heard)
            case Mode.VOICEMAIL:
                return self._part(Phrase.THANK_YOU if heard.left else Phrase.GOODBYE)
            case _:
                return self._end()

    def _hear_language(self, heard: Heard) -> Next:
        if heard.keys.isdigit() and 1 <= int(heard.keys) <= len(self._line.languages):
            return self._greet(self._line.languages[int(heard.keys) - 1])
        if self._at.tries + 1 < _LANGUAGE_TRIES:
            return self._ask_language(self._at.tries + 1)
        return self._greet(self._line.languages[0])

    def _hear_choice(self, heard: Heard) -> Next:
        menu = self._line.menus[self._at.menu]
        key = heard.keys if heard.keys in menu.keys else find_spoken(menu, self._at.language, heard.speech)
        if key:
            return self._run(("menus", self._at.menu, "keys", key))
        tries = self._at.tries + 1
        if tries > menu.again:
            return self._run(("menus", self._at.menu, "otherwise"))
        if heard.keys or heard.speech:
            self._say_phrase(Phrase.INVALID_KEY)
        return self._ask(self._at.menu, tries)

    def _hear_ring(self, heard: Heard) -> Next:
        if heard.answered:
            return self._end()
        tried = (*self._at.tried, *self._at.ringing)
        self._at = self._at.model_copy(update={"tried": tried, "ringing": ()})
        return self._ring_next()

    def _hear_hold(self, heard: Heard) -> Next:
        hold = self._plan.hold
        if hold is not None and hold.leave_key in heard.keys:
            return self._record(Voicemail())
        self._at = self._at.model_copy(update={"tried": (), "rounds": self._at.rounds + 1})
        return self._ring_next()

    # --- steps ---------------------------------------------------------------------------------------------

    def _greet(self, language: str) -> Next:
        self._at = self._at.model_copy(update={"language": language, "tries": 0})
        if self._line.greeting:
            self._say(self._line.greeting)
        if self._scene.is_open:
            return self._run(("open",))
        if not self._line.closed:
            self._say_phrase(Phrase.CLOSED)
        return self._run(("closed",))

    def _run(self, place: tuple[str | int, ...], start: int = 0) -> Next:
        steps = self._steps(place)
        for number in range(start, len(steps)):
            step = steps[number]
            match step.kind:
                case "say" if step.say:
                    self._say(step.say)
                case "play" if step.play:
                    self._verbs.append(Play(step.play))
                case "pause" if step.pause:
                    self._verbs.append(Pause(step.pause))
                case "menu" if step.menu:
                    return self._ask(step.menu, 0)
                case "ring":
                    return self._ring((*place, number), step)
                case "voicemail" if step.voicemail:
                    return self._record(step.voicemail)
                case _:
                    return self._end()
        if not steps or steps[-1].kind == "ring":
            return self._record(Voicemail())
        return self._part(Phrase.GOODBYE)

    def _steps(self, place: tuple[str | int, ...]) -> tuple[Step, ...]:
        match place:
            case ("open",):
                return self._line.open
            case ("closed",):
                return self._line.closed
            case ("menus", str(name), "keys", str(key)):
                return self._line.menus[name].keys[key]
            case ("menus", str(name), "otherwise"):
                return self._line.menus[name].otherwise
        raise AssertionError(f"no steps stand at {place}")

    # --- questions -----------------------------------------------------------------------------------------

    def _ask_language(self, tries: int = 0) -> Next:
        prompt = tuple(
            Say(phrase(Phrase.CHOOSE_LANGUAGE, one, key=key), accent(spoken_language(one)))
            for key, one in enumerate(self._line.languages, start=1)
        )
        self._listen(prompt, _LANGUAGE_SECONDS)
        return self._stop(mode=Mode.LANGUAGE, tries=tries)

    def _ask(self, name: str, tries: int) -> Next:
        if self._at.moves >= MOST_QUESTIONS:
            return self._record(Voicemail())
        menu = self._line.menus[name]
        hints = list_hints(menu, self._at.language)
        prompt = (Say(words_in(menu.say, self._at.language), accent(self._at.language)),)
        self._listen(prompt, menu.seconds, hints, speech=bool(menu.words))
        return self._stop(mode=Mode.MENU, menu=name, tries=tries, moves=self._at.moves + 1)

    def _listen(
        self,
        prompt: tuple[Say | Play | Pause, ...],
        seconds: int,
        hints: tuple[str, ...] = (),
        *,
        speech: bool = False,
    ) -> None:
        language = accent(self._at.language or self._line.languages[0])
        step = self._scene.links.step
        self._verbs.append(
            Gather(step, prompt, digits=1, speech=speech, seconds=seconds, language=language, hints=hints)
        )
        self._verbs.append(Redirect(step))

    # --- ringing and waiting -------------------------------------------------------------------------------

    @property
    def _plan(self) -> Plan:
        *place, number = self._at.at
        plan = self._steps(tuple(place))[int(number)].ring
        assert plan is not None  # the position was written when this step was reached
        return plan

    def _ring(self, place: tuple[str | int, ...], step: Step) -> Next:
        assert step.ring is not None
        queue = step.ring.queue or self._at.queue or self._line.queue
        fresh: dict[str, object] = {"tried": (), "ringing": (), "since": self._scene.now, "rounds": 0}
        self._at = self._at.model_copy(update={"at": place, "queue": queue, **fresh})
        return self._ring_next()

    def _ring_next(self) -> Next:
        plan, scene, line = self._plan, self._scene, self._line
        chosen = choose_next(plan, self._at.queue, scene.reach, self._at.tried)
        if not chosen:
            return self._hold_or_go_on(plan)
        if not self._at.rang:
            self._say_phrase(Phrase.ONE_MOMENT)
        if line.record and scene.announce and not self._at.announced:
            self._say(line.announce) if line.announce else self._say_phrase(Phrase.RECORDED)
            self._at = self._at.model_copy(update={"announced": True})
        targets = tuple(
            Target(
                rep.phone,
                whisper=scene.links.whisper(rep.user_id) if plan.whisper else "",
                status=scene.links.rang(rep.user_id),
            )
            for rep in chosen
        )
        self._verbs.append(
            Ring(
                targets,
                action=scene.links.step,
                seconds=plan.seconds,
                caller_id=scene.caller if is_e164(scene.caller) else "",  # the network tells odd ones, too
                longest=scene.longest_talk,
                recorded=scene.links.talk if line.record else "",
            )
        )
        return self._stop(chosen, mode=Mode.RING, ringing=tuple(rep.user_id for rep in chosen), rang=True)

    def _hold_or_go_on(self, plan: Plan) -> Next:
        hold, since = plan.hold, self._at.since or self._scene.now
        waits = hold is not None and self._scene.now - since < timedelta(seconds=hold.longest)
        if hold is not None and waits and is_anybody_there(plan, self._at.queue, self._scene.reach):
            return self._hold(hold)
        *place, number = self._at.at
        return self._run(tuple(place), int(number) + 1)

    def _hold(self, hold: Hold) -> Next:
        language = self._at.language
        spoken = accent(spoken_language(language))
        prompt: list[Say | Play | Pause] = []
        if hold.say:
            prompt.append(Say(words_in(hold.say, language), accent(language)))
        elif not self._at.rounds:
            prompt.append(Say(phrase(Phrase.HOLD, language), spoken))
        if hold.position:
            place = self._scene.reach.ahead.get(self._at.queue, 0) + 1
            prompt.append(Say(phrase(Phrase.POSITION, language, number=place), spoken))
        prompt.append(Say(phrase(Phrase.OR_LEAVE, language, key=hold.leave_key), spoken))
        prompt.append(Play(hold.music or self._scene.links.music))
        self._listen(tuple(prompt), 1)
        return self._stop(mode=Mode.HOLD, ringing=())

    # --- the end -------------------------------------------------------------------------------------------

    def _record(self, plan: Voicemail) -> Next:
        links = self._scene.links
        if plan.say:
            self._say(plan.say)
        else:
            self._say_phrase(Phrase.LEAVE_MESSAGE)
        spoken = {"*", self._at.language, self._at.language.partition("-")[0]}
        transcript = plan.transcript and not spoken.isdisjoint(self._scene.written)
        self._verbs.append(
            Record(
                action=links.left,
                recorded=links.voicemail,
                transcribed=links.transcript if transcript else "",
                longest=plan.longest or self._scene.voicemail_seconds,
            )
        )
        self._verbs.append(Redirect(links.step))
        queue = plan.queue or self._at.queue or self._line.queue
        return self._stop(mode=Mode.VOICEMAIL, queue=queue, ringing=())

    def _part(self, one: Phrase) -> Next:
        self._say_phrase(one)
        return self._end()

    def _end(self) -> Next:
        self._verbs.append(Hangup())
        return self._stop(mode=Mode.OVER, ringing=())

    def _say(self, words: Words) -> None:
        self._verbs.append(Say(words_in(words, self._at.language), accent(self._at.language)))

    def _say_phrase(self, one: Phrase) -> None:
        language = self._at.language
        self._verbs.append(Say(phrase(one, language), accent(spoken_language(language))))

    def _stop(self, chosen: tuple[Rep, ...] = (), /, **changes: object) -> Next:
        return Next(tuple(self._verbs), self._at.model_copy(update=changes), chosen)
