"""Peak memory of this process, for code that tests and benchmarks run in a process of its own."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes() -> float:
    """MiB resident at most since this program was loaded (Linux).

    getrusage would not do: its figure starts at the size of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
