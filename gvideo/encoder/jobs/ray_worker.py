"""What runs on the machines of a Ray cluster: fits of segments, and the collection of how far they are."""

from __future__ import annotations

import errno
import time
from typing import Any

from gvideo.encoder.jobs.executor import Fit
from gvideo.encoder.jobs.pool import use_threads
from gvideo.encoder.jobs.ray_connection import require_same, versions
from gvideo.encoder.segment import ENCODER_VERSION, SegmentResult
from gvideo.errors import GVideoError

#: How often a fit tells how far it is: with thousands at work, one collector hears them all.
_REPORT_SECONDS, _REPORT_SHARE = 2.0, 0.02


class MachineError(GVideoError):
    """A machine that cannot work, such as one whose disk is full; another one may be better off."""


class Shares:
    """How far segments are. An actor, so that any machine can tell it and the driver can ask."""

    def __init__(self) -> None:
        self._shares: dict[int, float] = {}

    def add(self, number: int, share: float) -> None:
        """A segment is that far."""
        self._shares[number] = share

    def take(self) -> dict[int, float]:
        """What has been told since the last call."""
        taken, self._shares = self._shares, {}
        return taken


def described() -> dict[str, str]:
    """The versions that a result depends on."""
    return {**versions(), "encoder": str(ENCODER_VERSION)}


def fit_on_machine(
    jobs: list[Any], fit: Fit, number: int, shares: Any, wanted: dict[str, str], num_threads: int
) -> tuple[SegmentResult, float]:
    """(the result, seconds that it took). jobs: a reference to the job, in a list so that it is fetched here, behind
    the check of the versions. Raises MachineError for this machine's faults, GVideoError for others."""
    import ray

    machine = ray.util.get_node_ip_address()
    require_same(described(), wanted, machine)
    use_threads(num_threads)
    last, last_share = time.monotonic(), 0.0

    def report(share: float) -> None:
        nonlocal last, last_share
        if share - last_share >= _REPORT_SHARE and time.monotonic() - last >= _REPORT_SECONDS:
            last, last_share = time.monotonic(), share
            shares.add.remote(number, share)

    try:
        job = ray.get(jobs[0])
        began = time.monotonic()
        return fit(job, report), time.monotonic() - began
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            raise
        raise MachineError(f"machine {machine} of the cluster: {error.strerror}") from None


def gpu_bytes() -> int:
    """Memory of the GPU that this task was given."""
    import torch

    return int(torch.cuda.mem_get_info()[1])
