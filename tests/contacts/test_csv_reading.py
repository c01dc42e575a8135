"""CSV files of every make read right, block by block, and a bad line costs that line."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import csv_reading
from contacts.csv_columns import COLUMNS, read_layout, spell
from contacts.csv_reading import Encoding, detect_encoding, read_block, read_lines
from domain.errors import InvalidInput

HERE = Path(__file__).parent
CORPORA = Path(os.environ.get("CLYTIE_CORPORA", HERE.parents[2] / "shared" / "corpora"))
#: our own, and those of csv-spectrum where they lie beside the checkout
TABLES = sorted(HERE.glob("tables/csv/*.csv")) + sorted(CORPORA.glob("contacts/csv/*.csv"))


def write(folder: Path, content: bytes) -> Path:
    path = folder / "list.csv"
    path.write_bytes(content)
    return path


def read(path: Path, delimiter: str = ",") -> list[list[str] | None]:
    return [line.fields for line in read_lines(path, detect_encoding(path), delimiter)]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_table_reads_as_expected(path: Path) -> None:
    header, *rows = read(path)
    assert header is not None
    found = [dict(zip(header, row or [], strict=True)) for row in rows]
    expected = json.loads((path.parents[1] / "csv-json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    assert _flat(found) == _flat(expected)


def _flat(rows: list[dict[str, str]] | dict[str, str]) -> list[dict[str, str]]:
    rows = [rows] if isinstance(rows, dict) else rows
    # the corpus itself has another phone number in one file than in its expectation
    return [
        {key: value.replace("\r\n", "\n") for key, value in row.items() if key != "Contact Phone Number"}
        for row in rows
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,é\r\n", "utf-8"),
        ("a,b\n1,Ω", "utf-16"),
        ("a,b\n1,2\n", "utf-16-le"),
        ("a,é\n", "utf-16-be"),
        ("a,é’\n", "cp1252"),
        ("a,é\n", "utf-8-sig"),
        ("a,b\r1,é\r", "utf-8"),
    ],
)
def test_encodings_and_line_ends_are_found_out(tmp_path: Path, content: str, name: str) -> None:
    path = write(tmp_path, content.encode(name))
    assert read(path) == list(csv.reader(io.StringIO(content.replace("\r\n", "\n").replace("\r", "\n"))))


def test_accents_far_down_a_file_decide_its_encoding(tmp_path: Path) -> None:
    plain = b"abc,def\n" * 300_000
    assert detect_encoding(write(tmp_path, plain + "é,è\n".encode("cp1252"))).name == "cp1252"
    assert detect_encoding(write(tmp_path, plain + "é,è\n".encode())).name == "utf-8"


def test_a_few_bad_bytes_in_a_file_of_utf8_cost_only_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "é,è\n".encode() * 50 + b"caf\xe9,x\n" + "ü,ö\n".encode())
    lines = list(read_lines(path, detect_encoding(path), ","))
    assert [line.number for line in lines if line.fields is None] == [51]
    assert "no text in the file's encoding" in lines[50].problem
    assert lines[51].fields == ["ü", "ö"]


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 20])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidInput, match="file: "):
        detect_encoding(write(tmp_path, content))


def test_an_unclosed_quote_costs_its_line_and_no_more(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,b\n1,"open\n3,4\n' + b"5,6\n" * 60_000 + b'7,"open\n8,9')
    lines = list(read_lines(path, detect_encoding(path), ","))
    assert [line.number for line in lines if line.fields is None] == [2, 60_004]
    assert {line.problem for line in lines if line.fields is None} == {"a quote is opened and not closed"}
    assert len(lines) == 60_005
    assert lines[-1].fields == ["8", "9"]


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reading, "BLOCK", 1000)
    monkeypatch.setattr(csv_reading, "LONGEST_LINE", 10_000)
    path = write(tmp_path, b"a" * 100_000)
    with pytest.raises(InvalidInput, match="it does not end"):
        list(read_lines(path, detect_encoding(path), ","))


_cells = st.text(
    st.sampled_from('ab,;"\n é€') | st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8
)
_tables = st.lists(st.lists(_cells, min_size=2, max_size=4), min_size=1, max_size=30)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=_tables,
    name=st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(2, 400).map(lambda half: half * 2),
    last=st.booleans(),
)
def test_a_table_reads_back_whatever_the_size_of_the_blocks(
    tmp_path: Path, table: list[list[str]], name: str, ending: str, size: int, last: bool
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(table)
    content = text.getvalue() if last else text.getvalue().removesuffix(ending)
    path = write(tmp_path, content.encode(name, "replace"))
    table = [[cell.encode(name, "replace").decode(name) for cell in row] for row in table]
    mark = 3 if name == "utf-8-sig" else 0
    encoding = Encoding(name.removesuffix("-sig"), mark, "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reading, "BLOCK", size)
        offset, line, found, numbers = encoding.start, 0, [], []
        while True:
            block = read_block(path, encoding, ",", offset, line)
            found += [one.fields for one in block.lines]
            numbers += [one.number for one in block.lines]
            offset, line = block.offset, block.line
            if block.at_end:
                break
    assert found == table
    assert offset == path.stat().st_size
    starts = [0]
    for row in table:
        starts.append(starts[-1] + 1 + sum(cell.count("\n") for cell in row))
    assert numbers == [start + 1 for start in starts[:-1]]


def test_columns_are_recognised_in_english_and_french(tmp_path: Path) -> None:
    path = write(
        tmp_path, "Prénom;Nom de famille;Adresse e-mail;Téléphone;Pays;champs.taille;Âge\n".encode("cp1252")
    )
    layout = read_layout(path)
    assert layout.delimiter == ";"
    assert layout.columns == ["given_name", "family_name", "email", "phone", "country", "fields.taille", None]
    assert layout.ignored == ["Âge"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_the_delimiter_is_the_one_that_makes_sense_of_the_header(tmp_path: Path, delimiter: str) -> None:
    layout = read_layout(
        write(tmp_path, delimiter.join(["name", "email", "phone"]).encode() + b"\na,b;c|d,e\n")
    )
    assert (layout.delimiter, layout.offset, layout.line) == (delimiter, 17, 1)


def test_a_mapping_names_what_the_header_does_not(tmp_path: Path) -> None:
    path = write(tmp_path, b"Courriel pro,Taille,source\n")
    layout = read_layout(path, {"Courriel pro": "email", "Taille": "fields.size", "source": ""})
    assert layout.columns == ["email", "fields.size", None]


@pytest.mark.parametrize(
    ("header", "mapping", "words"),
    [
        ("name,city", {}, "neither mail addresses nor phone numbers are among name, city"),
        ("jean@example.org,+33612345678", {}, "neither mail addresses nor phone numbers"),
        ("email,mail", {}, "“email” and “mail” are both email"),
        ("email,fields.taille équipe", {}, "no name for a field"),
        ("email,x", {"x": "contry"}, "Did you mean country?"),
        ("email,x", {"y": "country"}, "the file has no such column"),
        ('"email', {}, "a quote is opened and not closed"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(
    tmp_path: Path, header: str, mapping: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_layout(write(tmp_path, header.encode() + b"\n"), mapping)
    assert words in str(refusal.value)


def test_every_name_of_a_column_is_spelled_as_it_is_looked_up() -> None:
    names = [name for known in COLUMNS.values() for name in known]
    assert [name for name in names if spell(name) != name] == []
    assert len(set(names)) == len(names)
