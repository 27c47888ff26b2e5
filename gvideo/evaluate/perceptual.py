"""VMAF and XPSNR, as ffmpeg's filters compute them between two y4m files.

VMAF: libvmaf's built-in model vmaf_v0.6.1, mean over frames. It was trained on 1080p seen from three heights; on
small pictures it still orders encodings but its numbers are not opinion scores. XPSNR: Helmrich et al. 2020, luma.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import ffmpeg

from gvideo.errors import GVideoError
from gvideo.evaluate import ffmpeg as program

VMAF_MODEL = "vmaf_v0.6.1"


def measure(
    reference: Path, decoded: Path, rate: Fraction, scratch: Path, threads: int
) -> tuple[dict[str, float], list[str]]:
    """({"vmaf": …, "xpsnr_db": …} as far as this ffmpeg can, warnings). Reads two files of equal frame count."""
    found: dict[str, float] = {}
    warnings = []
    for name, function in (("libvmaf", _vmaf), ("xpsnr", _xpsnr)):
        if name not in program.filters():
            warnings.append(f"{name}: this ffmpeg has no such filter; left out")
            continue
        try:
            found |= function(reference, decoded, rate, scratch, threads)
        except GVideoError as error:
            warnings.append(f"{name}: {error}")
    return found, warnings


def _vmaf(reference: Path, decoded: Path, rate: Fraction, scratch: Path, threads: int) -> dict[str, float]:
    log = scratch / "vmaf.json"
    graph = ffmpeg.filter(
        _inputs(reference, decoded, rate), "libvmaf", model=f"version={VMAF_MODEL}", log_fmt="json", log_path=str(log),
        n_threads=threads,
    )  # fmt: skip
    program.run(graph.output("-", f="null"))
    result = json.loads(log.read_text())
    return {"vmaf": float(result["pooled_metrics"]["vmaf"]["mean"])}


def _xpsnr(reference: Path, decoded: Path, rate: Fraction, scratch: Path, threads: int) -> dict[str, float]:
    graph = ffmpeg.filter(_inputs(reference, decoded, rate), "xpsnr")
    printed = program.run(graph.output("-", f="null"))
    match = re.search(r"XPSNR\s+(?:average.*?)?y: *([0-9.]+|inf)", printed)
    if not match:
        raise program.FFmpegError("ffmpeg: xpsnr printed no result")
    return {"xpsnr_db": min(float(match[1]), 100.0)}


def _inputs(reference: Path, decoded: Path, rate: Fraction) -> list[object]:
    """Decoded first, as libvmaf wants it; both at the clip's rate, since raw streams may state another."""
    return [ffmpeg.input(str(p), r=str(rate)) for p in (decoded, reference)]
