"""Where published files are read from: a folder or a URL, whole or by range."""

from __future__ import annotations

import http.client
import os
import posixpath
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from gvideo.errors import MediaError
from packager.presentation import ByteRange

_TIMEOUT_SECONDS = 20


class MissingError(Exception):
    """A file, or a range of it, is not there; the text says why."""


class Place(Protocol):
    """Reads files by the name that a manifest gives them, relative to the manifest."""

    def read(self, name: str, part: ByteRange | None = None) -> bytes:
        """Bytes of a file. Raises MissingError unless all are there."""

    def headers(self, name: str) -> Mapping[str, str] | None:
        """Headers of the answer to a GET with `Accept-Encoding: gzip`, or None where there is no server."""


class Folder:
    """A local folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str, part: ByteRange | None = None) -> bytes:
        """Bytes of a file."""
        if posixpath.normpath(name).startswith(("/", "..")):
            raise MissingError(f"{name} lies outside the folder")
        path = self._path / urllib.parse.unquote(name.partition("?")[0])
        try:
            if path.exists() and not path.is_file():  # a device or a pipe has no end
                raise MissingError(f"{name} is no file")
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                start, end = (part.offset, min(size, part.offset + part.size)) if part else (0, size)
                file.seek(min(start, size))
                data = file.read(max(0, end - start))
        except (OSError, ValueError) as error:
            raise MissingError(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from error
        return _whole(name, part, data)

    def headers(self, name: str) -> Mapping[str, str] | None:
        """There is no server."""
        return None


class Web:
    """Files below a URL."""

    def __init__(self, base: str) -> None:
        self._base = base if base.endswith("/") else base + "/"

    def read(self, name: str, part: ByteRange | None = None) -> bytes:
        """Bytes of a resource; a range must be answered with 206 and that range."""
        headers = {"Range": f"bytes={part.offset}-{part.offset + part.size - 1}"} if part else {}
        status, found, data = self._get(name, headers)
        if part and (status != 206 or not found.get("Content-Range", "").startswith(f"bytes {part.offset}-")):
            raise MissingError(f"{name}: a range was asked for, the answer has status {status}")
        return _whole(name, part, data)

    def headers(self, name: str) -> Mapping[str, str] | None:
        """Headers of a resource."""
        return self._get(name, {"Accept-Encoding": "gzip"})[1]

    def _get(self, name: str, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        url = urllib.parse.urljoin(self._base, name)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS
            ) as answer:
                return answer.status, answer.headers, answer.read()
        except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
            raise MissingError(f"{name} cannot be fetched ({error})") from error


def _whole(name: str, part: ByteRange | None, data: bytes) -> bytes:
    if part and len(data) != part.size:
        raise MissingError(f"{name} has {len(data)} of the {part.size} bytes at {part.offset}")
    return data


def open_place(place: str) -> Place:
    """A folder, or a URL of a folder or of a manifest in it."""
    if "://" in place:
        if not place.startswith(("http://", "https://")):
            raise MediaError(f"{place}: a folder, or a URL with http:// or https:// wanted")
        return Web(place.rpartition("/")[0] if place.endswith((".m3u8", ".mpd")) else place)
    path = Path(place)
    if path.is_file():
        path = path.parent
    if not path.is_dir():
        raise MediaError(f"{place}: no such folder")
    return Folder(path)
