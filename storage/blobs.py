"""Files by the SHA-256 of their content, written so that a crash leaves a whole file or none."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from domain.errors import NotFound

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """A folder of immutable files; `root` is made with mode 0700."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, content: bytes) -> str:
        """Keep `content`, flushed to disk; gives its digest in hex."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if not path.exists():
            if not path.parent.exists():
                path.parent.mkdir(exist_ok=True, mode=0o700)
                _sync(self._root)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
                try:
                    part.write(content)
                    part.flush()
                    os.fsync(part.fileno())
                    os.replace(part.name, path)
                except BaseException:  # a full disk must not be filled by attempts
                    os.unlink(part.name)
                    raise
            _sync(path.parent)
        return digest

    def path(self, digest: str) -> Path:
        """Where the file lies. Raises NotFound for what was never kept, and for anything that is no digest."""
        path = self._path(digest)
        if not path.is_file():
            raise NotFound(f"There is no file {digest}.")
        return path

    def remove(self, digest: str) -> None:
        """Delete the file, if it is there; the caller knows that nothing names it any more."""
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise NotFound(f"{digest!r} is not the SHA-256 of a file.")
        return self._root / digest[:2] / digest


def _sync(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
