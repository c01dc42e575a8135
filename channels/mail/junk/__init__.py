"""Junk and viruses: what the servers before ours noted, and what rspamd and ClamAV say when they are asked."""

from __future__ import annotations

from channels.mail.junk.judge import Junk, JunkJudge
from channels.mail.junk.settings import JunkSettings

__all__ = ["Junk", "JunkJudge", "JunkSettings"]
