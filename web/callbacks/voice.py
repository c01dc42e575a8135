"""What the voice provider calls: the routes of calls in both directions."""

from __future__ import annotations

from aiohttp import web

from web.callbacks.lines import add_line_routes, add_tune
from web.callbacks.outgoing import add_outgoing_routes
from web.callbacks.voice_door import VoiceCallbacks, VoiceDoor, VoiceProvider

__all__ = ["VoiceCallbacks", "VoiceProvider", "add_voice_callbacks"]


def add_voice_callbacks(app: web.Application, callbacks: VoiceCallbacks) -> None:
    """Mount the routes of calls."""
    door = VoiceDoor(app, callbacks)
    add_outgoing_routes(door, callbacks.switchboard)
    if callbacks.lines is not None:
        add_line_routes(door, callbacks.lines)
        add_tune(app)
