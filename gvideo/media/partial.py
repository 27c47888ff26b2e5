"""Files that appear whole or not at all: written under a temporary name beside the destination, then renamed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from gvideo.errors import MediaError
from gvideo.leftovers import hold, remove_leftovers


class PartialFile:
    """A destination under its temporary name ".NAME.PID.partial" in the same folder, open for writing and seeking.

    Every failure of the file system is raised as a MediaError that names the destination.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        if path.is_dir():
            raise MediaError(f"{path}: is a folder; give a file name in it")
        remove_leftovers(path.parent, f".{path.name}.")
        try:
            self.file: BinaryIO = open(self.temporary, "w+b")  # noqa: SIM115  # closed by commit or discard
            hold(self.file)
        except OSError as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> MediaError:
        """The error to raise for what went wrong with this destination."""
        reason = getattr(error, "strerror", None) or str(error)
        return MediaError(f"{self.path}: cannot be written ({reason})")

    def close(self) -> None:
        """Write out what is buffered, keep the temporary name: for sets of files that appear together."""
        try:
            self.file.close()
        except OSError as error:
            self.discard()
            raise self.failure(error) from error

    def commit(self) -> None:
        """Close and give the file its name."""
        self.close()
        try:
            os.replace(self.temporary, self.path)
        except OSError as error:
            self.discard()
            raise self.failure(error) from error

    def discard(self) -> None:
        """Close and remove; never raises for what the file system says."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.temporary)
