"""Random access to a stream's bytes: a path, bytes, or a binary file object."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

from gvideo.errors import MediaError

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


class ByteSource:
    """`read(offset, size)` over any source; fewer bytes than asked for at the end. Paths are reopened after pickling."""

    def __init__(self, source: Source) -> None:
        self.name = "stream"
        self._path: Path | None = None
        if isinstance(source, bytes | bytearray | memoryview):
            self._file: BinaryIO = io.BytesIO(bytes(source))
        elif isinstance(source, str | os.PathLike):
            self._path = Path(source)
            self.name = str(source)
            self._file = self._open(self._path)
        elif hasattr(source, "read") and hasattr(source, "seek"):
            self._file = source
        else:
            raise TypeError(f"a source is a path, bytes or a binary file object, not {type(source).__name__}")
        try:
            self.size = self._file.seek(0, io.SEEK_END)
        except (OSError, ValueError) as error:
            raise MediaError(f"{self.name}: cannot seek in it ({error})") from error

    @staticmethod
    def _open(path: Path) -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            raise MediaError(f"{path}: cannot be read ({error.strerror or error})") from error

    def read(self, offset: int, size: int) -> bytes:
        """Bytes offset … offset+size-1, as far as there are any."""
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except OSError as error:
            raise MediaError(f"{self.name}: cannot be read ({error.strerror or error})") from error

    def close(self) -> None:
        """Closes a file that was opened here."""
        if self._path is not None:
            self._file.close()

    def __getstate__(self) -> dict[str, object]:
        if self._path is None:
            return {"source": self.read(0, self.size), "name": self.name}
        return {"source": self._path, "name": self.name}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(state["source"])  # type: ignore[misc, arg-type]
        self.name = str(state["name"])
