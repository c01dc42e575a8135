"""A contact list comes in once, whatever happens on the way: joined, proved, counted, and refused with reasons."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contacts.importing import (
    ImportReport,
    cancel_import,
    create_import,
    find_unfinished,
    list_imports,
    read_import,
    read_rejects,
    run_import,
    write_rejects,
)
from domain.clock import FixedClock
from domain.errors import Conflict, InvalidInput, NotFound
from storage.announce import Announcer
from storage.pool import Pool

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
HEADER = "email,phone,name,country,consent_purpose,consent_wording,consent_date"
PROOF = '"newsletter;measure","Yes, write to me.",2026-03-01'


def write(folder: Path, *lines: str, header: str = HEADER, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


async def bring_in(pool: Pool, path: Path, **options: Any) -> ImportReport:
    number = await create_import(pool, path.name, path, **options)
    report = await run_import(pool, None, number, clock=FixedClock(NOW))
    assert report.error is None
    return report


def counts(report: ImportReport) -> tuple[str, int, int, int]:
    return report.state, report.created, report.joined, report.rejected


async def rows(pool: Pool, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(sql, *arguments)]


async def test_a_line_becomes_a_contact_with_addresses_consents_and_their_events(
    pool: Pool, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO router_interests VALUES ('Granted')")
    await pool.execute(
        "INSERT INTO users (id, email, name, role) VALUES (7, 'Rep@acme.example', 'Rep', 'rep')"
    )
    path = write(
        tmp_path,
        f"Lea@Example.org,06 12 34 56 78,Léa Martin,France,{PROOF},rep@acme.example,250,prospect",
        header=f"{HEADER},owner,fields.size,relation",
    )
    assert counts(await bring_in(pool, path, created_by=7)) == ("done", 1, 0, 0)
    contact = await pool.fetchrow("SELECT * FROM contacts")
    assert contact is not None
    assert (contact["name"], contact["country"], contact["owner_id"], contact["relation"], contact["fields"]) == (
        "Léa Martin", "FR", 7, "prospect", {"size": "250"},
    )  # fmt: skip
    assert await rows(pool, "SELECT kind, address, given FROM identities ORDER BY kind") == [
        ("mail", "lea@example.org", "Lea@Example.org"),
        ("phone", "+33612345678", "06 12 34 56 78"),
    ]
    day = datetime(2026, 3, 1, tzinfo=UTC)
    ledger = await rows(
        pool, "SELECT purpose, state, wording, source, occurred_at FROM consent_ledger ORDER BY purpose"
    )
    assert ledger == [
        ("measure", "granted", "Yes, write to me.", "import", day),
        ("newsletter", "granted", "Yes, write to me.", "import", day),
    ]
    assert await rows(pool, "SELECT purpose, state, since FROM consents ORDER BY purpose") == [
        ("measure", "granted", day),
        ("newsletter", "granted", day),
    ]
    told = await rows(pool, "SELECT type, occurred_at, contact_id, actor_id FROM events")
    assert told == [("Granted", day, contact["id"], 7)] * 2
    assert await pool.fetchval("SELECT count(*) FROM pending_events") == 2


async def test_the_same_file_twice_changes_nothing(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, f"a@b.example,06 12 34 56 78,Ana,FR,{PROOF}", f",+49 30 123456,Bo,DE,{PROOF}")
    assert counts(await bring_in(pool, path)) == ("done", 2, 0, 0)
    tables = ("contacts", "identities", "consent_ledger", "consents", "events")
    before = [await rows(pool, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    assert counts(await bring_in(pool, path)) == ("done", 0, 2, 0)
    assert [await rows(pool, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before


async def test_a_consent_that_cannot_be_proved_is_refused_with_its_line(pool: Pool, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a@b.example,,Ana,FR,newsletter,,2026-03-01",
        "b@b.example,,Bo,FR,newsletter,Yes.,",
        '"c@b.example',
        "d@b.example,,Di,FR,,,",
        "e@b.example,,Ed,FR,newsletter,=Yes.,2027-01-01",
    )
    report = await bring_in(pool, path)
    assert counts(report) == ("done", 1, 0, 4)
    rejects = await read_rejects(pool, report.id)
    assert [(one.line, one.field) for one in rejects] == [
        (2, "consent_wording"),
        (3, "consent_date"),
        (4, "line"),
        (6, "consent_date"),
    ]
    assert (
        rejects[0].problem
        == "a consent is claimed without the words it was given to. Copy them from the form."
    )
    assert rejects[0].content == "a@b.example,,Ana,FR,newsletter,,2026-03-01"
    assert "lies in the future" in rejects[3].problem
    assert await read_rejects(pool, report.id, after_line=3, limit=1) == [rejects[2]]


async def test_refused_lines_download_as_a_table_without_formulas(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, '=cmd|x,"1\n2"', "é,,", header="name,email,phone")
    report = await bring_in(pool, path)
    body = b"".join([piece async for piece in write_rejects(pool, report.id)]).decode("utf-8-sig")
    lines = body.split("\r\n")
    assert lines[0] == "line,field,problem,content"
    assert lines[1].startswith("2,email,this is not a mail address.")
    assert '"\'=cmd|x,""1\n2"""' in body
    assert lines[2].startswith("4,email,neither a mail address nor a phone number.")


