"""Where segments are fitted, and how many at once."""

from __future__ import annotations

import os

from gvideo.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")
#: Segments that share a GPU: one alone leaves it idle between its steps, and while its flow is computed on the CPU.
SEGMENTS_PER_GPU = 4


def choose_device(name: str) -> str:
    """The device, "cpu" or "cuda", for what a user asks for; auto takes a GPU if there is one. Raises OptionError."""
    if name not in DEVICES:
        raise OptionError(f"--device {name}: {', '.join(DEVICES)} wanted")
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    from gvideo.raster.backends import require_cuda

    try:
        require_cuda()
    except OptionError as error:
        raise OptionError(f"--device cuda: {error}") from None
    return name


def default_workers(device: str) -> int:
    """Processes: one a core, or on GPUs as many as keep them busy."""
    cores = os.cpu_count() or 1
    if device == "cpu":
        return cores
    import torch

    return max(1, min(cores, SEGMENTS_PER_GPU * torch.cuda.device_count()))


def use_gpu_of(number: int) -> None:
    """Has this process work on one of several GPUs, segments taking turns."""
    import torch

    if torch.cuda.device_count() > 1:
        torch.cuda.set_device(number % torch.cuda.device_count())
