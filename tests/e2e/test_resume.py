"""An interrupted encode goes on where it stopped, and the bytes depend on nothing but frames and settings."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streams import split_units

from gvideo import encode
from gvideo.bitstream import units

#: Enough that an interruption after the first finds others unfinished, also on a machine that has other things to do.
NUM_SEGMENTS = 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("resume") / "pan.mkv"
    synthetic.write_clip(path, "pan", num_frames=4 * NUM_SEGMENTS, height=32, width=48)
    return path


@pytest.fixture(scope="module")
def whole(clip) -> bytes:
    """The stream of an uninterrupted run in one process."""
    report = encode(clip, clip.with_name("whole.gsv"), preset="veryfast", segment_seconds=0.16, workers=1)
    assert report.num_segments == NUM_SEGMENTS
    data = clip.with_name("whole.gsv").read_bytes()
    assert [kind for kind, _ in split_units(data)][:2] == [units.SEQUENCE, units.INDEX]
    return data


def command(clip: Path, out: Path, workers: int) -> list[str]:
    options = ["--preset", "veryfast", "--segment", "0.16", "--workers", str(workers), "--json"]
    return [sys.executable, "-m", "gvideo", "encode", str(clip), "-o", str(out), *options]


@pytest.mark.parametrize(("stop", "workers"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)], ids=["interrupt", "terminate"])
def test_interrupt_and_resume(clip, whole, tmp_path, workers, stop):
    out = tmp_path / "out.gsv"
    # a group of its own: like a terminal's Ctrl-C, the signal goes to the workers too; a shell that runs the tests in
    # the background has them, and what they start, ignore it
    process = subprocess.Popen(
        command(clip, out, workers), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    spool = tmp_path / "out.gsv.resume"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if spool.is_dir() and len(os.listdir(spool)) >= 1:
            break
        time.sleep(0.02)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)
    else:
        process.send_signal(stop)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert shown == f"gvideo: interrupted; the same command resumes from {out}.resume\n"
    assert os.listdir(tmp_path) == ["out.gsv.resume"]
    again = subprocess.run(command(clip, out, workers), capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(again.stdout)
    assert 0 < report["num_resumed"] < NUM_SEGMENTS
    assert (report["num_segments"], report["num_frames"]) == (NUM_SEGMENTS, 4 * NUM_SEGMENTS)
    assert os.listdir(tmp_path) == ["out.gsv"]
    assert out.read_bytes() == whole


def test_bytes_do_not_depend_on_workers(clip, whole, tmp_path):
    encode(clip, tmp_path / "out.gsv", preset="veryfast", segment_seconds=0.16, workers=3)
    assert (tmp_path / "out.gsv").read_bytes() == whole


def test_other_settings_resume_nothing(clip, tmp_path):
    """Segments of another quality, and files that are no segments, are not used."""
    spool = tmp_path / "out.gsv.resume"
    spool.mkdir()
    (spool / "0123").write_bytes(b"rubbish")
    report = encode(clip, tmp_path / "out.gsv", preset="veryfast", last=3, workers=1)
    assert report.num_resumed == 0
    assert os.listdir(tmp_path) == ["out.gsv"]


def test_a_full_disk_is_one_line_and_resumes(clip, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    out = tmp_path / "out.gsv"
    full = subprocess.run(
        command(clip, out, 1), preexec_fn=limit, capture_output=True, text=True, timeout=120, check=False
    )
    assert full.returncode == 2
    assert full.stderr.startswith(f"gvideo: {out}")
    assert full.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []
