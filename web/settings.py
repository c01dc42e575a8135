"""Settings of the web process: CLYTIE_WEB__* or the table [web] of the settings file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class WebSettings(BaseModel):
    """Console, API and live updates."""

    public_url: str = Field(
        "http://127.0.0.1:8025",
        description="The address people and mails reach this installation at, without a slash at its end.",
    )
    trust_forwarded: bool = Field(
        False,
        description="Believe X-Forwarded-For and X-Forwarded-Proto; only behind a proxy that sets both.",
    )
    upload_folder: Path = Field(Path("var/spool/imports"), description="Where uploaded files are kept.")
    upload_limit: int = Field(
        2 * 1024**3, ge=1024, description="The largest file that may be uploaded, in bytes."
    )
    undo_seconds: float = Field(
        10.0, ge=0, le=120, description="Seconds in which an answer that was sent can be taken back."
    )
    attachment_limit: int = Field(
        18 * 1024**2,
        ge=1024,
        description="The largest sum of the files of one answer, in bytes; as mail they take a third more.",
    )
    session_days: int = Field(14, ge=1, le=365, description="How long a sign-in lasts, in days.")
    signin_tries: int = Field(
        8,
        ge=1,
        description="Failed sign-ins per address and per network address within a quarter of an hour.",
    )
    live_clients: int = Field(2000, ge=1, description="Live connections per process; more are asked to wait.")
    live_heartbeat: float = Field(
        15.0, gt=0, description="Seconds between signs of life on a live connection."
    )
