"""The house's own music on hold: a quiet arpeggio of some twenty seconds, made from sines, so that nobody owns it."""

from __future__ import annotations

import io
import math
import struct
import wave
from functools import lru_cache
from typing import Final

_RATE: Final = 8000  # samples a second: a telephone carries no more
_BEAT: Final = 0.4  # seconds
_LOUD: Final = 5000  # of 32767
#: semitones from A (220 Hz): four chords, each played up and down
_CHORDS: Final = ((3, 7, 10, 15), (0, 3, 7, 12), (-4, 0, 3, 8), (-2, 2, 5, 10))
_ROUNDS: Final = 2


@lru_cache(maxsize=1)
def make_tune() -> bytes:
    """The sound as a WAV file: 8 kHz, 16 bits, one channel."""
    samples: list[int] = []
    for chord in _CHORDS * _ROUNDS:
        for semitones in (*chord, *chord[2:0:-1]):
            samples += _note(220 * 2 ** (semitones / 12))
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return stream.getvalue()


def _note(hertz: float) -> list[int]:
    length = int(_RATE * _BEAT)
    turn = 2 * math.pi * hertz / _RATE
    return [
        int(
            _LOUD
            * math.exp(-4 * at / length)
            * min(1, at / 80)
            * (math.sin(turn * at) + 0.3 * math.sin(2 * turn * at))
            / 1.3
        )
        for at in range(length)
    ]