async def test_lines_about_one_person_are_joined_in_the_file_and_with_who_is_known(
    pool: Pool, tmp_path: Path
) -> None:
    first = write(
        tmp_path,
        "Ana@b.example,,,FR,,,",
        "ana@B.example,+33 6 12 34 56 78,Ana Ruiz,DE,,,",
        ",+33612345678,ANA RUIZ,,,,",
    )
    assert counts(await bring_in(pool, first)) == ("done", 1, 2, 0)
    assert await rows(pool, "SELECT name, country FROM contacts") == [("Ana Ruiz", "FR")]
    second = write(
        tmp_path,
        f"ana@b.example,+49 30 123456,Ana R.,ES,{PROOF},Acme,es",
        header=f"{HEADER},organisation,language",
        name="second.csv",
    )
    assert counts(await bring_in(pool, second)) == ("done", 0, 1, 0)
    found = await rows(pool, "SELECT name, country, organisation, language FROM contacts")
    assert found == [("Ana Ruiz", "FR", "Acme", "es")]
    assert await rows(pool, "SELECT address FROM identities ORDER BY kind, id") == [
        ("ana@b.example",),
        ("+33612345678",),
        ("+4930123456",),
    ]
    changes = await pool.fetch("SELECT data, occurred_at FROM events WHERE type = 'Changed' ORDER BY id")
    assert [(row["data"]["field"], row["data"]["old"], row["data"]["new"]) for row in changes] == [
        ("phone", None, "+4930123456"),
        ("language", None, "es"),
        ("organisation", None, "Acme"),
    ]
    assert {row["occurred_at"] for row in changes} == {NOW}


async def test_a_file_may_win_over_what_is_known_when_it_is_told_to(pool: Pool, tmp_path: Path) -> None:
    header = f"{HEADER},fields.size,fields.plan,kind"
    await bring_in(pool, write(tmp_path, "a@b.example,,Ana,FR,,,,10,free,person", header=header))
    path = write(
        tmp_path,
        "a@b.example,,Ana Ruiz,,,,,20,,",
        "a@b.example,,Ana María Ruiz,DE,,,,,,organisation",
        header=header,
        name="new.csv",
    )
    await bring_in(pool, path, overwrite=True)
    assert await rows(pool, "SELECT name, country, kind, fields FROM contacts") == [
        ("Ana María Ruiz", "DE", "organisation", {"size": "20", "plan": "free"})
    ]
    changed = await rows(pool, "SELECT data->>'field', data->>'old', data->>'new' FROM events ORDER BY 1")
    assert changed == [
        ("country", "FR", "DE"),
        ("fields.size", "10", "20"),
        ("kind", "person", "organisation"),
        ("name", "Ana", "Ana María Ruiz"),
    ]


