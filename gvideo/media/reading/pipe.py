"""Sources that can be read only once, a pipe, standard input or an object of a store, copied so that they can be read
as often as needed.

Encoding reads a source several times (its first frame, then a pass for every round of rate control), and formats such
as MP4 are read back and forth. The copy has no name: it is gone when the program ends, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gvideo.errors import MediaError
from gvideo.stores import is_store_url, read_object

_BLOCK_BYTES = 1 << 20


def is_pipe(name: str | os.PathLike[str]) -> bool:
    """Whether a name is "-" (standard input), that of a pipe or a socket, or the URL of an object of a store."""
    if os.fspath(name) == "-" or is_store_url(os.fspath(name)):
        return True
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextlib.contextmanager
def rereadable(name: str | os.PathLike[str]) -> Iterator[Path | PipeCopy]:
    """What can be opened as often as needed: a file's own name, or the copy of a pipe or an object for as long as the
    context lasts."""
    if not is_pipe(name):
        yield Path(name)
        return
    with PipeCopy(name) as copy:
        yield copy


class PipeCopy:
    """Everything that comes out of a pipe or an object of a store, in an unnamed file of the folder for temporary files
    (TMPDIR).

    name: of the pipe. path: to open the copy by, as long as this object is open. digest: SHA-256 of what came. Raises
    MediaError where the pipe cannot be read or the copy cannot be written.
    """

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(prefix="gvideo-")  # noqa: SIM115  # closed by close()
        digest = hashlib.sha256()
        try:
            for block in self._blocks(name):
                digest.update(block)
                self._file.write(block)
            self._file.flush()
        except OSError as error:
            self.close()
            raise MediaError(
                f"{name}: cannot be copied to {tempfile.gettempdir()} ({error.strerror or error})"
            ) from error
        except BaseException:
            self.close()
            raise
        self.name = os.fspath(name)
        self.digest = digest.hexdigest()
        self.path = Path(f"/proc/self/fd/{self._file.fileno()}")

    def __enter__(self) -> PipeCopy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the copy up."""
        self._file.close()

    @staticmethod
    def _blocks(name: str | os.PathLike[str]) -> Iterator[bytes]:
        if is_store_url(os.fspath(name)):
            yield from read_object(os.fspath(name))
            return
        try:
            with PipeCopy._open(name) as source:
                while block := source.read(_BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise MediaError(f"{name}: cannot be read ({error.strerror or error})") from error

    @staticmethod
    def _open(name: str | os.PathLike[str]) -> BinaryIO:
        if os.fspath(name) != "-":
            return open(name, "rb")
        if sys.stdin is None or sys.stdin.isatty():
            state = "closed" if sys.stdin is None else "a terminal"
            raise MediaError(f"-: standard input is {state}; pipe a video into it")
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
