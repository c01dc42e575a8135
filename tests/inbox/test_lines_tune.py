"""The house's own music on hold."""

from __future__ import annotations

import io
import struct
import wave

from inbox.lines.tune import make_tune


def test_the_tune_is_sound_that_a_telephone_carries_and_never_clips() -> None:
    with wave.open(io.BytesIO(make_tune())) as sound:
        frames = sound.readframes(sound.getnframes())
        shape = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
    samples = struct.unpack(f"<{len(frames) // 2}h", frames)
    assert shape == (8000, 1, 2)
    assert 15 <= len(samples) / 8000 <= 40
    assert 2000 < max(map(abs, samples)) < 20_000
    assert make_tune() is make_tune()