async def test_colleagues_may_share_the_phone_of_their_office(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, "a@b.example,01 99 00 00 01,Ana,FR,,,", "b@b.example,01 99 00 00 01,Bo,FR,,,")
    assert counts(await bring_in(pool, path)) == ("done", 2, 0, 0)
    shared = await rows(
        pool, "SELECT count(DISTINCT contact_id) FROM identities WHERE address = '+33199000001'"
    )
    assert shared == [(2,)]


SWITCHBOARD = "+33140506070"


async def held(pool: Pool) -> list[tuple[Any, ...]]:
    """Names, and the purposes that each contact allowed."""
    return await rows(
        pool,
        "SELECT name, array(SELECT purpose FROM consents k WHERE k.contact_id = c.id ORDER BY 1) FROM contacts c ORDER BY id",
    )


@pytest.mark.parametrize("apart", [False, True])
async def test_whoever_shares_a_number_does_not_get_the_consents_of_another(
    pool: Pool, tmp_path: Path, apart: bool
) -> None:
    lines = (f"anne@x.example,{SWITCHBOARD},Anne,,,,", f",{SWITCHBOARD},Bernard,,{PROOF}")
    for number, part in enumerate(((line,) for line in lines) if apart else (lines,)):
        await bring_in(pool, write(tmp_path, *part, name=f"{number}.csv"))
    expected = [("Anne", []), ("Bernard", ["measure", "newsletter"])]
    assert await held(pool) == expected
    again = write(tmp_path, *lines, f",{SWITCHBOARD},bernard,,{PROOF}", name="again.csv")
    assert counts(await bring_in(pool, again)) == ("done", 0, 3, 0)
    assert await held(pool) == expected


async def test_a_number_of_several_without_a_name_is_refused_line_by_line(pool: Pool, tmp_path: Path) -> None:
    nameless = f",{SWITCHBOARD},,,{PROOF}"
    path = write(
        tmp_path,
        f"a@b.example,{SWITCHBOARD},Ana,,,,",
        nameless,
        f",{SWITCHBOARD},Bo,,,,",
        nameless,
        "-,,,,,,",
    )
    for created, joined in ((2, 0), (0, 2)):
        report = await bring_in(pool, path)
        assert counts(report) == ("done", created, joined, 3)
        refused = await read_rejects(pool, report.id)
        assert [(one.line, one.field) for one in refused] == [(3, "phone"), (5, "phone"), (6, "email")]
        assert refused[0].problem == (
            "several contacts have this number, and the line does not name one of them. "
            "Add the name or the mail address."
        )
        assert refused[0].content == nameless.replace('"newsletter;measure"', "newsletter;measure")
        assert await held(pool) == [("Ana", []), ("Bo", [])]
    assert await pool.fetchval("SELECT count(*) FROM consent_ledger") == 0


async def test_namesakes_who_share_a_number_are_told_apart_by_mail_address_or_refused(
    pool: Pool, tmp_path: Path
) -> None:
    twins = [f"{place}@b.example,{SWITCHBOARD},Ana Ruiz,,,," for place in ("a", "b")]
    report = await bring_in(pool, write(tmp_path, *twins, f",{SWITCHBOARD},ana ruiz,,{PROOF}"))
    assert counts(report) == ("done", 2, 0, 1)
    (refused,) = await read_rejects(pool, report.id)
    assert refused.problem == "several contacts have this number and this name. Add the mail address."
    assert await held(pool) == [("Ana Ruiz", []), ("Ana Ruiz", [])]


async def test_a_number_without_a_name_takes_the_first_name_that_comes_and_no_second(
    pool: Pool, tmp_path: Path
) -> None:
    nameless = write(tmp_path, f",{SWITCHBOARD},,,,,", name="nameless.csv")
    await bring_in(pool, nameless)
    named = write(tmp_path, f",{SWITCHBOARD},Élodie,,,,")
    assert counts(await bring_in(pool, named)) == ("done", 0, 1, 0)
    assert await held(pool) == [("Élodie", [])]
    assert counts(await bring_in(pool, nameless)) == ("done", 0, 1, 0)
    both = write(tmp_path, f",{SWITCHBOARD},ÉLODIE,,,,", f",{SWITCHBOARD},Bo,,{PROOF}", name="both.csv")
    assert counts(await bring_in(pool, both)) == ("done", 1, 1, 0)
    assert await held(pool) == [("Élodie", []), ("Bo", ["measure", "newsletter"])]


