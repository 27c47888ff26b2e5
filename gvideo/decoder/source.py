"""Random access to a stream's bytes: a path, bytes, or a binary file object."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO, cast

from gvideo.errors import MediaError
from gvideo.types import UInt8

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | UInt8 | BinaryIO


class ByteReader(ABC):
    """Bytes at any place of something with a name and a size. Errors of reading are a MediaError, which names it."""

    name: str
    size: int

    @abstractmethod
    def read(self, offset: int, size: int) -> bytes:
        """Bytes offset … offset+size-1, as far as there are any."""

    @abstractmethod
    def close(self) -> None:
        """Frees what was opened."""


class ByteSource(ByteReader):
    """`read(offset, size)` over any source; fewer bytes than asked for at the end. Raises MediaError, which names it.

    Files are read at given places (pread), so threads and forked processes do not disturb each other; a file object of
    the caller's has one position, which is guarded within a process. Paths are opened again after pickling.
    """

    def __init__(self, source: Source) -> None:
        self.name = "stream"
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._data: bytes | None = None
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        if isinstance(source, bytes | bytearray | memoryview):
            self._data = bytes(source)
            self.size = len(self._data)
        elif isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name = str(source)
            self._descriptor, self.size = self._open(self._path)
        elif hasattr(source, "read") and hasattr(source, "seek"):
            self.name = str(getattr(source, "name", self.name))
            if isinstance(source, io.TextIOBase):
                raise TypeError(f"{self.name}: is opened as text; open it with mode 'rb'")
            self._file = cast(BinaryIO, source)
            try:
                self.size = self._file.seek(0, io.SEEK_END)
            except (OSError, ValueError) as error:
                raise MediaError(f"{self.name}: cannot seek in it ({error})") from error
        else:
            self._data = _bytes_of(source)
            self.size = len(self._data)

    @staticmethod
    def _open(path: Path) -> tuple[int, int]:
        try:
            if path.is_dir():
                raise MediaError(f"{path}: is a folder; give a .gsv file")
            if path.exists() and not path.is_file():
                raise MediaError(f"{path}: is a device or a pipe; copy it into a file first")
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaError(f"{path}: cannot be read ({reason})") from error
        return descriptor, os.fstat(descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Bytes offset … offset+size-1, as far as there are any."""
        if self._data is not None:
            return self._data[offset : offset + size]
        try:
            if self._descriptor is not None:
                # The file may end before it did when it was opened: no buffer larger than what is there.
                return os.pread(self._descriptor, min(size, max(self.size - offset, 0)), offset)
            if self._file is not None:
                with self._lock:
                    self._file.seek(offset, io.SEEK_SET)  # some take no default
                    return self._file.read(size)
        except OSError as error:
            raise MediaError(f"{self.name}: cannot be read ({error.strerror or error})") from error
        raise ValueError(f"{self.name}: read after it was closed")

    def close(self) -> None:
        """Closes a file that was opened here; later reads are a ValueError."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            self.close()

    def __getstate__(self) -> dict[str, object]:
        if self._path is None:
            return {"source": self.read(0, self.size), "name": self.name}
        return {"source": self._path, "name": self.name}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(state["source"])  # type: ignore[misc]
        self.name = str(state["name"])


def _bytes_of(source: Any) -> bytes:
    """The bytes of an array or a tensor of bytes, of one dimension."""
    numpy_of = getattr(source, "numpy", None)
    try:
        view = memoryview(numpy_of() if callable(numpy_of) else source)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"a source is a path, bytes or a binary file object, not {type(source).__name__}") from error
    if view.format not in ("B", "b", "c") or view.ndim != 1:
        raise TypeError(f"an array or a tensor as a source has bytes in one dimension, not {view.format} {view.shape}")
    return view.tobytes()
