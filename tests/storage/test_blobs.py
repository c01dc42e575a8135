"""Blobs are whole or absent, and nothing but a digest finds one."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from domain.errors import NotFound
from storage.blobs import BlobStore


def test_a_blob_is_found_by_the_digest_of_its_content(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.put(b"brochure")
    assert blobs.put(b"brochure") == digest
    assert blobs.path(digest).read_bytes() == b"brochure"


def test_a_disk_that_is_full_is_not_filled_further_by_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, "No space left on device")

    blobs = BlobStore(tmp_path / "blobs")
    with monkeypatch.context() as patch:
        patch.setattr("storage.blobs.os.fsync", be_full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                blobs.put(b"brochure")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert blobs.path(blobs.put(b"brochure")).read_bytes() == b"brochure"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, "a" * 64, "\x00" * 64])
def test_what_was_never_kept_or_is_no_digest_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        BlobStore(tmp_path / "blobs").path(name)
