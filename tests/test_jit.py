"""Compiled kernels and their cache on disk."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

_MODULE = """
from typing import NamedTuple

import numpy as np

from gvideo.jit import compiler


class {name}(NamedTuple):
    values: object
    share: float


@compiler(("a stamp",))
def scaled(pair):
    return pair.values.sum() * pair.share


print(scaled({name}(np.arange(4.0), 0.5)), sum(scaled.stats.cache_hits.values()))
"""


def _run(folder: Path, name: str) -> list[str]:
    """Compiles and calls a kernel that takes a named tuple of that name; its answer and the hits of the cache."""
    module = folder / "kernels.py"
    module.write_text(_MODULE.format(name=name))
    os.utime(module, (1_700_000_000, 1_700_000_000))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "import kernels"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_kernels_are_cached_and_an_index_of_classes_that_are_gone_is_made_anew(tmp_path):
    assert _run(tmp_path, "Before") == ["3.0", "0"]
    assert _run(tmp_path, "Before") == ["3.0", "1"]
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    assert b"Before" in index.read_bytes()
    assert _run(tmp_path, "Afterwards") == ["3.0", "0"]
    assert _run(tmp_path, "Afterwards") == ["3.0", "1"]
    with index.open("rb") as file:
        pickle.load(file)  # numba's version
        assert b"Before" not in file.read()
