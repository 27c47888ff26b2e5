"""Temporary files of killed runs: known by the lock that a living writer would hold, and removed by the next run."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO, Any


def hold(file: IO[Any]) -> None:
    """Marks an open temporary file as being written; the mark goes with the file or its process. Where the file system
    knows no locks the file is not marked."""
    with contextlib.suppress(OSError):
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Removes files `PREFIX*.partial` of a folder that nobody writes."""
    try:
        names = [n for n in os.listdir(folder) if n.startswith(prefix) and n.endswith(".partial")]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError), open(folder / name, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(folder / name)
