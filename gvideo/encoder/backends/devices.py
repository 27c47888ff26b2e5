"""Where segments are fitted, and how many at once."""

from __future__ import annotations

from gvideo import memory
from gvideo.errors import OptionError
from gvideo.processors import num_processors

DEVICES = ("auto", "cpu", "cuda")
#: Segments that share a GPU: one alone leaves it idle between its steps, and while its flow is computed on the CPU.
SEGMENTS_PER_GPU = 4
#: What a process takes of a GPU's memory before it has a segment, by estimate: CUDA's context, torch's
#: and Triton's code.
PROCESS_BYTES = 600_000_000


#: What a process takes of the machine's memory before it has a segment, and with a segment a pixel and frame: the lines
#: through the rows of one segment in docs/results/0.1.0/speed.tsv (176x144 to 1920x1080, 12 to 54 frames), within 8 %.
CPU_PROCESS_BYTES, CPU_BYTES_A_PIXEL = 430_000_000, 64


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


def default_workers(device: str, width: int, height: int, num_frames: int) -> int:
    """Processes for segments of that size: one a core, or on GPUs as many as keep them busy; never more than memory
    holds, but one, which may still be enough."""
    cores = num_processors()
    if device == "cpu":
        wanted = CPU_PROCESS_BYTES + CPU_BYTES_A_PIXEL * num_frames * width * height
        return max(1, int(min(cores, memory.available_bytes() // wanted)))
    import torch

    wanted = segment_bytes(width, height, num_frames)
    free = (torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count()))
    return max(1, min(cores, sum(min(SEGMENTS_PER_GPU, int(bytes_there // wanted)) for bytes_there in free)))


def segment_bytes(width: int, height: int, num_frames: int) -> int:
    """Memory of a GPU for a segment while it grows, the most that it ever needs (CudaObjective, CudaGrowth), with 100
    bytes a pixel for Gaussians and their pairs with tiles."""
    return PROCESS_BYTES + (40 * num_frames + 140) * width * height


def use_gpu_of(number: int) -> None:
    """Has this process work on one of several GPUs, segments taking turns."""
    import torch

    if torch.cuda.device_count() > 1:
        torch.cuda.set_device(number % torch.cuda.device_count())
