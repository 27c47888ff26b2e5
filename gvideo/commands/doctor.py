"""say what is installed and what works here: versions, kernels, GPU, ffmpeg and its encoders, disk"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gvideo import __version__
from gvideo.commands.terminal.console import console
from gvideo.errors import GVideoError
from gvideo.extras import missing
from gvideo.processors import num_processors

#: Packages that must be there; extra -> what it is for.
NEEDED = ("numpy", "av", "numba", "pillow", "m3u8", "urllib3", "starlette", "uvicorn", "shtab")
OPTIONAL = {
    "encode": "gvideo encode and batch, torch tensors, resizing of sources",
    "cuda": "encoding and drawing on a GPU",
    "eval": "gvideo eval and study",
    "play": "gvideo play in a window",
    "server": "gvideo serve --server granian and --metrics",
    "store": "object stores",
    "cluster": "gvideo encode --cluster, on Ray",
}
#: Packages of extras whose versions are told.
_TOLD = {"encode": ("torch", "opencv-python-headless", "scipy"), "cuda": ("triton",), "eval": ("imageio-ffmpeg",),
         "play": ("pygame-ce",), "server": ("granian", "prometheus-client"), "store": ("obstore",),
         "cluster": ("ray",)}  # fmt: skip
ENCODERS = {"libx264": "--fallback avc, .mp4, gvideo eval", "libx265": "gvideo eval", "libsvtav1": "gvideo eval"}
#: Less free space than this is said.
_LITTLE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. state: "ok", "missing" (something optional is not there), or "fault"."""

    name: str
    state: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo doctor`."""
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--compile", action="store_true", help="compile the kernels now, so that no first use waits")


def run(arguments: argparse.Namespace) -> None:
    """Prints what was found; a fault, which keeps gvideo from working, is an error."""
    if arguments.compile:
        from gvideo.commands.encoding.warm_up import warm_up

        console.say("note", "doctor: compiling, a minute or two the first time")
        warm_up()
    found = list(findings())
    if arguments.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        width = max(len(one.name) for one in found)
        mark = {"ok": "  ", "missing": "- ", "fault": "! "}
        for one in found:
            print(f"{mark[one.state]}{one.name:{width}}  {one.text}")
    faults = [one.name for one in found if one.state == "fault"]
    if faults:
        raise GVideoError(f"doctor: {len(faults)} fault(s): {', '.join(faults)}")


def findings() -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it is printed."""
    yield Finding("gvideo", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for name in NEEDED:
        version = _version(name)
        yield Finding(name, "ok" if version else "fault", version or f"not installed; pip install {name}")
    for extra, purpose in OPTIONAL.items():
        lacking = missing(extra)
        if lacking:
            text = f"needs {', '.join(lacking)}; pip install 'gvideo[{extra}]'"
            yield Finding(f"[{extra}]", "missing", f"{purpose}: {text}")
        yield from (Finding(name, "ok", _version(name)) for name in _TOLD[extra] if _version(name))
    for name, look in (("kernels", _kernels), ("gpu", _gpu), ("ffmpeg", _ffmpeg)):
        yield from _guarded(name, look)
    yield from _disk()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a look finds; that it cannot be taken is a finding, too."""
    try:
        yield from look()
    except Exception as error:
        yield Finding(name, "fault", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _kernels() -> Iterator[Finding]:
    from gvideo import raster
    from gvideo.entropy import coder
    from gvideo.raster import cpu_kernels

    usable = f"{num_processors()} of {os.cpu_count()} processors"
    yield Finding("threads", "ok", f"{raster.num_threads()} (GVIDEO_THREADS), {usable}")
    for name, module in (("drawing kernels", cpu_kernels), ("coding kernels", coder)):
        folder, count = compiled_kernels(module)
        later = f"not compiled yet; `gvideo doctor --compile` or the first use does it, into {folder}"
        known = f"{count} compiled, in {folder}" if count else later
        writable = os.access(folder if folder.exists() else folder.parent, os.W_OK)
        yield Finding(
            name,
            "ok" if writable or count else "fault",
            known if writable or count else f"{folder} cannot be written to; set NUMBA_CACHE_DIR to a folder that can",
        )


def compiled_kernels(module: Any) -> tuple[Path, int]:
    """Where a module's compiled kernels are kept, and how many of them are there."""
    caches = [k._cache for k in vars(module).values() if hasattr(getattr(k, "_cache", None), "cache_path")]
    folder = Path(str(caches[0].cache_path)) if caches else Path(str(module.__file__)).parent / "__pycache__"
    stem = Path(str(module.__file__)).stem
    return folder, len(list(folder.glob(f"{stem}.*.nbi")))


def _gpu() -> Iterator[Finding]:
    if missing("encode"):
        return
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        yield Finding("gpu", "missing", "torch finds no CUDA device; everything runs on the CPU")
        return
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield Finding(f"gpu {number}", "ok", f"{properties.name}, {properties.total_memory / 2**30:.1f} GiB")


def _ffmpeg() -> Iterator[Finding]:
    import av

    libraries = ", ".join(f"{name} {'.'.join(map(str, version))}" for name, version in av.library_versions.items())
    yield Finding("FFmpeg in PyAV", "ok", libraries)
    if missing("eval"):
        return
    from gvideo.evaluate import ffmpeg

    yield Finding("ffmpeg", "ok", f"{ffmpeg.version()}, {ffmpeg.executable()}")
    for name, purpose in ENCODERS.items():
        there = name in ffmpeg.encoders()
        yield Finding(name, "ok" if there else "missing", "there" if there else f"not in this ffmpeg: {purpose}")


def _disk() -> Iterator[Finding]:
    from gvideo.evaluate.cache import default_root

    places = {"disk here": Path.cwd(), "disk of gvideo eval": default_root()}
    for name, place in places.items():
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(there).free
        little = "; little" if free < _LITTLE_BYTES else ""
        yield Finding(name, "ok", f"{free / 1e9:.1f} GB free{little}, {place}")
    fetched = os.environ.get("GVIDEO_SEGMENT_CACHE")
    yield Finding("fetched segments", "ok", fetched or "not kept; GVIDEO_SEGMENT_CACHE names a folder for them")
