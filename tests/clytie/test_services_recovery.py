"""The servers survive whoever started them, come back when they die, and lose nothing that was committed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from clytie.services.supervisor import Services
from tests.clytie.probes import query, server_pids

Open = Callable[..., Services]
Hold = Callable[[Path], tuple[subprocess.Popen[str], dict[str, str]]]


def test_servers_are_found_again_after_their_parent_was_killed(
    var: Path, hold_services: Hold, open_services: Open
) -> None:
    parent, urls = hold_services(var)
    query(urls["database_url"], "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    pids = server_pids(var)
    parent.kill()
    parent.wait()
    assert all(psutil.pid_exists(pid) for pid in pids)
    found = open_services(var).start()
    assert server_pids(var) == pids
    assert found.database_url == urls["database_url"]
    assert query(found.database_url, "SELECT n FROM kept") == "7"


def test_servers_that_were_found_again_are_stopped_like_one_s_own(
    var: Path, hold_services: Hold, open_services: Open
) -> None:
    parent, _ = hold_services(var)
    pids = server_pids(var)
    parent.kill()
    parent.wait()
    services = open_services(var)
    services.start()
    services.stop()
    assert not any(alive(pid) for pid in pids)
    assert "database system is shut down" in (var / "services" / "postgres.log").read_text()


def test_leftovers_can_be_stopped_without_starting_anything(var: Path, hold_services: Hold) -> None:
    parent, _ = hold_services(var)
    pids = server_pids(var)
    parent.kill()
    parent.wait()
    Services(var).stop_leftovers()
    assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("owner", ["the same account", "another account"])
def test_a_stale_pid_file_is_recognised_though_its_number_lives_on(
    var: Path, open_services: Open, owner: str
) -> None:
    services = open_services(var)
    services.start()
    pid_file = var / "services" / "postgres" / "postmaster.pid"
    text, postmaster = pid_file.read_text(), psutil.Process(int(pid_file.read_text().split()[0]))
    user = postmaster.uids().real if os.geteuid() == 0 and owner == "the same account" else None
    services.stop()
    with subprocess.Popen(["sleep", "60"], cwd="/", user=user) as stranger:
        pid_file.write_text(text.replace(str(postmaster.pid), str(stranger.pid), 1))
        (var / "services" / "valkey.pid").write_text(f"{stranger.pid}\n")
        assert query(services.start().database_url, "SELECT 1") == "1"
        assert stranger.poll() is None
        services.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_after_everything_was_killed_the_committed_rows_are_there(
    var: Path, hold_services: Hold, open_services: Open
) -> None:
    parent, urls = hold_services(var)
    query(urls["database_url"], "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    for pid in (parent.pid, *server_pids(var)):
        os.kill(pid, signal.SIGKILL)
    parent.wait()
    urls_again = open_services(var).start()
    assert query(urls_again.database_url, "SELECT n FROM kept") == "7"
    assert redis.Redis.from_url(urls_again.redis_url).ping()


def test_postgres_comes_back_by_itself_with_what_was_committed(var: Path, open_services: Open) -> None:
    urls = open_services(var).start()
    query(urls.database_url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    old = server_pids(var)[0]
    os.kill(old, signal.SIGKILL)
    until(lambda: query(urls.database_url, "SELECT n FROM kept") == "7")
    assert server_pids(var)[0] != old


def test_valkey_comes_back_by_itself(var: Path, open_services: Open) -> None:
    urls = open_services(var).start()
    old = server_pids(var)[1]
    os.kill(old, signal.SIGKILL)
    until(lambda: bool(redis.Redis.from_url(urls.redis_url).ping()))
    assert server_pids(var)[1] != old


def test_a_valkey_that_hangs_is_replaced_at_the_next_start(
    var: Path, hold_services: Hold, open_services: Open
) -> None:
    parent, _ = hold_services(var)
    hanging = server_pids(var)[1]
    parent.kill()
    parent.wait()
    os.kill(hanging, signal.SIGSTOP)
    urls = open_services(var).start()
    assert redis.Redis.from_url(urls.redis_url).ping()
    assert not alive(hanging)


def test_servers_whose_socket_folder_was_wiped_are_replaced(
    tmp_path: Path, hold_services: Hold, open_services: Open
) -> None:
    var = tmp_path / ("b" * 100)  # too long for a socket, so the sockets lie in /tmp
    parent, urls = hold_services(var)
    pids = server_pids(var)
    parent.kill()
    parent.wait()
    shutil.rmtree(Path(urls["redis_url"].removeprefix("unix://")).parents[1])
    again = open_services(var).start()
    assert query(again.database_url, "SELECT 1") == "1"
    assert redis.Redis.from_url(again.redis_url).ping()
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    """A process that nobody reaped yet does not count."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; connections that are refused meanwhile are expected."""
    deadline, last = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, asyncpg.PostgresError, redis.RedisError) as error:
            last = repr(error)
        time.sleep(0.05)
    pytest.fail(f"still not so after {seconds} s: {last}")
