"""Finished segments kept until the stream is whole, so that an interrupted encode goes on where it stopped.

A segment is named by the hash of everything it depends on (SegmentJob.key): the same frames and settings find it again,
anything else does not.

    beside the destination     OUT.resume/KEY                              (default)
    in a folder, --spool DIR   DIR/OUT-HASH.resume/KEY                     HASH: of the destination
    in a store, --spool s3://  the same, and a copy in a folder for temporary files, which this run reads
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gvideo.encoder.segment import SegmentResult
from gvideo.errors import MediaError
from gvideo.stores import is_store_url, open_store, store_errors

#: What a result is made of. A spool may lie where others can write; nothing else is loaded from it.
_KNOWN = {
    ("gvideo.encoder.segment", "SegmentResult"),
    ("gvideo.encoder.grain", "GrainStatistics"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a finished segment")
        return super().find_class(module, name)


class Spool:
    """Results by key, in a folder that is made. name: what messages call it (default: the folder). Raises MediaError
    if it cannot be used."""

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self.folder, self.name = folder, str(folder) if name is None else name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"{self.name}: cannot be written ({error.strerror or error})") from error

    def load(self, key: str) -> SegmentResult | None:
        """A finished result, or None."""
        path = self.folder / key
        if not path.is_file():
            return None
        try:
            result = _Unpickler(io.BytesIO(path.read_bytes())).load()
        except Exception:  # damaged bytes may raise whatever they like
            return None
        return result if isinstance(result, SegmentResult) else None

    def store(self, key: str, result: SegmentResult) -> None:
        """Keeps a result; a file is whole or absent."""
        self._write(key, pickle.dumps(result))

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Deletes the folder unless something can be resumed from it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _write(self, key: str, data: bytes) -> None:
        partial = self.folder / f"{key}.partial"
        try:
            partial.write_bytes(data)
            os.replace(partial, self.folder / key)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise MediaError(f"{self.name}: cannot be written ({error.strerror or error})") from error


class StoreSpool(Spool):
    """A spool in an object store, for runs that may go on on another machine. What lies there is listed once; what is
    stored goes there too."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._store, self._prefix = open_store(self._url)
        with store_errors(self._url):
            import obstore

            listed = (entry["path"] for batch in obstore.list(self._store, prefix=self._prefix) for entry in batch)
            self._there = {path.removeprefix(f"{self._prefix}/") for path in listed}
        super().__init__(Path(tempfile.mkdtemp(prefix="gvideo-spool-")))

    def load(self, key: str) -> SegmentResult | None:
        """A finished result, or None."""
        if key in self._there and not (self.folder / key).exists():
            import obstore

            with store_errors(self._url):
                self._write(key, bytes(obstore.get(self._store, f"{self._prefix}/{key}").bytes()))
        return super().load(key)

    def store(self, key: str, result: SegmentResult) -> None:
        """Keeps a result, here and in the store."""
        import obstore

        data = pickle.dumps(result)
        with store_errors(self._url):
            obstore.put(self._store, f"{self._prefix}/{key}", data)
        self._there.add(key)
        self._write(key, data)

    def remove(self) -> None:
        """Deletes everything, here and in the store."""
        import obstore

        with store_errors(self._url):
            if self._there:
                obstore.delete(self._store, [f"{self._prefix}/{key}" for key in sorted(self._there)])
        self._there.clear()
        super().remove()

    def remove_if_empty(self) -> None:
        """Deletes the copy on this machine."""
        super().remove()


def open_spool(destination: str, place: str | None = None) -> Spool:
    """The spool of a destination. place: a folder or the URL of one in a store; None: beside the destination. Raises
    MediaError if it cannot be used."""
    if place is None:
        return Spool(Path(f"{destination}.resume"), destination)
    whole = destination if is_store_url(destination) else os.path.abspath(destination)
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    name = f"{os.path.basename(destination.rstrip('/'))}-{digest}.resume"
    if is_store_url(place):
        return StoreSpool(f"{place.rstrip('/')}/{name}")
    return Spool(Path(place) / name)
