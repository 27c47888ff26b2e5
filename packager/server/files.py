"""Files of a published folder as HTTP responses: ranges, validators, types, caching; and prefixes of layered segments.

    GET /v0-1f0c/seg_7.m4s        the file, or the ranges asked for
    GET /r2/v0-1f0c/seg_7.m4s     its first two layers, as if that were the whole file

Playlists with partial segments, and these, may be waited for (low_latency.py).

Ranges (RFC 9110) are Starlette's, but for those that nobody understands: section 14.2 has a server ignore these. A
prefix is found in the segment's own sidx and ssix.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import re
import stat
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from gvideo.errors import BitstreamError
from packager.isobmff.box import box_header, find_one, parse_boxes
from packager.isobmff.fragments import SegmentIndex, SubsegmentIndex
from packager.server.low_latency import LowLatency, wanted_of
from packager.sink import CHANGING, MEDIA_TYPES

#: Types of the player's page besides those of published files.
_PAGE_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".wasm": "application/wasm",
    ".ico": "image/x-icon", ".bin": "application/octet-stream",
}  # fmt: skip
#: Texts that are compressed for clients that like it.
_COMPRESSED = {".m3u8", ".mpd", ".vtt", ".html", ".js", ".css", ".json"}
_RUNG = re.compile(r"^r([1-9]\d?)/(.+\.m4s)$")
#: First and last byte of a range; one of them may be absent.
_RANGE = re.compile(r"^(?=.*\d)(\d{0,30})-(\d{0,30})$", re.ASCII)
#: styp, sidx and ssix of a segment lie within so many bytes.
_HEAD_BYTES = 1 << 16


class PublishedFiles(StaticFiles):
    """A folder, and behind it the player's page where there is one. Nothing outside and nothing hidden is served."""

    def __init__(self, folder: Path, page: Path | None = None) -> None:
        super().__init__(directory=folder, packages=None, html=False, check_dir=True)
        self._folder, self._low_latency = str(folder), LowLatency()
        # the page's table of start states is a link to the decoder's own
        self._page = None if page is None else StaticFiles(directory=page, follow_symlink=True)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """The file of a path in the folder, else in the page."""
        found = super().lookup_path(path)
        return self._page.lookup_path(path) if found[1] is None and self._page is not None else found

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file of a path; 404 for what is not there, 405 for other methods than GET and HEAD."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD, OPTIONS"})
        path = path.replace(os.sep, "/")
        if path == ".":
            path = "index.html"
        if not _understood(Headers(scope=scope).get("range")):
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        if "\0" in path or any(part.startswith(".") for part in path.split("/")):
            raise HTTPException(404)
        rung = _RUNG.match(path)
        if rung:
            whole, whole_stat = await self._regular_file(rung.group(2))
            return await anyio.to_thread.run_sync(_prefix_response, whole, whole_stat, int(rung.group(1)), scope)
        name, found_stat = await self._coming_file(path)
        wanted = wanted_of(scope["query_string"].decode("latin-1")) if name.endswith(".m3u8") else None
        if wanted is not None:
            return _text_response((await self._low_latency.playlist(name, wanted)).encode(), name, scope)
        if os.path.splitext(name)[1] in _COMPRESSED and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            return await anyio.to_thread.run_sync(_compressed_response, name, scope)
        return self._file(name, found_stat, Headers(scope=scope))

    async def _coming_file(self, path: str) -> tuple[str, os.stat_result]:
        """As _regular_file; what a playlist says to come next is waited for."""
        try:
            return await self._regular_file(path)
        except HTTPException:
            if not await self._low_latency.is_coming(self._folder, path):
                raise
        return await self._regular_file(path)

    async def _regular_file(self, path: str) -> tuple[str, os.stat_result]:
        """(full name, what the file system says) of a file within the folders; 404 for everything else."""
        try:
            name, found = await anyio.to_thread.run_sync(self.lookup_path, path)
        except (OSError, ValueError):  # a name too long, without permission, or that cannot be a name
            raise HTTPException(404) from None
        if found is None or not stat.S_ISREG(found.st_mode):
            raise HTTPException(404)
        return name, found

    def _file(self, name: str, found: os.stat_result, request: Headers) -> Response:
        response = FileResponse(name, stat_result=found, headers=_headers(name), media_type=_media_type(name))
        if self.is_not_modified(response.headers, request):
            return NotModifiedResponse(response.headers)
        return response


