"""The MIME corpus, where it is at hand: every target is met. Without it there is nothing to collect."""

from __future__ import annotations

import pytest

from tests.corpora.mime_scores import mails, scores
from tests.corpora.scoring import Score, corpora
from tests.fuzz.mime_promises import check

_FOLDER = corpora()

if _FOLDER is not None and (_FOLDER / "mime").is_dir():

    @pytest.mark.parametrize("score", scores(), ids=lambda score: score.name)
    def test_the_target_is_met(score: Score) -> None:
        assert score.target is not None
        assert score.ours >= score.target

    _MAILS = mails(_FOLDER / "mime")

    def test_every_mail_keeps_the_promises() -> None:
        for path in _MAILS:
            check(path.read_bytes())