async def test_two_names_of_one_block_do_not_both_become_a_contact_without_a_name(
    pool: Pool, tmp_path: Path
) -> None:
    await bring_in(pool, write(tmp_path, f",{SWITCHBOARD},,,,,"))
    names = write(tmp_path, f",{SWITCHBOARD},Anne,,,,", f",{SWITCHBOARD},Bernard,,{PROOF}", name="names.csv")
    for created in (2, 0):
        assert counts(await bring_in(pool, names)) == ("done", created, 2 - created, 0)
    assert await held(pool) == [
        (SWITCHBOARD, []),
        ("Anne", []),
        ("Bernard", ["measure", "newsletter"]),
    ]


async def test_lines_with_two_addresses_of_one_contact_all_count(pool: Pool, tmp_path: Path) -> None:
    await bring_in(pool, write(tmp_path, "a@b.example,,,,,,"))
    await pool.execute(
        "INSERT INTO identities (contact_id, kind, address, given) SELECT id, 'mail', 'ana@c.example', '' FROM contacts"
    )
    path = write(tmp_path, "a@b.example,,,FR,,,", "ana@c.example,,Ana,DE,,,", name="both.csv")
    assert counts(await bring_in(pool, path)) == ("done", 0, 2, 0)
    assert await rows(pool, "SELECT name, country FROM contacts") == [("a@b.example", "FR")]
    again = write(tmp_path, "a@b.example,,Ana,,,,", name="name.csv")
    await bring_in(pool, again)
    assert await rows(pool, "SELECT name FROM contacts") == [("Ana",)]


async def test_a_consent_of_an_old_list_does_not_undo_a_later_withdrawal(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, f"a@b.example,,Ana,FR,{PROOF}")
    await bring_in(pool, path)
    await pool.execute("UPDATE consents SET state = 'withdrawn', since = '2026-04-01Z'")
    await bring_in(pool, write(tmp_path, f"a@b.example,,Ana,FR,{PROOF.replace('03-01', '03-20')}"))
    assert await rows(pool, "SELECT DISTINCT state FROM consents") == [("withdrawn",)]
    assert await pool.fetchval("SELECT count(*) FROM consent_ledger") == 4


def many(count: int, start: int = 0) -> Sequence[str]:
    return [
        f'p{n}@mail.example,+1202555{n % 10_000:04d},"Person\n{n}",US,newsletter,"Yes, write to me; always.",2026-03-01'
        if n % 50
        else f"p{n},,,,,,"
        for n in range(start, start + count)
    ]


