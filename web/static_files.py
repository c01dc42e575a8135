"""The stylesheet, scripts and pictures: held in memory, addressed with a hash, cached for ever by browsers."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}


@cache
def _read(name: str) -> tuple[bytes, str] | None:
    path = FOLDER / name
    if path.parent != FOLDER or path.suffix not in _TYPES or not path.is_file():
        return None
    content = path.read_bytes()
    return content, sha256(content).hexdigest()[:12]


def static_url(name: str) -> str:
    """The address of a file of web/static. Raises FileNotFoundError for a name that is not there."""
    found = _read(name)
    if found is None:
        raise FileNotFoundError(FOLDER / name)
    return f"/static/{found[1]}/{name}"


async def serve_static(request: web.Request) -> web.Response:
    """GET /static/{hash}/{name}; modules import each other by relative names, so the hash may be an older one."""
    name = request.match_info["name"]
    found = _read(name)
    if found is None:
        raise web.HTTPNotFound()
    content, tag = found
    fresh = request.match_info["hash"] == tag
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
        "ETag": f'"{tag}"',
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    kind = _TYPES[Path(name).suffix]
    return web.Response(
        body=content, headers=headers, content_type=kind, charset=None if kind == "image/png" else "utf-8"
    )
