"""VMAF and XPSNR, as ffmpeg's filters compute them between two y4m files.

VMAF: libvmaf's built-in model vmaf_v0.6.1, mean over frames. It was trained on 1080p seen from three heights; on
small pictures it still orders encodings but its numbers are not opinion scores. VMAF NEG: vmaf_v0.6.1neg, which gives
nothing for enhancing the source (sharpening, contrast). XPSNR: Helmrich et al. 2020, luma.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import ffmpeg

from gvideo.errors import GVideoError
from gvideo.evaluate import ffmpeg as program

#: libvmaf's models by the name of our figure.
VMAF_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}


def measure(
    reference: Path, decoded: Path, rate: Fraction, scratch: Path, threads: int
) -> tuple[dict[str, float], list[str]]:
    """({"vmaf": …, "vmaf_neg": …, "xpsnr_db": …} as far as this ffmpeg can, warnings). Reads two files of equal frame
    count."""
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
        [_input(decoded, rate), _input(reference, rate)], "libvmaf", log_fmt="json", log_path=str(log),
        n_threads=threads,
        model="|".join(f"version={model}:name={name}" for name, model in VMAF_MODELS.items()),
    )  # fmt: skip
    program.run(graph.output("-", f="null"))
    pooled = json.loads(log.read_text())["pooled_metrics"]
    return {name: float(pooled[name]["mean"]) for name in VMAF_MODELS}


def _xpsnr(reference: Path, decoded: Path, rate: Fraction, scratch: Path, threads: int) -> dict[str, float]:
    # this filter weighs by the first of its inputs, libvmaf takes the decoded clip first
    graph = ffmpeg.filter([_input(reference, rate), _input(decoded, rate)], "xpsnr")
    printed = program.run(graph.output("-", f="null"))
    match = re.search(r"XPSNR\s+(?:average.*?)?y: *([0-9.]+|inf)", printed)
    if not match:
        raise program.FFmpegError("ffmpeg: xpsnr printed no result")
    return {"xpsnr_db": min(float(match[1]), 100.0)}


def _input(clip: Path, rate: Fraction) -> object:
    """A file at the clip's rate, since raw streams may state another."""
    return ffmpeg.input(str(clip), r=str(rate))
