"""Threading of jwz's test messages: groups that come out exactly, by references alone."""

from __future__ import annotations

import json

from channels.mail.threads import ThreadedMessage, thread
from tests.corpora.scoring import Score, corpora


def scores() -> list[Score]:
    """One score: the groups; empty when the corpus is not there."""
    folder = corpora()
    if folder is None or not (folder / "threads" / "jwz.json").is_file():
        return []
    told = json.loads((folder / "threads" / "jwz.json").read_text(encoding="utf-8"))
    mails = [ThreadedMessage(one["id"], (), tuple(one["references"])) for one in told["messages"]]
    found = [frozenset(mail.message_id for mail in group) for group in thread(mails)]
    expected = [frozenset(group) for group in told["same_conversation"]]
    right = sum(group in found for group in expected)
    return [Score("threads: groups", right, len(expected), None, len(expected))]