def _understood(text: str | None) -> bool:
    """Whether a Range header is one of bytes, every part of which is a range (RFC 9110, section 14.1)."""
    if text is None:
        return True
    unit, _, ranges = text.partition("=")
    parts = [_RANGE.match(part.strip()) for part in ranges.split(",") if part.strip()]
    if unit.strip().lower() != "bytes" or not parts:
        return False
    return all(p is not None and not (p[1] and p[2] and int(p[1]) > int(p[2])) for p in parts)


def _media_type(name: str) -> str:
    suffix = os.path.splitext(name)[1].lower()
    return MEDIA_TYPES.get(suffix) or _PAGE_TYPES.get(suffix) or "application/octet-stream"


def _headers(name: str) -> dict[str, str]:
    suffix = os.path.splitext(name)[1].lower()
    if suffix in (".m4s", ".mp4", ".m4a"):
        cache = "public, max-age=31536000, immutable"
    else:
        cache = f"public, max-age={CHANGING.get(suffix, 60)}"
    vary = {"Vary": "Accept-Encoding"} if suffix in _COMPRESSED else {}
    return {"Cache-Control": cache, **vary}


def _compressed_response(name: str, scope: Scope) -> Response:
    """A text, compressed, with an entity tag of its own; without ranges, which are of no use in it."""
    with open(name, "rb") as file:
        data = file.read()
    return _gzip_response(data, name, scope)


def _text_response(data: bytes, name: str, scope: Scope) -> Response:
    """A text that is as no file is, compressed for clients that like it."""
    if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
        return _gzip_response(data, name, scope)
    headers = _headers(name) | {"ETag": f'"{hashlib.sha256(data).hexdigest()[:20]}"'}
    if _matches(headers["ETag"], Headers(scope=scope)):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=_media_type(name))


@functools.lru_cache(maxsize=32)  # a playlist that many have waited for is compressed once
def _compressed(data: bytes) -> tuple[str, bytes]:
    """An entity tag, and the data compressed."""
    return f'"{hashlib.sha256(data).hexdigest()[:20]}-gzip"', gzip.compress(data, 6, mtime=0)


def _gzip_response(data: bytes, name: str, scope: Scope) -> Response:
    tag, body = _compressed(data)
    headers = _headers(name) | {"ETag": tag}
    if _matches(tag, Headers(scope=scope)):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers | {"Content-Encoding": "gzip"}, media_type=_media_type(name))


def _prefix_response(name: str, found: os.stat_result, layers: int, scope: Scope) -> Response:
    """The first layers of a segment. Ranges of it are not offered: it is small, and players ask for it whole."""
    try:
        with open(name, "rb") as file:
            size = prefix_size(file.read(_HEAD_BYTES), layers)
            file.seek(0)
            data = file.read(size)
    except BitstreamError:
        raise HTTPException(404) from None
    headers = _headers(name) | {"ETag": f'"{found.st_mtime_ns:x}-{found.st_size:x}-r{layers}"'}
    if _matches(headers["ETag"], Headers(scope=scope)):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=_media_type(name))


def _matches(tag: str, request: Headers) -> bool:
    asked = request.get("if-none-match", "")
    return asked.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in asked.split(","))


def prefix_size(head: bytes, layers: int) -> int:
    """Bytes of the first so many layers of a segment, given its first bytes. Raises BitstreamError without an index."""
    at, end = 0, 0
    while at + 8 <= len(head):
        kind, _, size = box_header(head, at, len(head))
        if kind == "moof":
            break
        at += size
        end = at
    boxes = parse_boxes(head, 0, min(end, len(head)))
    sidx, ssix = find_one(boxes, SegmentIndex, "segment"), find_one(boxes, SubsegmentIndex, "segment")
    ranges = (r for s in ssix.subsegments for r in s.ranges if r.level <= layers)
    return sidx.offset + sidx.size + sidx.first_offset + sum(r.num_bytes for r in ranges)
