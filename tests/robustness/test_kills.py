"""A few kills and full disks of each kind; tests/robustness/kills.py does many by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import kills
import pytest

from gvideo.leftovers import hold, remove_leftovers
from gvideo.media.partial import PartialFile
from packager.sink import LocalSink

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count", "each"), [("package", 4, 2), ("live", 4, 2), ("encode", 4, 2), ("workers", 2, 2), ("batch", 2, 2)]
)
def test_a_killed_command_can_be_run_again(kind, count, each, tmp_path):
    result = kills.attack(kills.scenarios(tmp_path)[kind], tmp_path, count, each, seed=5)
    assert result.faults == []
    assert (result.kills, result.ends) == (count, count // each)


@pytest.mark.slow
def test_full_disks(tmp_path):
    try:
        found = kills.full_disk(tmp_path)
    except PermissionError:
        pytest.skip("no tmpfs can be mounted")
    for kind, result in found.items():
        assert result.faults == [], kind
        assert result.kills >= 1
        assert result.ends == 1


def test_leftovers_go_and_what_is_written_stays(tmp_path):
    for name in (".a.gsv.1.partial", ".a.gsv.2.partial", ".b.gsv.3.partial", ".a.gsv.keep", "a.gsv.4.partial"):
        (tmp_path / name).write_bytes(b"half")
    with (tmp_path / ".a.gsv.2.partial").open("r+b") as file:
        hold(file)
        remove_leftovers(tmp_path, ".a.gsv.")
        left = {p.name for p in tmp_path.iterdir()}
        assert left == {".a.gsv.2.partial", ".b.gsv.3.partial", ".a.gsv.keep", "a.gsv.4.partial"}
    remove_leftovers(tmp_path, ".a.gsv.")
    assert not (tmp_path / ".a.gsv.2.partial").exists()
    remove_leftovers(tmp_path / "missing", "")


def test_writers_remove_what_killed_ones_left(tmp_path):
    (tmp_path / "v0-1").mkdir()
    (tmp_path / "v0-1" / ".seg_1.m4s.x.partial").write_bytes(b"half")
    (tmp_path / ".out.y4m.999999.partial").write_bytes(b"half")
    for name in ("v0-0123abcd-0", "a0-0123abcdef"):  # names of live runs, and of content, that do not come again
        (tmp_path / name).mkdir()
        (tmp_path / name / ".seg_1.m4s.x.partial").write_bytes(b"half")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".a.partial").write_bytes(b"another's")
    sink = LocalSink(tmp_path)
    sink.put("v0-1/seg_2.m4s", [b"whole"])
    first = PartialFile(tmp_path / "out.y4m")
    second = PartialFile(tmp_path / "other.y4m")
    assert first.temporary.exists()
    first.commit()
    second.discard()
    assert kills.everything(tmp_path) == {
        "mine/.a.partial": b"another's", "out.y4m": b"", "v0-1/seg_2.m4s": b"whole",
    }  # fmt: skip


WORKERS = """
import os, time
from gvideo.encoder.jobs import pool

def work(number):
    return os.getpid()

if __name__ == "__main__":
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context("spawn")
    shared = context.Queue(), context.Value("i", 0), 1
    executor = ProcessPoolExecutor(2, context, pool._start_worker, shared)
    print(*{f.result() for f in [executor.submit(work, n) for n in range(2)]}, flush=True)
    time.sleep(600)
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """Idle ones waited for jobs for ever: each of them holds the pipe open that the others read from."""
    (tmp_path / "parent.py").write_text(WORKERS)
    child = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    workers = child.stdout.readline().split()
    assert workers
    assert all(Path(f"/proc/{int(w)}").exists() for w in workers)
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    child.wait()
    assert kills.left_running(child.pid) == []
