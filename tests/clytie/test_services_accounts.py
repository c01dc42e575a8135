"""The servers run as root and as an ordinary user, even below a private folder, and change no permissions outside var."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import clytie.services.postgres
import clytie.services.valkey
from clytie.services.account import Account
from clytie.services.programs import find_postgres, find_valkey
from clytie.services.supervisor import Services
from tests.clytie.probes import query, server_pids

Open = Callable[..., Services]
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: an ordinary user cannot become another one"
)


def test_permissions_of_the_folders_above_stay_as_they_are(tmp_path: Path, open_services: Open) -> None:
    var = tmp_path / "private" / "deeper" / "var"
    var.parent.mkdir(parents=True)
    os.chmod(var.parent, 0o750)
    os.chmod(var.parents[1], 0o700)
    before = permissions(var)
    services = open_services(var)
    assert query(services.start().database_url, "SELECT 1") == "1"
    services.stop()
    assert permissions(var) == before


def test_nobody_else_may_enter_the_folder_of_the_sockets(var: Path, open_services: Open) -> None:
    open_services(var).start()
    for folder in ("run", "postgres"):
        assert stat.S_IMODE((var / "services" / folder).stat().st_mode) == 0o700
    assert stat.S_IMODE(var.stat().st_mode) == 0o700


@pytest.mark.root
def test_root_lends_the_servers_another_account(var: Path, open_services: Open) -> None:
    open_services(var).start()
    for pid in server_pids(var):
        server = psutil.Process(pid)
        assert all(server.uids())
        assert all(server.gids())
        assert 0 not in groups(pid)


@pytest.mark.root
def test_an_installation_below_a_private_folder_works_as_root(
    var: Path, tmp_path: Path, open_services: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    package = find_postgres().parents[1]
    shutil.copytree(package, private / package.name, ignore=shutil.ignore_patterns("pginstall", "*.a"))
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    shutil.copy2(find_valkey(), private / "valkey-server")
    private.chmod(0o700)
    programs = private / package.name / find_postgres().parent.name / "bin"
    monkeypatch.setattr(clytie.services.postgres, "find_postgres", lambda: programs)
    monkeypatch.setattr(clytie.services.valkey, "find_valkey", lambda: private / "valkey-server")
    services = open_services(var)
    assert query(services.start().database_url, "SELECT to_char(now(), 'TZ')") == "UTC"
    copies = (
        {Path(os.readlink(f"/proc/{pid}/exe")) for pid in server_pids(var)}
        if os.path.exists("/proc")
        else set()
    )
    assert not any(copy.is_relative_to(private) for copy in copies)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    services.stop()
    assert not any(copy.exists() for copy in copies)


@pytest.mark.root
def test_an_ordinary_user_runs_everything_under_the_own_name(
    ordinary_folder: Path, programs_for_all: tuple[Path, Path]
) -> None:
    nobody = pwd.getpwnam("nobody")
    lines = run_as(Account("nobody", nobody.pw_uid, nobody.pw_gid), start_and_report, ordinary_folder / "var")
    assert lines == ["1", str(nobody.pw_uid), str(nobody.pw_uid)]


@pytest.mark.root
def test_root_goes_on_with_the_servers_of_an_ordinary_user_under_that_name(
    ordinary_folder: Path, programs_for_all: tuple[Path, Path], open_services: Open
) -> None:
    nobody = pwd.getpwnam("nobody")
    var = ordinary_folder / "var"
    run_as(Account("nobody", nobody.pw_uid, nobody.pw_gid), start_and_report, var)
    open_services(var).start()
    assert {psutil.Process(pid).uids().real for pid in server_pids(var)} == {nobody.pw_uid}


@pytest.fixture
def ordinary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of `nobody`, reachable by everybody."""
    folder = Path("/tmp") / f"clytie-ordinary-{os.getpid()}"
    folder.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def programs_for_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The servers' programs, copied to where everybody reaches them when the checkout is a private one."""
    nobody = pwd.getpwnam("nobody")
    account = Account("nobody", nobody.pw_uid, nobody.pw_gid)
    programs, valkey = find_postgres(), find_valkey()
    copies = Path("/tmp") / f"clytie-copies-{os.getpid()}"
    if not (account.can_reach(programs / "postgres") and account.can_reach(valkey)):
        package = programs.parents[1]
        shutil.copytree(package, copies / package.name, ignore=shutil.ignore_patterns("pginstall", "*.a"))
        if (libraries := package.with_name(package.name + ".libs")).exists():
            shutil.copytree(libraries, copies / libraries.name)
        shutil.copy2(valkey, copies / valkey.name)
        programs, valkey = copies / programs.relative_to(package.parent), copies / valkey.name
    monkeypatch.setattr(clytie.services.postgres, "find_postgres", lambda: programs)
    monkeypatch.setattr(clytie.services.valkey, "find_valkey", lambda: valkey)
    yield programs, valkey
    shutil.rmtree(copies, ignore_errors=True)


def start_and_report(var: Path) -> list[str]:
    """Start both servers, and tell who they run as."""
    with Services(var, durable=False) as services:
        answer = query(services.start().database_url, "SELECT 1")
        return [answer, *(str(psutil.Process(pid).uids().real) for pid in server_pids(var))]


def run_as(account: Account, work: Callable[[Path], list[str]], path: Path) -> list[str]:
    """Call a function in a forked child that has become `account`: Python itself may lie out of its reach."""
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)

    def child() -> None:
        os.setgroups([])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
        os.chdir("/")
        sender.send(work(path))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 dislikes a fork beside threads
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
    sender.close()
    try:
        lines: list[str] = receiver.recv()
    finally:
        process.join()
        receiver.close()
    return lines


def permissions(path: Path) -> list[tuple[str, int, int, int]]:
    """Return mode, owner and group of every folder above a path."""
    found = [(parent, parent.stat()) for parent in path.parents]
    return [(str(parent), entry.st_mode, entry.st_uid, entry.st_gid) for parent, entry in found]


def groups(pid: int) -> list[int]:
    """Return the supplementary groups of a process, where the system tells."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return []
    line = next(line for line in status.read_text().splitlines() if line.startswith("Groups:"))
    return [int(word) for word in line.split()[1:]]
