"""How a text is cut: the provider's own vectors where they are, and properties of any text."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.graphemes import split_graphemes
from channels.sms.segments import GSM_7, Encoding, Segments, count, split, units
from tests.corpora.scoring import corpora

_FOLDER = corpora()
_FILE = _FOLDER / "twilio" / "sms_segments.json" if _FOLDER else None
VECTORS = json.loads(_FILE.read_text("utf-8")) if _FILE and _FILE.exists() else []

gsm_texts = st.text(st.sampled_from(sorted(GSM_7)), max_size=500)
texts = st.text(st.characters(), max_size=400) | st.text(
    st.sampled_from("aé€🇫🇷👩\u200d🍳\u0301\u0308\ufe0f漢🏻각각\r\n"), max_size=400
)


if VECTORS:

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["body"])[:30])
    def test_the_providers_own_counts_are_ours(vector: dict[str, object]) -> None:
        found = count(str(vector["body"]))
        assert found == Segments(
            Encoding(str(vector["encoding"])), int(str(vector["segments"])), int(str(vector["characters"]))
        )


@pytest.mark.parametrize(
    ("body", "encoding", "segments", "characters"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 1, 160),
        ("a" * 161, "GSM-7", 2, 161),
        ("a" * 306, "GSM-7", 2, 306),
        ("a" * 307, "GSM-7", 3, 307),
        ("€" * 80, "GSM-7", 1, 160),
        ("€" * 81, "GSM-7", 2, 162),
        ("à" * 160, "GSM-7", 1, 160),
        ("ê" * 70, "UCS-2", 1, 70),
        ("ê" * 71, "UCS-2", 2, 71),
        ("😀" * 35, "UCS-2", 1, 35),
        ("😀" * 36, "UCS-2", 2, 36),
        ("ê" + "x" * 134, "UCS-2", 3, 135),
    ],
)
def test_a_text_takes_the_parts_of_its_alphabet(
    body: str, encoding: str, segments: int, characters: int
) -> None:
    assert count(body) == Segments(Encoding(encoding), segments, characters)


def test_a_sign_of_two_units_moves_to_the_next_part_whole() -> None:
    parts = split("a" * 152 + "€" + "b" * 20)
    assert parts == ["a" * 152, "€" + "b" * 20]


def test_a_flag_moves_to_the_next_part_whole() -> None:
    parts = split("ê" * 65 + "🇫🇷" + "b" * 20)
    assert parts == ["ê" * 65, "🇫🇷" + "b" * 20]


@given(texts)
def test_the_parts_joined_are_the_text(body: str) -> None:
    assert "".join(split(body)) == body


@given(texts)
def test_every_part_fits_and_none_is_empty(body: str) -> None:
    counted = count(body)
    parts = split(body)
    alone, several = {"GSM-7": (160, 153), "UCS-2": (70, 67)}[counted.encoding.value]
    assert len(parts) == counted.segments
    room = alone if len(parts) == 1 else several
    assert all(0 < units(part, counted.encoding) <= room for part in parts)


@given(gsm_texts)
def test_a_text_of_the_small_alphabet_is_cut_between_its_signs(body: str) -> None:
    counted = count(body)
    assert counted.encoding is Encoding.GSM_7
    assert counted.characters == len(body) + sum(body.count(sign) for sign in "\f^{}\\[~]|€")
    # greedy: a part is only left when the next sign has no room in it
    parts = split(body)
    for part, following in pairwise(parts):
        assert units(part, Encoding.GSM_7) + units(following[0], Encoding.GSM_7) > 153


@given(texts)
def test_no_part_ends_within_what_a_reader_takes_for_one_character(body: str) -> None:
    borders = {0}
    for cluster in split_graphemes(body):
        borders.add(max(borders) + len(cluster))
    place = 0
    longest = max((units(cluster, Encoding.UCS_2) for cluster in split_graphemes(body)), default=0)
    for part in split(body)[:-1]:
        place += len(part)
        assert place in borders or longest > 67


@given(texts)
def test_one_more_character_never_takes_fewer_parts(body: str) -> None:
    assert count(body + "a").segments >= count(body).segments


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("abc", 3),
        ("e\u0301\u0301a", 2),
        ("🇫🇷🇩🇪", 2),
        ("🇫🇷🇩", 2),
        ("👩‍👩‍👧‍👦", 1),
        ("👍🏽!", 2),
        ("🏳️‍🌈", 1),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1),
        ("a\u200d👩", 2),
        ("각", 1),
        ("\u1100\u1161\u11a8", 1),
        ("\r\n", 2),
        ("\n\u0301", 2),
        ("❤️", 1),
    ],
)
def test_a_reader_counts(text: str, clusters: int) -> None:
    assert len(list(split_graphemes(text))) == clusters
