"""With no addresses set, both servers start below the data directory and answer their usual clients."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from arq.connections import RedisSettings, create_pool

from clytie.services.supervisor import Services
from domain.errors import ConfigurationError
from tests.clytie.probes import query, server_pids

Open = Callable[..., Services]


async def test_both_servers_answer_their_usual_clients(var: Path, open_services: Open) -> None:
    urls = open_services(var).start()
    connection = await asyncpg.connect(urls.database_url)
    assert await connection.fetchval("SELECT current_database()") == "clytie"
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert (
        await connection.fetchval("SELECT upper('é') || datlocprovider::text FROM pg_database LIMIT 1")
        == "Éb"
    )
    await connection.close()
    queue = await create_pool(RedisSettings.from_dsn(f"{urls.redis_url}?db=3"))
    assert await queue.ping()
    await queue.aclose()
    assert redis.Redis.from_url(urls.redis_url).config_get("save") == {"save": ""}


async def test_truth_is_synchronous_and_there_is_no_network_listener(var: Path, open_services: Open) -> None:
    with Services(var) as services:
        connection = await asyncpg.connect(services.start().database_url)
        for name, value in {
            "synchronous_commit": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "wal_level": "replica",
            "listen_addresses": "",
            "max_wal_size": "2GB",
        }.items():
            assert await connection.fetchval(f"SHOW {name}") == value
        await connection.close()
        assert not any(network_listeners(pid) for pid in server_pids(var))


def test_nothing_is_started_when_both_addresses_are_set(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLYTIE_DATABASE_URL", "postgresql://db/clytie")
    monkeypatch.setenv("CLYTIE_REDIS_URL", "redis://queue/0")
    with Services(var) as services:
        urls = services.start()
    assert (urls.database_url, urls.redis_url) == ("postgresql://db/clytie", "redis://queue/0")
    assert not var.exists()


def test_only_the_server_without_an_address_is_started(var: Path, open_services: Open) -> None:
    urls = open_services(var, database_url="postgresql://db/clytie").start()
    assert urls.database_url == "postgresql://db/clytie"
    assert redis.Redis.from_url(urls.redis_url).ping()
    assert not (var / "services" / "postgres").exists()


def test_the_servers_do_not_hear_ctrl_c_at_our_terminal(var: Path, open_services: Open) -> None:
    open_services(var).start()
    assert all(os.getsid(pid) != os.getsid(0) for pid in server_pids(var))


def test_stopping_leaves_the_data_and_no_process(var: Path, open_services: Open) -> None:
    services = open_services(var)
    url = services.start().database_url
    query(url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    pids = server_pids(var)
    services.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert list((var / "services" / "run").iterdir()) == []
    services.start()
    assert query(url, "SELECT n FROM kept") == "7"


def test_a_cluster_that_was_only_half_made_is_made_again(var: Path, open_services: Open) -> None:
    draft = var / "services" / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    assert query(open_services(var).start().database_url, "SELECT 1") == "1"


def test_a_server_that_cannot_start_shows_its_last_words(var: Path, open_services: Open) -> None:
    services = open_services(var)
    services.start()
    services.stop()
    with (var / "services" / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        services.start()


@pytest.mark.parametrize("name", ["a" * 100, "with space", "comma,quote'é", "per%cent&?"])
def test_a_path_that_no_socket_address_can_carry_works_all_the_same(
    tmp_path: Path, open_services: Open, name: str
) -> None:
    var = tmp_path / name / "var"
    services = open_services(var)
    urls = services.start()
    assert query(urls.database_url, "SELECT 1") == "1"
    assert redis.Redis.from_url(urls.redis_url).ping()
    outside = Path(urls.redis_url.removeprefix("unix://")).parents[1]
    assert outside.is_relative_to("/tmp")
    assert outside.stat().st_mode & 0o066 == 0
    services.stop()
    assert not outside.exists()


def network_listeners(pid: int) -> list[object]:
    """Return the network sockets on which a process listens."""
    return [
        entry for entry in psutil.Process(pid).net_connections("inet") if entry.status == psutil.CONN_LISTEN
    ]
