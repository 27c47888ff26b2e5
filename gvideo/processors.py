"""How many processors this process may use, which in a container or on a cluster is less than the machine has.

The least of: what the process is bound to (affinity: taskset, cpusets), and the share of time that its control groups
allow (cpu.max of cgroup v2, cpu.cfs_quota_us of v1, as `docker run --cpus` and Kubernetes set it), rounded up.
"""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path

from gvideo import control_groups


def num_processors() -> int:
    """At least 1."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, _allowed(control_groups.GROUPS, control_groups.OWN))))


@functools.cache
def _allowed(groups: Path, own: Path) -> float:
    """Processors by the groups' share of time, inf without a limit. Read once, since kernels ask at every call."""
    return control_groups.least_limit("cpu", _share, groups, own)


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
