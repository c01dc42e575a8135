"""Recordings: kept as text, given out as sound of the same length; told when they are ready, and written down."""

from __future__ import annotations

import io
import math
import struct
import wave
from dataclasses import dataclass
from typing import Final

from channels.sandbox.carrier.courier import Courier
from channels.sandbox.carrier.exchange import Exchange
from channels.sandbox.carrier.mischief import Occasion
from channels.sandbox.carrier.records import API_VERSION, Call, Recording, Transcription, make_sid
from channels.sandbox.carrier.shapes import account_uri, show_date

_RATE: Final = 8000  #: samples a second, as on a telephone
_MP3_FRAME: Final = b"\xff\xf3\x18\xc0" + bytes(
    32
)  #: 36 ms of silence: MPEG-2 layer III, 8 kbit/s, 16 kHz, mono
_MP3_FRAMES_PER_SECOND: Final = 16_000 / 576


@dataclass(slots=True)
class Recordings:
    """Begins and ends recordings."""

    exchange: Exchange
    courier: Courier

    def begin(
        self,
        call: Call,
        source: str,
        *,
        callback: str = "",
        method: str = "POST",
        events: tuple[str, ...] = ("completed",),
        channels: int = 1,
        conference_sid: str = "",
    ) -> Recording:
        """Start a recording; the caller lets its words be written down."""
        now = self.exchange.now()
        recording = Recording(
            sid=make_sid("RE"),
            account_sid=call.account_sid,
            call_sid=call.sid,
            source=source,
            status="in-progress",
            created=now,
            updated=now,
            channels=channels,
            callback=callback,
            callback_method=method,
            callback_events=events,
            conference_sid=conference_sid,
        )
        self.exchange.memory.recordings[recording.sid] = recording
        self._tell(recording, "in-progress")
        return recording

    def end(self, recording: Recording, call: Call, *, transcribe: str | None = None) -> bool:
        """End it: `transcribe` is where its text goes, empty for nowhere. False when nothing was said."""
        if recording.status not in ("in-progress", "paused"):
            return recording.status != "absent"
        recording.updated = self.exchange.now()
        if not recording.words:
            recording.status = "absent"
            self._tell(recording, "absent", final=True)
            return False
        spoken = sum(len(words.split()) for words in recording.words)
        recording.duration = max(1, math.ceil(spoken / self.exchange.settings.words_per_second))
        recording.status = "processing"
        self.exchange.spawn(self._finish(recording, call, transcribe), f"recording {recording.sid}")
        return True

    def url_of(self, recording: Recording) -> str:
        """Where its sound is fetched."""
        return self.exchange.url + account_uri(recording.account_sid, f"/Recordings/{recording.sid}")

    async def _finish(self, recording: Recording, call: Call, transcribe: str | None) -> None:
        await self.exchange.sleep(self.exchange.settings.pace)
        recording.status = "completed"
        recording.updated = self.exchange.now()
        self._tell(recording, "completed", final=True)
        if transcribe is None:
            return
        now = self.exchange.now()
        transcription = Transcription(
            make_sid("TR"),
            recording.account_sid,
            recording.sid,
            "in-progress",
            now,
            now,
            "",
            recording.duration,
        )
        self.exchange.memory.transcriptions[transcription.sid] = transcription
        await self.exchange.sleep(self.exchange.settings.pace)
        transcription.status = "completed"
        transcription.text = " ".join(recording.words)
        transcription.updated = self.exchange.now()
        path = account_uri(
            recording.account_sid, f"/Recordings/{recording.sid}/Transcriptions/{transcription.sid}"
        )
        params = {
            "AccountSid": recording.account_sid,
            "ApiVersion": API_VERSION,
            "CallSid": call.sid,
            "CallStatus": call.status,
            "Direction": call.direction,
            "From": call.from_,
            "To": call.to,
            "RecordingSid": recording.sid,
            "RecordingUrl": self.url_of(recording),
            "TranscriptionSid": transcription.sid,
            "TranscriptionStatus": transcription.status,
            "TranscriptionText": transcription.text,
            "TranscriptionType": "fast",
            "TranscriptionUrl": self.exchange.url + path,
        }
        occasion = Occasion("transcriptions", to=call.to, from_=call.from_, event="completed")
        self.courier.tell(
            recording.account_sid, transcribe, params, occasion, about=transcription.sid, final=True
        )

    def _tell(self, recording: Recording, status: str, *, final: bool = False) -> None:
        if status not in recording.callback_events and status != "absent":
            return
        params = {
            "AccountSid": recording.account_sid,
            "CallSid": recording.call_sid,
            "RecordingSid": recording.sid,
            "RecordingUrl": self.url_of(recording),
            "RecordingStatus": status,
            "RecordingDuration": str(recording.duration),
            "RecordingChannels": str(recording.channels),
            "RecordingStartTime": show_date(recording.created) or "",
            "RecordingSource": recording.source,
            "RecordingTrack": "both",
            "ErrorCode": "0",
        }
        if recording.conference_sid:
            params["ConferenceSid"] = recording.conference_sid
        self.courier.tell(
            recording.account_sid,
            recording.callback,
            params,
            Occasion("recordings", event=status),
            about=recording.sid,
            method=recording.callback_method,
            final=final,
        )


def make_wave(recording: Recording) -> bytes:
    """The sound: a quiet tone as long as the recording, 8 kHz, 16 bits."""
    tone = struct.pack(
        f"<{_RATE}h", *(int(2000 * math.sin(2 * math.pi * 440 * step / _RATE)) for step in range(_RATE))
    )
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(tone * max(1, recording.duration))
    return stream.getvalue()


def make_mp3(recording: Recording) -> bytes:
    """The same length as silence, for whoever asks for MP3."""
    return _MP3_FRAME * math.ceil(max(1, recording.duration) * _MP3_FRAMES_PER_SECOND)
