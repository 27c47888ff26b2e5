"""Results by the hash of what they depend on, so that a repeated or extended run does only what is new.

    ROOT/KEY/stream.SUFFIX      the written bytes          KEY = hash(frames, settings, encoder's version)
    ROOT/KEY/encode.json        seconds, when, where
    ROOT/KEY/measure-V.json     figures, V = hash(metrics' version, ffmpeg's version)

A file appears whole or not at all: it is written beside its place and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from gvideo.errors import MediaError


def default_root() -> Path:
    """GVIDEO_CACHE, or gvideo/evaluate in the user's cache folder."""
    own = os.environ.get("GVIDEO_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gvideo" / "evaluate"


def key_of(*parts: object) -> str:
    """A name for a result: a hash of the representations of everything it depends on."""
    return hashlib.sha256("\0".join(repr(p) for p in parts).encode()).hexdigest()[:32]


class CacheEntry:
    """One result's folder."""

    def __init__(self, root: Path, key: str) -> None:
        self.folder = root / key

    def path(self, name: str) -> Path:
        """Place of a file of this entry; its folder exists afterwards. Raises MediaError if it cannot."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"{self.folder}: cannot be made ({error.strerror or error})") from error
        return self.folder / name

    def load(self, name: str) -> dict[str, Any] | None:
        """A stored record, or None where there is none that can be read."""
        try:
            record = json.loads((self.folder / name).read_text())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def store(self, name: str, record: dict[str, Any]) -> None:
        """Stores a record."""
        place = self.path(name)
        partial = place.with_name(f"{name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(record))
        os.replace(partial, place)
