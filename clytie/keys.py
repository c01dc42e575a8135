"""The keys that sign tokens: from the settings, or from a file under the data directory, made on first start."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from domain.errors import ConfigurationError
from domain.tokens import TokenKeys


def load_token_keys(configured: Mapping[int, str], var: Path) -> TokenKeys:
    """The deployment's keys. Several machines need the same ones: give them as CLYTIE_TOKEN_KEYS.

    Raises ConfigurationError for keys that are not hexadecimal or too short.
    """
    return TokenKeys(load_root_keys(configured, var))


def load_root_keys(configured: Mapping[int, str], var: Path) -> dict[int, bytes]:
    """The keys by number, from which every other secret of the deployment is derived. Raises ConfigurationError."""
    written = dict(configured) or _from_file(var / "token-keys.json")
    try:
        return {int(number): bytes.fromhex(key) for number, key in written.items()}
    except ValueError as error:
        raise ConfigurationError(
            "CLYTIE_TOKEN_KEYS: a key is written in hexadecimal, 64 digits or more; `openssl rand -hex 32` makes one."
        ) from error


def make_carrier_token(configured: Mapping[int, str], var: Path) -> str:
    """The secret of the test carrier's account, the same in every process that has the same keys."""
    keys = load_root_keys(configured, var)
    return blake2b(keys[max(keys)], digest_size=16, person=b"clytie carrier").hexdigest()


def make_webhook_secret(configured: Mapping[int, str], var: Path) -> bytes:
    """What signs the webhooks of rules, where no other secret is set."""
    keys = load_root_keys(configured, var)
    return blake2b(keys[max(keys)], digest_size=32, person=b"clytie webhooks").digest()


def _from_file(path: Path) -> dict[int, str]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"1": secrets.token_hex(32)}, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # whoever comes first wins; the others read what it wrote
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return {int(number): key for number, key in json.loads(path.read_text()).items()}
