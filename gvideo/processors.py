"""How many processors this process may use, which in a container or on a cluster is less than the machine has.

The least of: what the process is bound to (affinity: taskset, cpusets), and the share of time that its control groups
allow (cpu.max of cgroup v2, cpu.cfs_quota_us of v1, as `docker run --cpus` and Kubernetes set it), rounded up.
"""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def num_processors() -> int:
    """At least 1."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, _allowed(_GROUPS, _OWN))))


@functools.cache
def _allowed(groups: Path, own: Path) -> float:
    """Processors by the groups' share of time, inf without a limit. Read once, since kernels ask at every call."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    least = math.inf
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = groups / ("cpu" if controllers else "") / name.lstrip("/")
        while True:  # a limit of a group holds for those within it
            least = min(least, _share(folder))
            if folder in (groups, groups / "cpu") or folder == folder.parent:
                break
            folder = folder.parent
    return least


def _share(folder: Path) -> float:
    """Processors by the limit of one group."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{kind}_us").read_text().strip() for kind in ("quota", "period"))
        share = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max": no limit
        return math.inf
    return share if share > 0 else math.inf
