"""Downloads: what is sent, under which name and type, and that nothing else can be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from yarl import URL

from domain.tokens import TokenUse
from storage.blobs import BlobStore
from storage.pool import Pool, open_pool
from tests.tracking.town import (
    KEYS,
    Client,
    Letter,
    count_traces,
    open_doors,
    read_counts,
    read_hits,
    send_letter,
)
from tests.tracking.wire import lay_wire
from tracking.settings import TrackingSettings

PDF = b"%PDF-1.4 the brochure" * 100


@pytest.fixture
async def doors(pool: Pool, tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "secret.txt").write_text("the server's secret")
    async with open_doors(pool, tmp_path / "blobs") as client:
        yield client


@pytest.fixture
async def letter(pool: Pool) -> Letter:
    return await send_letter(pool)


async def keep(
    pool: Pool, folder: Path, name: str, content: bytes = PDF, kind: str = "application/pdf"
) -> str:
    """Make an asset; gives its digest."""
    digest = BlobStore(folder / "blobs").put(content)
    await pool.execute(
        "INSERT INTO assets (name, blob, media_type, size) VALUES ($1, $2, $3, $4)",
        name,
        digest,
        kind,
        len(content),
    )
    return digest


async def test_a_download_is_sent_and_recorded_with_its_name(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    answer = await doors.get(f"/d/{letter.token}/roofs.pdf")
    assert (answer.status, await answer.read()) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert (
        answer.headers["Content-Disposition"]
        == "attachment; filename=\"roofs.pdf\"; filename*=UTF-8''roofs.pdf"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    [hit] = await read_hits(pool)
    assert (hit["type"], hit["data"], hit["message_id"]) == (
        "Downloaded",
        {"asset": "roofs.pdf"},
        letter.message_id,
    )


async def test_a_download_without_measuring_leaves_no_trace(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    answer = await doors.get("/d/none/roofs.pdf")
    assert (answer.status, await answer.read()) == (200, PDF)
    assert await count_traces(pool) == 0


async def test_an_anonymous_download_is_counted(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    assert (await doors.get(f"/d/{KEYS.sign(TokenUse.MEASURE, letter.campaign_id)}/roofs.pdf")).status == 200
    assert await read_counts(pool) == {("Downloaded", 0): 1}


async def test_only_the_first_part_of_a_download_is_a_hit(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    for ranges, content in (("bytes=0-9", PDF[:10]), ("bytes=10-19", PDF[10:20]), ("bytes=-5", PDF[-5:])):
        answer = await doors.get(f"/d/{letter.token}/roofs.pdf", headers={"Range": ranges})
        assert (answer.status, await answer.read()) == (206, content)
    assert len(await read_hits(pool)) == 1


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        (
            "Dossier été 2026.pdf",
            "attachment; filename=\"Dossier _t_ 2026.pdf\"; filename*=UTF-8''Dossier%20%C3%A9t%C3%A9%202026.pdf",
        ),
        ('a"b;c\\.pdf', "attachment; filename=\"a_b_c_.pdf\"; filename*=UTF-8''a%22b%3Bc%5C.pdf"),
        ("100% (1)'.pdf", "attachment; filename=\"100_ _1__.pdf\"; filename*=UTF-8''100%25%20%281%29%27.pdf"),
    ],
)
async def test_a_name_survives_the_header(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path, name: str, disposition: str
) -> None:
    await keep(pool, tmp_path, name)
    answer = await doors.get(URL(f"/d/{letter.token}/{quote(name, safe='')}", encoded=True))
    assert (answer.status, answer.headers["Content-Disposition"]) == (200, disposition)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
async def test_what_could_run_in_a_browser_is_saved_and_never_shown(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path, kind: str
) -> None:
    await keep(pool, tmp_path, "page", b"<script>alert(1)</script>", kind)
    answer = await doors.get(f"/d/{letter.token}/page")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_broken_media_type_does_not_reach_the_header(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "x.bin", b"x", "text/html\r\nSet-Cookie: a=b")
    answer = await doors.get(f"/d/{letter.token}/x.bin")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Set-Cookie" not in answer.headers


ESCAPES = (
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "..%5csecret.txt",
    "....//secret.txt",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "secret.txt",
    "secret.txt%00.pdf",
    "roofs.pdf%00",
    "roofs.pdf/",
    "ROOFS.PDF",
    "..",
    "%",
    "a" * 4000,
)


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("measured", [True, False])
async def test_nothing_outside_the_asset_store_can_be_reached(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path, name: str, measured: bool
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    token = letter.token if measured else "none"
    answer = await doors.get(URL(f"/d/{token}/{name}", encoded=True))
    assert answer.status in (400, 404)
    assert b"secret" not in (await answer.read()).replace(name.encode(), b"")
    assert await count_traces(pool) == 0


async def test_an_asset_cannot_be_asked_for_by_its_digest(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    digest = await keep(pool, tmp_path, "roofs.pdf")
    for name in (digest, f"{digest[:2]}%2f{digest}"):
        assert (await doors.get(URL(f"/d/{letter.token}/{name}", encoded=True))).status == 404


async def test_a_row_whose_blob_is_no_digest_leads_nowhere(pool: Pool, doors: Client, letter: Letter) -> None:
    await pool.execute(
        "INSERT INTO assets (name, blob, media_type, size) VALUES ('x', '../../secret.txt', 'text/plain', 1)"
    )
    assert (await doors.get(f"/d/{letter.token}/x")).status == 404


async def test_a_forged_token_downloads_nothing(
    pool: Pool, doors: Client, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    answer = await doors.get(f"/d/{letter.token[:-2]}AA/roofs.pdf", headers={"Accept-Language": "en"})
    assert answer.status == 404
    assert "This file is not here" in await answer.text()


async def test_without_a_database_a_known_file_is_still_sent_and_marked(
    pool: Pool, database_url: str, letter: Letter, tmp_path: Path
) -> None:
    await keep(pool, tmp_path, "roofs.pdf")
    async with lay_wire(database_url) as wire:
        far = await open_pool(wire.url, max_size=3)
        async with open_doors(far, tmp_path / "blobs", TrackingSettings(patience=0.3)) as doors:
            assert "Clytie-Unrecorded" not in (await doors.get(f"/d/{letter.token}/roofs.pdf")).headers
            await wire.break_down()
            known = await doors.get(f"/d/{letter.token}/roofs.pdf")
            assert (known.status, known.headers["Clytie-Unrecorded"]) == (200, "1")
            assert await known.read() == PDF
            unknown = await doors.get(f"/d/{letter.token}/other.pdf")
            assert (unknown.status, unknown.headers["Retry-After"]) == (503, "5")
        far.terminate()
