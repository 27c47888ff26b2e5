"""How many processors and how much memory may be used: affinity and the limits of control groups, laid out as the
kernel does."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gvideo import control_groups, memory, processors


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 64 processors, whose control groups the test writes."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(control_groups, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    processors._allowed.cache_clear()
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_limits_all_that_the_process_is_bound_to(machine):
    assert processors.num_processors() == 64
    processors._allowed.cache_clear()
    write(machine / "own", "0::/user.slice\n")
    write(machine / "cgroup" / "user.slice" / "cpu.max", "max 100000\n")
    assert processors.num_processors() == 64


@pytest.mark.parametrize(
    ("own", "outer", "found"),
    [("250000 100000", "max 100000", 3), ("max 100000", "50000 100000", 1), ("800000 100000", "400000 100000", 4)],
)
def test_the_least_limit_of_nested_groups(machine, own, outer, found):
    write(machine / "own", "0::/pods/gvideo\n")
    write(machine / "cgroup" / "pods" / "gvideo" / "cpu.max", own + "\n")
    write(machine / "cgroup" / "pods" / "cpu.max", outer + "\n")
    assert processors.num_processors() == found


def test_groups_of_the_first_version(machine):
    write(machine / "own", "5:memory:/job\n4:cpu,cpuacct:/job\n")
    write(machine / "cgroup" / "cpu" / "job" / "cpu.cfs_quota_us", "200000\n")
    write(machine / "cgroup" / "cpu" / "job" / "cpu.cfs_period_us", "100000\n")
    write(machine / "cgroup" / "cpu" / "cpu.cfs_quota_us", "-1\n")
    write(machine / "cgroup" / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert processors.num_processors() == 2


def test_limits_that_cannot_be_read_are_none(machine):
    write(machine / "own", "0::/\n")
    write(machine / "cgroup" / "cpu.max", "much\n")
    assert processors.num_processors() == 64


def test_memory_is_what_the_kernel_reckons_available(machine):
    assert memory.available_bytes() == math.inf  # no /proc
    write(machine / "meminfo", "MemTotal:   16000 kB\nMemFree:     100 kB\nMemAvailable:   8000 kB\n")
    assert memory.available_bytes() == 8000 * 1024
    write(machine / "meminfo", "MemTotal:\n")
    assert memory.available_bytes() == math.inf


@pytest.mark.parametrize(
    ("own", "outer", "found"), [("5000000", "max", 4300000), ("max", "2000000", 1300000), ("max", "max", 8192000)]
)
def test_memory_left_by_nested_groups_with_idle_files_free(machine, own, outer, found):
    write(machine / "meminfo", "MemAvailable:   8000 kB\n")
    write(machine / "own", "0::/pods/gvideo\n")
    for group, limit in (("pods/gvideo", own), ("pods", outer)):
        write(machine / "cgroup" / group / "memory.max", limit + "\n")
        write(machine / "cgroup" / group / "memory.current", "1000000\n")
        write(machine / "cgroup" / group / "memory.stat", "anon 600000\ninactive_file 300000\n")
    assert memory.available_bytes() == found


def test_memory_left_by_groups_of_the_first_version(machine):
    write(machine / "own", "5:memory:/job\n4:cpu,cpuacct:/job\n")
    folder = machine / "cgroup" / "memory" / "job"
    write(folder / "memory.limit_in_bytes", "3000000\n")
    write(folder / "memory.usage_in_bytes", "4000000\n")
    write(folder / "memory.stat", "inactive_file 1\ntotal_inactive_file 500000\n")
    assert memory.available_bytes() == 0
    write(folder / "memory.limit_in_bytes", "6000000\n")
    assert memory.available_bytes() == 2500000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_a_bound_process_has_as_many_threads(tmp_path):
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    program += "from gvideo import raster; from gvideo.encoder.backends.devices import default_workers\n"
    program += "print(raster.num_threads(), default_workers('cpu', 640, 360, 48))"
    environment = {k: v for k, v in os.environ.items() if k != "GVIDEO_THREADS"}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.split() == ["1", "1"]
