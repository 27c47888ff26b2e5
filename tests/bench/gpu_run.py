"""A run of measurements that goes on after failures: rows of a TSV, verdicts, and a time by which to be done."""

from __future__ import annotations

import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

COLUMNS = ("part", "what", "case", "value", "unit", "beside")


class Run:
    """Rows are written as they come. small: sizes that Triton's interpreter manages in a minute."""

    def __init__(self, part: str, output: Path, seconds: float, small: bool) -> None:
        self.part, self.output, self.small = part, output, small
        self.deadline = time.monotonic() + seconds
        self.num_failed = 0

    def note(self, what: str, case: str, value: float | str, unit: str, beside: str = "") -> None:
        """One row, on the screen and in the file."""
        text = value if isinstance(value, str) else f"{value:.4g}"
        row = "\t".join((self.part, what, case, text, unit, " ".join(beside.split())))
        print(row, flush=True)
        with self.output.open("a") as file:
            file.write(row + "\n")

    def verdict(self, what: str, case: str, good: bool, beside: str = "") -> None:
        """A check: passed, or failed, which the run's exit status tells as well."""
        self.num_failed += not good
        self.note(what, case, "passed" if good else "FAILED", "", beside)

    def attempt(self, what: str, case: str, measure: Callable[[], Any]) -> Any:
        """What measure() gives; None, and a row that says why, if it fails or no time is left."""
        if time.monotonic() > self.deadline:
            self.note(what, case, "skipped", "", "no time was left")
            return None
        try:
            return measure()
        except Exception as error:
            traceback.print_exc()
            self.verdict(what, case, False, f"{type(error).__name__}: {error}"[:300])
            return None

    def seconds_left(self) -> float:
        """Until the part should be done, at least 0."""
        return max(self.deadline - time.monotonic(), 0.0)

    def median_ms(self, call: Callable[[], object], repeats: int = 21, warm: int = 3) -> float:
        """Median time of a synchronised call, ms, after some that do not count; small: of one."""
        times = []
        for k in range(1 if self.small else repeats + warm):
            synchronise()
            started = time.perf_counter()
            call()
            synchronise()
            if k >= warm or self.small:
                times.append(time.perf_counter() - started)
        return 1e3 * statistics.median(times)


def synchronise() -> None:
    """Waits for the GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Most memory of the device that tensors had while call() ran; None without one."""
    if not torch.cuda.is_available():
        call()
        return None
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def import_from(folder: Path) -> None:
    """Makes the helpers of the tests importable."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def device_name() -> str:
    """The GPU, or that there is none."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Triton's interpreter" if os.environ.get("TRITON_INTERPRET") else "no GPU"
