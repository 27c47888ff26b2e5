"""Bytes from files and http(s), whole or by range: tried again where that helps, limited in time and size, cached.

Whatever goes wrong is a MediaError of one line that names the URL. A range is exact or an error: servers that ignore
ranges are put up with, servers that answer with other bytes are not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import threading
import time
import urllib.parse
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError

from gvideo.errors import MediaError

#: Environment variable that names a folder for fetched segments.
CACHE_VARIABLE = "GVIDEO_SEGMENT_CACHE"
#: No body is larger.
MAX_BYTES = 1 << 31
#: No compressed one is larger: manifests are compressed.
MAX_UNPACKED_BYTES = 1 << 26
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_CHUNK = 1 << 16
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_MAX_WAIT_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes, how many the whole resource has (None: unknown), and the URL after redirects."""

    data: bytes
    total: int | None
    url: str


class _TryAgainError(Exception):
    """An attempt failed, the next may not. wait_seconds: what the server asked for."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class Fetcher:
    """Reads paths and http(s) URLs; several threads may use one, it can be pickled and used after a fork.

    Args:
        timeout_seconds: silence of a server that is put up with, s.
        total_seconds: of one attempt, s.
        attempts: of each request.
        backoff_seconds: pause before the second attempt, doubled with each, s.
        cache: folder for what `read` is told to keep (default: the variable GVIDEO_SEGMENT_CACHE, else none).
        cache_bytes: its largest size.

    Raises:
        MediaError: a resource cannot be read; the message names its URL.

    Example:
        >>> player.Fetcher(attempts=2).some("clip.gsv", 0, 4).data
        b'\\x89GSV'
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = 10.0,
        total_seconds: float = 120.0,
        attempts: int = 4,
        backoff_seconds: float = 0.25,
        cache: Path | None = None,
        cache_bytes: int = 1 << 30,
    ) -> None:
        self._timeout, self._total, self._attempts, self._backoff = (
            timeout_seconds, total_seconds, attempts, backoff_seconds,
        )  # fmt: skip
        named = os.environ.get(CACHE_VARIABLE)
        self._cache = DiskCache(cache or Path(named or ""), cache_bytes) if cache or named else None
        self.num_bytes = 0
        self.num_requests = 0
        self._pool: urllib3.PoolManager | None = None
        self._process = 0
        self._lock = threading.Lock()

    def whole(self, url: str) -> Fetched:
        """A whole resource, compressed on the way if the server likes: for manifests.

        Args:
            url: a path or a URL.

        Returns:
            Fetched: data, its total size, and the URL after redirects.

        Raises:
            MediaError: it cannot be read.

        Example:
            >>> player.Fetcher().whole("clip.gsv").total == pathlib.Path("clip.gsv").stat().st_size
            True
        """
        return self._read(url, 0, None)

    def read(self, url: str, offset: int, size: int | None, *, keep: str = "") -> bytes:
        """Exactly so many bytes.

        Args:
            url: a path or a URL.
            offset: of the first byte.
            size: number of bytes; None: to the end.
            keep: not "": may come from and go to the disk cache; names the edition of the resource.

        Returns:
            The bytes.

        Raises:
            MediaError: they cannot be read, or are not all there.

        Example:
            >>> len(player.Fetcher().read("clip.gsv", 4, 16))
            16
        """
        key = f"{keep}|{url}|{offset}|{size}" if keep and "://" in url else ""
        if key and self._cache and (data := self._cache.get(key)) is not None:
            return data
        data = self._read(url, offset, size).data
        if size is not None and len(data) != size:
            raise MediaError(f"{url}: has {len(data)} of the {size} bytes at {offset}; it was cut short or replaced")
        if key and self._cache:
            self._cache.put(key, data)
        return data

    def some(self, url: str, offset: int, size: int) -> Fetched:
        """At most so many bytes: fewer at the end.

        Args:
            url: a path or a URL.
            offset: of the first byte.
            size: number of bytes.

        Returns:
            Fetched: data, the total size of the resource, and the URL after redirects.

        Raises:
            MediaError: they cannot be read.

        Example:
            >>> len(player.Fetcher().some("clip.gsv", 0, 1 << 30).data) == pathlib.Path("clip.gsv").stat().st_size
            True
        """
        return self._read(url, offset, size)

    def date(self, url: str) -> datetime | None:
        """The time that a server gives with its answer, to the second.

        Args:
            url: of any resource of that server.

        Returns:
            Its clock's time, or None if it does not answer or says none.

        Example:
            >>> player.Fetcher().date("clip.gsv") is None
            True
        """
        if "://" not in url:
            return None
        self.num_requests += 1
        headers = {"User-Agent": "gvideo", "Cache-Control": "no-cache"}
        try:
            answer = self._manager().request("HEAD", url, headers=headers, timeout=self._timeout, retries=False)
            moment = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (HTTPError, OSError, ValueError):
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def close(self) -> None:
        """Closes connections; they are opened anew when they are needed.

        Example:
            >>> fetcher = player.Fetcher()
            >>> fetcher.close()
        """
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._process == os.getpid():
            pool.clear()

    def _read(self, url: str, offset: int, size: int | None) -> Fetched:
        if size == 0:
            return Fetched(b"", None, url)
        if "://" not in url:
            return _read_file(url, offset, size)
        if not url.startswith(("http://", "https://")):
            raise MediaError(f"{url}: a path, or a URL with http:// or https:// wanted")
        reason = ""
        for attempt in range(self._attempts):
            try:
                return self._attempt(url, offset, size)
            except _TryAgainError as error:
                reason = str(error)
                wait = max(self._backoff * 2**attempt * random.uniform(0.75, 1.25), error.wait_seconds)
                if attempt + 1 < self._attempts:
                    time.sleep(min(wait, _MAX_WAIT_SECONDS))
        raise MediaError(f"{url}: cannot be fetched ({reason}; tried {self._attempts} times)")

    def _attempt(self, url: str, offset: int, size: int | None) -> Fetched:
        deadline = time.monotonic() + self._total
        ranged = offset > 0 or size is not None
        headers = {"User-Agent": "gvideo", "Accept-Encoding": "identity" if ranged else "gzip"}
        if ranged:
            headers["Range"] = f"bytes={offset}-" + ("" if size is None else str(offset + size - 1))
        self.num_requests += 1
        try:
            answer = self._manager().request(
                "GET", url, headers=headers, preload_content=False, decode_content=False,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
                retries=urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=8),
            )  # fmt: skip
        except HTTPError as error:
            raise _TryAgainError(_reason(error)) from error
        except (OSError, ValueError) as error:
            raise MediaError(f"{url}: cannot be fetched ({error})") from error
        try:
            return self._answer(url, answer, offset, size, deadline)
        finally:
            answer.close()

    def _answer(
        self, url: str, answer: urllib3.BaseHTTPResponse, offset: int, size: int | None, deadline: float
    ) -> Fetched:
        status = answer.status
        if status in _AGAIN:
            asked = answer.headers.get("Retry-After", "")
            raise _TryAgainError(f"status {status}", float(asked) if asked.isdigit() else 0.0)
        if status == 416:
            raise MediaError(f"{url}: has no bytes at {offset}; it was cut short or replaced")
        if status not in (200, 206):
            raise MediaError(f"{url}: cannot be fetched (status {status})")
        skip, total = 0, None
        if status == 206:
            given = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != offset or (size is not None and int(given[2]) >= offset + size):
                raise _TryAgainError(f"bytes from {offset} were asked for, the answer has other ones")
            total = None if given[3] == "*" else int(given[3])
        else:
            skip = offset  # a server without ranges
        wanted = MAX_BYTES if size is None else skip + size
        data = self._body(url, answer, wanted, deadline)
        if status == 200 and len(data) < wanted:
            total = len(data)
        expected = None if total is None or size is None else max(0, min(size, total - offset))
        data = data[skip:wanted]
        if status == 206 and expected is not None and len(data) < expected:
            raise _TryAgainError(f"{len(data)} of {expected} bytes came")
        return Fetched(data, total, _final_url(url, answer))

    def _body(self, url: str, answer: urllib3.BaseHTTPResponse, wanted: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        length = 0
        try:
            # read1 returns what has come: a server that drips is noticed by the clock, not by its silence
            while length < wanted and (part := answer.read1(_CHUNK, decode_content=False)):
                parts.append(part)
                length += len(part)
                self.num_bytes += len(part)
                if length > MAX_BYTES:
                    raise MediaError(f"{url}: more than {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise _TryAgainError(f"not done after {self._total:g} s")
        except (HTTPError, OSError) as error:
            raise _TryAgainError(_reason(error)) from error
        data = b"".join(parts)
        encoding = answer.headers.get("Content-Encoding", "identity").lower()
        return data if encoding == "identity" else _unpacked(url, data, encoding)

    def _manager(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None or self._process != os.getpid():  # a forked process must not share sockets
                self._pool, self._process = urllib3.PoolManager(maxsize=8, retries=False), os.getpid()
            return self._pool

    def __getstate__(self) -> dict[str, object]:
        state = {**self.__dict__, "_pool": None, "_process": 0}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


class DiskCache:
    """Files by a digest of their key, the longest unused removed when they are more than max_bytes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes

    def get(self, key: str) -> bytes | None:
        """What is kept under a key; damaged files count as absent."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        digest, body = data[:32], data[32:]
        return body if hashlib.sha256(body).digest() == digest else None

    def put(self, key: str, data: bytes) -> None:
        """Keeps data. A full or read-only disk is no error: it is a cache."""
        path = self._path(key)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.replace(path)
            self._shrink()
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _shrink(self) -> None:
        files = [(f.stat(), f) for f in self._folder.iterdir() if f.is_file()]
        total = sum(s.st_size for s, _ in files)
        for status, file in sorted(files, key=lambda item: item[0].st_mtime):
            if total <= self._max_bytes:
                break
            file.unlink(missing_ok=True)
            total -= status.st_size


def _read_file(path: str, offset: int, size: int | None) -> Fetched:
    try:
        if not Path(path).is_file() and Path(path).exists():  # a device or a pipe has no end
            raise MediaError(f"{path}: is no file")
        with Path(path).open("rb") as file:
            total = file.seek(0, os.SEEK_END)
            file.seek(offset)
            return Fetched(file.read(-1 if size is None else min(size, max(0, total - offset))), total, path)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _unpacked(url: str, data: bytes, encoding: str) -> bytes:
    """A body without the compression of the transfer, which must be whole."""
    if encoding not in ("gzip", "x-gzip"):
        raise MediaError(f"{url}: comes with Content-Encoding {encoding}, which was not asked for")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise _TryAgainError(f"its gzip is damaged: {error}") from error
    if unpacker.unconsumed_tail:
        raise MediaError(f"{url}: more than {MAX_UNPACKED_BYTES} bytes when unpacked")
    if not unpacker.eof:
        raise _TryAgainError("its gzip ends too early")
    return unpacked


def _final_url(url: str, answer: urllib3.BaseHTTPResponse) -> str:
    """The URL that answered: what a manifest says is relative to it."""
    return urllib.parse.urljoin(url, answer.url) if answer.url else url


def _reason(error: Exception) -> str:
    """What a chain of exceptions of the HTTP library says, without its object names."""
    inner: object = getattr(error, "reason", None) or error
    text = " ".join(str(inner).split())
    return re.sub(r"<[^>]*>:? ?|HTTP(S)?Connection\([^)]*\): ?", "", text) or type(inner).__name__
