"""How much memory this process may still take without swapping, in a container less than the machine has.

The least of: what the kernel reckons available (MemAvailable of /proc/meminfo), and what the limits of this process's
control groups leave (memory.max of cgroup v2, memory.limit_in_bytes of v1, as `docker run --memory` sets it). Pages of
files that have not been used for a while count as free, as they do in MemAvailable.
"""

from __future__ import annotations

import math
from pathlib import Path

from gvideo import control_groups

_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> float:
    """Inf where the system does not say, as without /proc."""
    return min(_of_machine(), control_groups.least_limit("memory", _left, control_groups.GROUPS, control_groups.OWN))


def _of_machine() -> float:
    try:
        fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return 1024 * float(fields["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return math.inf


def _left(folder: Path) -> float:
    """Bytes that the limit of one group leaves."""
    if (folder / "memory.max").exists():
        limit, usage, idle = "memory.max", "memory.current", "inactive_file"
    else:
        limit, usage, idle = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    try:
        most, used = (float((folder / name).read_text()) for name in (limit, usage))
        counted = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0.0, most - used + float(counted.get(idle, 0)))
    except (OSError, ValueError):  # "max": no limit
        return math.inf
