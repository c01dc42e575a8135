"""Blobs are whole or absent, and nothing but a digest finds one."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import NotFound
from storage.blobs import BlobStore


def test_a_blob_is_found_by_the_digest_of_its_content(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.put(b"brochure")
    assert blobs.put(b"brochure") == digest
    assert blobs.path(digest).read_bytes() == b"brochure"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, "a" * 64, "\x00" * 64])
def test_what_was_never_kept_or_is_no_digest_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        BlobStore(tmp_path / "blobs").path(name)
