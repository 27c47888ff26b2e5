"""tests/bench/gpu.py, which runs seldom and has to be right then: figures fail alone, and parts do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from interpreted import ON_GPU

BENCH = Path(__file__).parent / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program as a module, with its siblings."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCH)
    import gpu

    yield gpu
    for name in {"gpu", "gpu_run", "gpu_kernels", "gpu_streams", "kernels"} & (set(sys.modules) - before):
        del sys.modules[name]


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_a_figure_that_fails_is_a_row_and_the_next_one_is_taken(bench, tmp_path, capsys):
    out = tmp_path / "gpu.tsv"
    run = bench.Run("kernels", out, 60, True)
    assert run.attempt("first", "a", lambda: 1 // 0) is None
    assert run.attempt("second", "b", lambda: 7) == 7
    run.verdict("third", "c", True)
    run.note("fourth", "d", 12345.6, "ms", "two\nlines")
    assert run.num_failed == 1
    run.deadline = time.monotonic() - 1
    assert run.attempt("fifth", "e", lambda: pytest.fail("there was no time")) is None
    assert run.num_failed == 1
    rows = _rows(out)
    assert all(len(row) == len(bench.COLUMNS) for row in rows)
    assert [row[3] for row in rows] == ["FAILED", "passed", "1.235e+04", "skipped"]
    assert "ZeroDivisionError" in rows[0][5]
    assert rows[2][5] == "two lines"
    assert "1 // 0" in capsys.readouterr().err


@pytest.mark.parametrize("fate", ["crash", "hang", "verdict", "success"])
def test_a_part_that_dies_does_not_take_the_others_along(bench, tmp_path, monkeypatch, fate):
    """Part "encode" meets its fate; the others run, and so does the part behind it."""
    asked = []

    def spawn(command: list[str], timeout: float) -> Namespace:
        part = command[command.index("--part") + 1]
        asked.append((part, float(command[command.index("--minutes") + 1])))
        if part == "encode" and fate == "hang":
            raise subprocess.TimeoutExpired(command, timeout)
        return Namespace(returncode={"crash": -11, "verdict": 1}.get(fate, 0) if part == "encode" else 0)

    monkeypatch.setattr(bench.subprocess, "run", spawn)
    out = tmp_path / "results" / "gpu.tsv"
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--output", str(out), "--minutes", "8"])
    assert bench.main() == (0 if fate == "success" else 1)
    assert [part for part, _ in asked] == ["kernels", "encode", "decode"]
    assert sum(minutes for _, minutes in asked) == pytest.approx(8)
    rows = _rows(out)
    assert tuple(rows[0]) == bench.COLUMNS
    told = [row[:4] for row in rows[1:]]
    assert told == ([["encode", "process", "encode", "FAILED"]] if fate in ("crash", "hang") else [])


def test_clips_are_found_or_made(bench, tmp_path):
    """Without a folder of clips and without the sample, one is made that the encoder's source can read."""
    from gvideo.media import VideoSource

    streams = bench.gpu_streams
    for name in ("b.mp4", "a.MKV", "notes.txt"):
        (tmp_path / name).touch()
    assert [clip.name for clip in streams.find_clips(tmp_path, tmp_path, False)] == ["a.MKV", "b.mp4"]
    work = tmp_path / "work"
    work.mkdir()
    (clip,) = streams.find_clips(work, work, True)
    with VideoSource(clip) as source:
        assert (source.format.width, source.format.height) == streams.SMALL_SIZE
        assert sum(1 for _ in source) == 3


#: What each part measures at any size, with or without a GPU.
FIGURES = {
    "kernels": {"reference", "forward", "forward and backward", "forward and backward, fixed capacity"},
    "encode": {"growth, memory by formula", "step of training, in a window", "windows repeated", "quality", "encode"},
    "decode": {"decode, symbols", "decode, frames", "entropy decoding", "drawing on the device", "VideoDecoder, cuda"},
}


@pytest.mark.slow
@pytest.mark.parametrize("part", FIGURES)
def test_every_part_runs_to_its_end(part, tmp_path):
    """At tiny sizes, in Triton's interpreter where there is no GPU; no figure fails or lacks time."""
    pytest.importorskip("triton")
    out = tmp_path / "gpu.tsv"
    environment = os.environ | ({} if ON_GPU else {"TRITON_INTERPRET": "1"})
    environment |= {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, str(BENCH / "gpu.py"), "--small", "--part", part, "--output", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = _rows(out)
    assert {row[1] for row in rows} >= FIGURES[part]
    assert {row[0] for row in rows[1:]} == {part}
    assert not {"FAILED", "skipped"} & {row[3] for row in rows}
