"""Where published files go: a local folder or an object store. A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from gvideo.errors import MediaError, OptionError
from gvideo.leftovers import hold, remove_leftovers
from gvideo.stores import SCHEMES, open_store, store_errors

#: Files that may change under their name, and how long (s) a cache may keep them; all others never change.
CHANGING = {".m3u8": 2, ".mpd": 2, ".vtt": 60, ".jpg": 60, ".json": 60}
#: Folders of segments: what, number, a word, and of live the number of the input.
_OWN = re.compile(r"[a-z]\d+-[0-9a-f]{8,}(-\d+)?")
MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
    ".gsv": "application/octet-stream",
}


class Sink(Protocol):
    """Named files; names are relative, with `/` between folders. Failures are MediaErrors that name the file."""

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Writes a file; it appears when all its parts are there."""

    def get_range(self, name: str, offset: int, size: int) -> bytes:
        """Bytes offset … offset + size - 1 of a file."""

    def exists(self, name: str) -> bool:
        """Whether a file is there."""

    def list(self) -> Iterator[str]:
        """The names of all files."""

    def delete(self, name: str) -> None:
        """Removes a file."""


def check_name(name: str) -> str:
    """The name itself; raises OptionError if it leaves the folder."""
    if name.startswith("/") or posixpath.normpath(name) != name or name.split("/")[0] == ".." or "\0" in name:
        raise OptionError(f"{name!r}: is no name inside the published folder")
    return name


class LocalSink:
    """A folder, made if it is missing."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._cleaned: set[Path] = set()
        with self._failing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Writes under a temporary name in the same folder, then renames. The first file removes what killed runs left,
        also in folders of names that do not come again."""
        path = self.folder / check_name(name)
        with self._failing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._clean(path.parent)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    hold(file)
                    for part in parts:
                        file.write(part)
                os.chmod(temporary, 0o644)
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise

    def _clean(self, folder: Path) -> None:
        own = () if self._cleaned else (p for p in self.folder.iterdir() if _OWN.fullmatch(p.name))
        for each in {folder, *own} - self._cleaned:
            self._cleaned.add(each)
            remove_leftovers(each, ".")

    def get_range(self, name: str, offset: int, size: int) -> bytes:
        """Bytes of a file."""
        path = self.folder / check_name(name)
        with self._failing(path, "read"), path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.folder / check_name(name)).is_file()

    def list(self) -> Iterator[str]:
        """All files, without those that are being written."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.suffix != ".partial":
                yield path.relative_to(self.folder).as_posix()

    def delete(self, name: str) -> None:
        """Removes a file; one that is gone already is no error."""
        path = self.folder / check_name(name)
        with self._failing(path, "removed"), contextlib.suppress(FileNotFoundError):
            path.unlink()

    @staticmethod
    @contextlib.contextmanager
    def _failing(path: Path, what: str = "written") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MediaError(f"{path}: cannot be {what} ({error.strerror or error})") from error


class StoreSink:
    """A bucket of an object store (S3, Google, Azure), by the package obstore. prefix: a folder within it."""

    def __init__(self, store: Any, prefix: str = "") -> None:
        self._store, self._prefix = store, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Stores an object with its media type and how long it may be cached."""
        suffix = posixpath.splitext(name)[1]
        seconds = CHANGING.get(suffix)
        cache = "public, max-age=31536000, immutable" if seconds is None else f"public, max-age={seconds}"
        attributes = {"Content-Type": MEDIA_TYPES.get(suffix, "application/octet-stream"), "Cache-Control": cache}
        with store_errors(name):
            import obstore

            obstore.put(self._store, self._prefix + check_name(name), b"".join(parts), attributes=attributes)

    def get_range(self, name: str, offset: int, size: int) -> bytes:
        """Bytes of an object."""
        with store_errors(name):
            import obstore

            found = obstore.get_range(self._store, self._prefix + check_name(name), start=offset, length=size)
            return bytes(found)

    def exists(self, name: str) -> bool:
        """Whether an object is there."""
        with store_errors(name):
            import obstore

            try:
                obstore.head(self._store, self._prefix + check_name(name))
            except FileNotFoundError:
                return False
        return True

    def list(self) -> Iterator[str]:
        """The names of all objects below the prefix."""
        with store_errors(self._prefix or "/"):
            import obstore

            for batch in obstore.list(self._store, prefix=self._prefix or None):
                yield from (entry["path"].removeprefix(self._prefix) for entry in batch)

    def delete(self, name: str) -> None:
        """Removes an object."""
        with store_errors(name):
            import obstore

            obstore.delete(self._store, self._prefix + check_name(name))


def open_sink(destination: str) -> Sink:
    """A sink for files of a presentation.

    Args:
        destination: a folder, or s3://bucket/prefix, gs:// or az://; credentials come from the environment.

    Returns:
        A Sink, which puts, gets, lists and deletes files by name.

    Raises:
        OptionError: the scheme is none of these.
        MissingExtraError: the package for stores is not installed.

    Example:
        >>> packager.open_sink("stream").exists("master.m3u8")
        False
    """
    scheme, mark, _ = destination.partition("://")
    if not mark:
        return LocalSink(destination)
    if scheme not in SCHEMES:
        raise OptionError(f"{destination}: a folder, s3://, gs:// or az:// wanted")
    return StoreSink(*open_store(destination))
