"""Limits of the control groups that a process is in, as containers and clusters set them; version 1 and 2.

Source: the kernel's documentation, admin-guide/cgroup-v2 and cgroup-v1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def least_limit(controller: str, limit: Callable[[Path], float], groups: Path = GROUPS, own: Path = OWN) -> float:
    """The least limit of this process's groups and of those around them, since a limit holds for all within; inf
    without one.

    Args:
        controller: "cpu" or "memory".
        limit: the limit that the folder of one group says, inf for none.
        groups: where the groups are.
        own: the file that lists this process's.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    least = math.inf
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        folder = groups / (controller if controllers else "") / name.lstrip("/")
        while True:
            least = min(least, limit(folder))
            if folder in (groups, groups / controller) or folder == folder.parent:
                break
            folder = folder.parent
    return least
