"""How fast a contact list comes in: mail address, phone, name, country and consent, 1,000,000 lines.

Ours is the whole way: reading and checking in a process of its own, duplicates joined, contacts, addresses, ledger,
consents and Granted events written with their indexes, committed chunk by chunk to a durable PostgreSQL on the same
machine. The list is made up of names of several countries, phone numbers written the national and the international
way, consents for one or two purposes on four lines of five, one duplicate in a hundred lines and one bad line in two
hundred.

The yardstick is the least that could be done with the same data: one COPY through asyncpg of the same eight columns,
parsed before, into one table without an index.

Memory is the sum of the peaks (resident) of the importing process and its reading process, PostgreSQL apart.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import uvloop

from clytie.services.supervisor import Services
from contacts.importing import create_import, run_import
from storage.migrations import upgrade
from storage.partitions import make_partitions
from storage.pool import open_pool

LINES: Final = 1_000_000
COLUMNS: Final = ("email", "phone", "name", "country", "consent_purpose", "consent_wording", "consent_date", "consent_source")  # fmt: skip
_GIVEN: Final = ("Camille", "Léa", "Jean-Luc", "Marie", "Ana", "Björn", "John", "Zoë", "Ivan", "Fatima", "Søren", "Agnieszka")  # fmt: skip
_FAMILY: Final = ("Martin", "Dupont", "Müller", "García", "Smith", "Nguyen", "Rossi", "Kowalski", "O'Brien", "Lefèvre", "Jensen", "Haddad")  # fmt: skip
_PLAIN: Final = str.maketrans("éèëïöøüíñô'", "eeeioouino-")
_WORDINGS: Final = (
    "I would like to receive the monthly newsletter by e-mail. I can unsubscribe at any time.",
    "J'accepte de recevoir la lettre d'information par courriel ; je peux me désinscrire à tout moment.",
)
_PLAIN_TABLE: Final = f"CREATE TABLE plain ({', '.join(f'{name} text' for name in COLUMNS)})"


def make_lines(count: int) -> Iterator[list[str]]:
    """The list, the same each time."""
    chance = random.Random(7)
    for number in range(count):
        who = number - 37 if number % 100 == 99 else number
        given, family = _GIVEN[who % len(_GIVEN)], _FAMILY[who // 7 % len(_FAMILY)]
        mail = f"{given}.{family}.{who}@mail{who % 997}.example".lower().translate(_PLAIN)
        if number % 200 == 5:
            mail = f"{family}@"
        kind = chance.randrange(5)
        pairs = [f"{chance.randrange(100):02d}" for _ in range(4)]
        if kind < 2:
            country, phone = (
                ("FR", "France")[kind],
                f"06 1{pairs[0][1]} {' '.join(pairs[1:])}",
            )
        elif kind == 2:
            country, phone = "DE", f"+49 151 {chance.randrange(10**7, 10**8)}"
        elif kind == 3:
            country, phone = (
                "GB",
                f"+4477{chance.randrange(10, 100)}{chance.randrange(10**5, 10**6)}",
            )
        else:
            country, phone = "Espagne", f"6{chance.randrange(10, 60)} {pairs[0]} {pairs[1]} {pairs[2]}"
        purposes = ("", "newsletter", "newsletter", "newsletter", "newsletter;measure")[number % 5]
        proof = [
            chance.choice(_WORDINGS),
            f"2026-0{chance.randrange(1, 5)}-{chance.randrange(10, 28)}",
            "website",
        ]
        yield [mail, phone, f"{given} {family}", country, purposes, *(proof if purposes else ("", "", ""))]


def write_list(path: Path, count: int) -> None:
    """Write the list as a CSV file with a line of names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(make_lines(count))


def run(rounds: int, lines: int = LINES) -> list[dict[str, Any]]:
    """Rows per second against bare COPY, and the peak of memory in MB (yardstick: the 300 MB that are allowed)."""
    ours: list[float] = []
    bare: list[float] = []
    peaks: list[float] = []
    with tempfile.TemporaryDirectory(prefix="clytie-bench-") as folder:
        path = Path(folder) / "list.csv"
        write_list(path, lines)
        services = Services(Path(folder) / "var")
        try:
            url = services.start().database_url
            for number in range(rounds):
                bare.append(lines / asyncio.run(_copy_plainly(_create(url, f"plain_{number}"), path)))
                report = _import_apart(_create(url, f"ours_{number}"), path)
                _check(report, lines)
                ours.append(lines / report["seconds"])
                peaks.append(report["megabytes"])
                for name in (f"plain_{number}", f"ours_{number}"):
                    asyncio.run(_administer(url, f"DROP DATABASE {name} WITH (FORCE)"))
        finally:
            services.stop()
    return [
        _figure(f"import of {lines:,} lines", statistics.median(ours), statistics.median(bare), "rows/s"),
        _figure("import, peak memory", statistics.median(peaks), 300.0, "MB"),
    ]


def _figure(name: str, ours: float, yardstick: float, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": round(ours, 1),
        "yardstick": round(yardstick, 1),
        "unit": unit,
        "ratio": round(ours / yardstick, 3),
    }


def _check(report: dict[str, Any], lines: int) -> None:
    """Every line came in, or was refused for the reason it was given."""
    if report["state"] != "done" or report["created"] + report["joined"] + report["rejected"] != lines:
        raise RuntimeError(f"the import is not complete: {report}")
    if report["rejected"] != len(range(5, lines, 200)) or report["contacts"] != report["created"]:
        raise RuntimeError(f"the import came out wrong: {report}")


def _create(url: str, name: str) -> str:
    asyncio.run(_administer(url, f"CREATE DATABASE {name}"))
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
        await connection.execute("CHECKPOINT")  # the next measurement shall not pay for this one's pages
    finally:
        await connection.close()


async def _copy_plainly(url: str, path: Path) -> float:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_PLAIN_TABLE)
        started = time.perf_counter()
        await connection.copy_to_table("plain", source=path, format="csv", header=True)
        return time.perf_counter() - started
    finally:
        await connection.close()


def _import_apart(url: str, path: Path) -> dict[str, Any]:
    """Import in a process of its own, so that its memory can be told."""
    upgrade(url)
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.imports", "--into", url, "--file", str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


async def _import(url: str, path: Path) -> dict[str, Any]:
    pool = await open_pool(url)
    await make_partitions(pool)
    started = time.perf_counter()
    number = await create_import(pool, path.name, path)
    report = await run_import(pool, None, number)
    seconds = time.perf_counter() - started
    contacts = await pool.fetchval("SELECT count(*) FROM contacts")
    await pool.close()
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "state": report.state,
        "error": report.error,
        "created": report.created,
        "joined": report.joined,
        "rejected": report.rejected,
        "contacts": contacts,
        "seconds": seconds,
        "megabytes": sum(peaks) / (1024 * 1024 if sys.platform == "darwin" else 1024),
    }


def main() -> None:
    """Print the figures; with --into, be the process that imports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--into", metavar="DATABASE_URL")
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.into:
        print(json.dumps(uvloop.run(_import(arguments.into, arguments.file))))
    else:
        print(json.dumps(run(arguments.rounds, arguments.lines), indent=2))


if __name__ == "__main__":
    main()