async def check_all_came_in(pool: Pool, number: int, count: int) -> None:
    refused = count // 50
    report = await read_import(pool, number)
    assert counts(report) == ("done", count - refused, 0, refused)
    assert report.offset == report.size
    for table in ("contacts", "consent_ledger", "consents", "events"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == count - refused, table
    assert await pool.fetchval("SELECT count(*) FROM identities WHERE kind = 'mail'") == count - refused
    assert await pool.fetchval("SELECT count(*) FROM import_rejects") == refused


async def test_progress_is_told_and_twins_do_the_work_once(pool: Pool, tmp_path: Path) -> None:
    number = await create_import(pool, "many", write(tmp_path, *many(30_000)))
    told: list[tuple[int, int | None]] = []

    async def note(done: int, total: int | None) -> None:
        told.append((done, total))

    announcer = Announcer(pool)
    await asyncio.gather(
        *(run_import(pool, announcer, number, note, clock=FixedClock(NOW)) for _ in range(3))
    )
    await announcer.close()
    await check_all_came_in(pool, number, 30_000)
    size = (tmp_path / "list.csv").stat().st_size
    assert len(told) > 2
    assert told == sorted(set(told))
    assert told[-1] == (size, size)


async def test_an_import_that_was_interrupted_goes_on_where_it_was(pool: Pool, tmp_path: Path) -> None:
    number = await create_import(pool, "many", write(tmp_path, *many(30_000)))

    async def stop(done: int, total: int | None) -> None:
        raise ConnectionError("the plug was pulled")

    for _ in range(2):
        report = await run_import(pool, None, number, stop, clock=FixedClock(NOW))
        assert (report.state, report.error) == ("failed", "the plug was pulled")
    assert 0 < report.offset < report.size
    await run_import(pool, None, number, clock=FixedClock(NOW))
    await check_all_came_in(pool, number, 30_000)


_CHILD = """
import asyncio, sys
from contacts.importing import run_import
from storage.pool import open_pool
async def main():
    pool = await open_pool(sys.argv[1])
    async def note(done, total):
        print(done, flush=True)
    await run_import(pool, None, int(sys.argv[2]), note)
asyncio.run(main())
"""


async def test_a_killed_import_goes_on_and_nothing_comes_in_twice(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    number = await create_import(pool, "many", write(tmp_path, *many(60_000)))
    for _ in range(2):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, database_url, str(number), stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert child.stdout is not None
        assert await asyncio.wait_for(child.stdout.readline(), 40)
        await asyncio.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert (await read_import(pool, number)).state == "running"
    assert await find_unfinished(pool) == [number]
    for _ in range(200):  # until PostgreSQL has seen that the killed one is gone
        if (await run_import(pool, None, number, clock=FixedClock(NOW))).state == "done":
            break
        await asyncio.sleep(0.1)
    await check_all_came_in(pool, number, 60_000)


async def test_a_cancelled_import_keeps_what_came_in_and_stops(pool: Pool, tmp_path: Path) -> None:
    number = await create_import(pool, "many", write(tmp_path, *many(30_000)))

    async def cancel(done: int, total: int | None) -> None:
        await cancel_import(pool, number)

    report = await run_import(pool, None, number, cancel, clock=FixedClock(NOW))
    assert report.state == "cancelled"
    assert 0 < report.created < 29_400
    assert await pool.fetchval("SELECT count(*) FROM contacts") == report.created
    again = await run_import(pool, None, number, clock=FixedClock(NOW))
    assert (again.state, again.created) == ("cancelled", report.created)
    with pytest.raises(Conflict, match="cancelled already"):
        await cancel_import(pool, number)


async def test_a_file_that_changed_or_went_away_is_refused(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, "a@b.example,,,,,,")
    number = await create_import(pool, "list", path)
    path.write_text("email\nother@b.example\n")
    report = await run_import(pool, None, number)
    assert report.error == "file: it changed since the import was started; start a new import."
    path.unlink()
    assert "No such file" in ((await run_import(pool, None, number)).error or "")
    with pytest.raises(InvalidInput, match="cannot be read"):
        await create_import(pool, "list", path)
    with pytest.raises(NotFound):
        await run_import(pool, None, 999)
    assert [report.state for report in await list_imports(pool)] == ["failed"]


async def test_columns_that_nobody_knows_are_named(pool: Pool, tmp_path: Path) -> None:
    report = await bring_in(pool, write(tmp_path, "a@b.example,blue", header="email,favourite colour"))
    assert report.ignored == ("favourite colour",)


async def test_an_address_stored_by_hand_meanwhile_is_joined(pool: Pool, tmp_path: Path) -> None:
    path = write(tmp_path, "a@b.example,,Ana,FR,,,")
    number = await create_import(pool, "list", path)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO contacts (id, name) VALUES (1000, 'By hand')")
        await connection.execute(
            "INSERT INTO identities (contact_id, kind, address, given) VALUES (1000, 'mail', 'a@b.example', '')"
        )
        running = asyncio.create_task(run_import(pool, None, number, clock=FixedClock(NOW)))
        await asyncio.sleep(1.5)
        assert not running.done()
        await transaction.commit()
    assert counts(await running) == ("done", 0, 1, 0)
    assert await rows(pool, "SELECT name, country FROM contacts") == [("By hand", "FR")]
