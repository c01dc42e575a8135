"""A Dovecot of the tests' own: any user, one password, maildirs in a temporary folder, loopback ports."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from imapclient import IMAPClient

from channels.mail.imap.settings import ImapAccount
from tests.servers import find_program

PASSWORD: Final = "correct-horse"
MASTER: Final = "master"
_PATIENCE: Final = 20.0

_CONFIG: Final = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
auth_cache_size = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_home = {base}/home/%u
mail_location = maildir:~/Maildir
mail_fsync = never
mail_plugins = acl
plugin {{
  acl = vfile
  acl_shared_dict = file:{base}/shared
  acl_user = %u
}}
protocol imap {{
  mail_max_userip_connections = 1000
  mail_plugins = acl imap_acl
  imap_idle_notify_interval = 2 min
  imap_capability = {capability}
}}
auth_master_user_separator = *
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/oauth2.conf
}}
passdb {{
  driver = static
  master = yes
  args = password={password}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/home/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox "Gesendete Objekte" {{
    auto = create
    special_use = \\Sent
  }}
}}
namespace {{
  type = shared
  prefix = shared/%%u/
  separator = /
  location = maildir:{base}/home/%%u/Maildir:INDEXPVT={base}/home/%u/shared/%%u
  subscriptions = no
  list = children
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service imap {{
  process_limit = 400
}}
"""
_OAUTH: Final = """
introspection_mode = post
introspection_url = {introspection_url}
username_attribute = username
active_attribute = active
active_value = true
"""


class Dovecot:
    """A running server. Every name may log in with PASSWORD; its mailbox is made when it is first used.

    As MASTER one may log in to anybody's mailbox. An access token is asked about at `introspection_url`.
    """

    def __init__(self, base: Path, *, introspection_url: str, capability: str) -> None:
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.base = base
        self.certificate = base / "server.pem"
        self.port, self.tls_port = _free_port(), _free_port()
        _make_certificate(self.certificate)
        (base / "home").mkdir()
        (base / "oauth2.conf").write_text(
            _OAUTH.format(introspection_url=introspection_url or "http://127.0.0.1:9/")
        )
        (base / "dovecot.conf").write_text(
            _CONFIG.format(
                base=base,
                certificate=self.certificate,
                user=owner.pw_name,
                group=grp.getgrgid(owner.pw_gid).gr_name,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                password=PASSWORD,
                port=self.port,
                tls_port=self.tls_port,
                capability=capability,
            )
        )
        for path in (base, *base.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        # Not as root, who may not own mail; with no more rights than an ordinary user has.
        rights: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        program = find_program("dovecot", "dovecot-imapd")
        self._process = subprocess.Popen(
            [program, "-F", "-c", str(base / "dovecot.conf")],
            cwd=base,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **(rights if os.getuid() == 0 else {}),
        )
        self._wait()

    def account(self, username: str, **settings: Any) -> ImapAccount:
        """The settings of a user's mailbox, quick to try again."""
        values: dict[str, Any] = {
            "name": username.partition("@")[0],
            "host": "127.0.0.1",
            "port": self.port,
            "encryption": "never",
            "plain_login": True,
            "username": username,
            "retry_seconds": 0.02,
            "retry_longest": 0.2,
            "login_retry_seconds": 0.2,
            "read_seconds": 10,
            **settings,
        }
        if not values.get("oauth") and not values.get("password_file"):
            values.setdefault("password", PASSWORD)
        return ImapAccount.model_validate(values)

    @contextmanager
    def client(self, username: str, folder: str | None = "INBOX") -> Iterator[IMAPClient]:
        """Another mail program of this user, with the folder open."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10) as client:
            client.login(username, PASSWORD)
            if folder is not None:
                client.select_folder(folder)
            yield client

    def put(self, username: str, mails: Sequence[bytes], folder: str = "INBOX") -> None:
        """Let mails arrive in a folder, which is made when it is missing."""
        with self.client(username, None) as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            for start in range(0, len(mails), 100):
                if len(mails) == 1:
                    client.append(folder, mails[0])
                else:
                    client.multiappend(folder, mails[start : start + 100])

    def words(self) -> str:
        """What the server wrote in its log."""
        log = self.base / "log"
        return log.read_text() if log.exists() else ""

    def close(self) -> None:
        """Stop the server and what it started."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        self.close()
        raise RuntimeError(f"Dovecot did not start: {self.words()}")


@contextmanager
def run_dovecot(*, introspection_url: str = "", capability: str = "") -> Iterator[Dovecot]:
    """A server in a temporary folder. `capability` replaces what it offers after the login."""
    version = subprocess.run(
        [find_program("dovecot", "dovecot-imapd"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    if not version.startswith("2.3."):
        pytest.skip(f"Dovecot 2.3 is not installed (version {version.split()[0]} is, whose settings differ)")
    base = Path(tempfile.mkdtemp(prefix="clytie-dovecot-"))
    try:
        server = Dovecot(base, introspection_url=introspection_url, capability=capability)
        try:
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_certificate(path: Path) -> None:
    """A certificate for 127.0.0.1 and its key, in one file."""
    command = [
        find_program("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(path), "-out", str(path) + ".crt",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(str(path) + ".crt").read_text())
