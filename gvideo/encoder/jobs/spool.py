"""Finished segments on disk, so that an interrupted encode goes on where it stopped.

A segment's file is named by the hash of everything it depends on (SegmentJob.key): the same frames and settings find
it again, anything else does not. The folder is `OUT.resume` beside the destination and goes when the stream is whole.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
from pathlib import Path

from gvideo.encoder.segment import SegmentResult
from gvideo.errors import MediaError


class Spool:
    """Results by key. Raises MediaError if the folder cannot be used."""

    def __init__(self, destination: Path) -> None:
        self.folder = destination.with_name(destination.name + ".resume")
        try:
            self.folder.mkdir(parents=False, exist_ok=True)
        except OSError as error:
            raise MediaError(f"{destination}: cannot be written ({error.strerror or error})") from error

    def load(self, key: str) -> SegmentResult | None:
        """A finished result, or None."""
        path = self.folder / key
        if not path.is_file():
            return None
        try:
            result = pickle.loads(path.read_bytes())
        except (OSError, pickle.UnpicklingError, EOFError, AttributeError):
            return None
        return result if isinstance(result, SegmentResult) else None

    def store(self, key: str, result: SegmentResult) -> None:
        """Keeps a result; a file is whole or absent."""
        partial = self.folder / f"{key}.partial"
        try:
            partial.write_bytes(pickle.dumps(result))
            os.replace(partial, self.folder / key)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise MediaError(f"{self.folder}: cannot be written ({error.strerror or error})") from error

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Deletes the folder unless something can be resumed from it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()
