"""A Postfix of the tests' own: everything in a temporary folder, one port of the loopback, mail handed on to ours.

Only root may start one; it needs Debian's package postfix.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.servers import find_program

_QUEUES: Final = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "saved",
    "trace",
)
#: With waits under two seconds its queue manager may meet a mail that is still being delivered, and forgets it.
_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = /tmp, /var
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = help.example
relay_transport = {transport}
default_transport = error:nothing leaves this machine
queue_run_delay = 2s
minimal_backoff_time = 3s
maximal_backoff_time = 4s
smtp_connection_cache_on_demand = no
smtputf8_enable = yes
"""
_MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running Postfix; mail for help.example goes to `transport`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder

    @property
    def log(self) -> str:
        """What it wrote."""
        file = self._folder / "log"
        return file.read_text() if file.exists() else ""

    def queued(self) -> int:
        """Mails that it still has."""
        return sum(
            len(files)
            for name in ("incoming", "active", "deferred", "maildrop")
            for _, _, files in os.walk(self._folder / "queue" / name)
        )


@asynccontextmanager
async def run_postfix(transport: str) -> AsyncIterator[Postfix]:
    """A Postfix that hands its mail to `transport`, e.g. lmtp:inet:127.0.0.1:8028; ended afterwards."""
    find_program("postfix", "postfix")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="clytie-postfix-"))
    try:
        _prepare(folder, port, transport)
        process = _start(folder / "etc")
        try:
            await asyncio.to_thread(_wait_for, port, process)
            yield Postfix(folder, port)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 10)
            process.kill()
            process.communicate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(etc: Path) -> subprocess.Popen[bytes]:
    command = ["/usr/lib/postfix/sbin/master", "-c", str(etc), "-d"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _prepare(folder: Path, port: int, transport: str) -> None:
    owner = pwd.getpwnam("postfix")
    folder.chmod(0o755)
    etc, queue, data = folder / "etc", folder / "queue", folder / "data"
    for place in (etc, queue, data, queue / "pid"):
        place.mkdir(mode=0o755)
    for name in _QUEUES:
        (queue / name).mkdir(mode=0o700)
        os.chown(queue / name, owner.pw_uid, -1)
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (queue / name).mkdir()
        shutil.chown(queue / name, "postfix", "postdrop")
        (queue / name).chmod(mode)
    os.chown(data, owner.pw_uid, -1)
    (etc / "main.cf").write_text(_MAIN.format(folder=folder, transport=transport))
    (etc / "master.cf").write_text(_MASTER.format(port=port))


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"Postfix did not start:\n{process.stderr.read().decode()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(3) == b"220":
                return
        time.sleep(0.05)
    raise RuntimeError("Postfix did not answer")
