"""gvideo itself under test: encode to a .gsv file, decode that file, and say where its bytes went."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

import gvideo
from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.encoder.jobs.encode import encode as encode_file
from gvideo.encoder.jobs.report import EncodeProgress
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.evaluate.frames import ReferenceFrames
from gvideo.media import open_sink, planes_to_code_values
from gvideo.types import VideoFormat

_BATCH = 16


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """Everything that decides gvideo's bytes, given frames and code."""

    crf: float
    preset: str = "medium"
    segment_seconds: float = 2.0
    seed: int = 0
    tune: str = "psnr"

    @property
    def label(self) -> str:
        """For tables and legends."""
        return f"gvideo {self.preset}" + (f" tune {self.tune}" if self.tune != "psnr" else "")


@functools.cache
def code_version() -> str:
    """The version and a hash of every source file that can change a stream or its pictures."""
    root = Path(gvideo.__file__).parent
    digest = hashlib.sha256()
    for package in ("bitstream", "decoder", "encoder", "entropy", "media", "model", "raster"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    # the hash tells development versions apart, and stays when the same files are installed anew
    release = gvideo.__version__.partition("+")[0].partition(".dev")[0]
    return f"{release}+{digest.hexdigest()[:12]}"


@functools.cache
def warm_up() -> None:
    """Has the kernels compiled and stored, so that the first encode that is timed does not pay for it."""
    grey = VideoFormat(32, 32, timescale=25)
    with tempfile.TemporaryDirectory(prefix="gvideo-eval-") as folder:
        clip = Path(folder) / "warm.y4m"
        planes = np.zeros((3, 32, 32), np.float32)
        with open_sink(clip, grey, frame_rate=Fraction(25)) as sink:
            for number in range(4):
                planes[0] = np.linspace(0, 1, 32 + number)[number:]
                sink.write(planes, number, 1)
        stream = Path(folder) / "warm.gsv"
        encode_file(clip, stream, preset="veryfast", workers=1, device="cpu")
        VideoDecoder(stream, grain=False).planes_at([0])


def encode(
    reference: ReferenceFrames,
    settings: OwnSettings,
    stream: Path,
    workers: int,
    progress: Callable[[float], None] | None,
) -> float:
    """Writes a .gsv file; returns seconds of wall clock. progress: share of the frames done."""

    def tell(state: EncodeProgress) -> None:
        if progress:
            progress(state.frames_done / reference.num_frames)

    started = time.perf_counter()
    encode_file(
        reference.path, stream, crf=settings.crf, preset=settings.preset, segment_seconds=settings.segment_seconds,
        seed=settings.seed, tune=settings.tune, workers=workers, device="cpu", progress=tell,
    )  # fmt: skip
    return time.perf_counter() - started


def decode(stream: Path, destination: Path, reference: ReferenceFrames) -> float:
    """Decodes a .gsv file into a y4m file; returns seconds of wall clock, entropy decoding included."""
    started = time.perf_counter()
    decoder = VideoDecoder(stream, grain=False)
    stored = replace(reference.format, timescale=reference.rate.numerator)
    try:
        with open_sink(destination, stored, frame_rate=reference.rate) as sink:
            for first in range(0, len(decoder), _BATCH):
                numbers = range(first, min(first + _BATCH, len(decoder)))
                y, cb, cr = planes_to_code_values(decoder.planes_at(numbers), stored)
                for k, number in enumerate(numbers):
                    duration = reference.rate.denominator
                    sink.write_codes((y[k], cb[k], cr[k]), number * duration, duration)
    finally:
        decoder.close()
    return time.perf_counter() - started


def segment_starts(stream: Path) -> list[int]:
    """First frame of every segment."""
    decoder = VideoDecoder(stream, grain=False)
    starts = [s.first_frame for s in decoder.stream.segments]
    decoder.close()
    return starts


def byte_shares(stream: Path) -> dict[str, float]:
    """Bytes by what they say: every attribute of the symbols as the entropy coder priced it, and the rest (headers,
    checksums, rounding up to bytes). They sum to the file's size."""
    decoder = VideoDecoder(stream, grain=False)
    shares = dict.fromkeys(ATTRIBUTES, 0.0)
    for number in range(len(decoder.stream.segments)):
        cost = decoder.stream.decode_segment(number).cost
        for name, bits in zip(ATTRIBUTES, cost, strict=True):
            shares[name] += float(bits) / 8
    decoder.close()
    shares["headers"] = stream.stat().st_size - sum(shares.values())
    return shares


def num_gaussians(stream: Path) -> int:
    """Gaussians of all segments."""
    decoder = VideoDecoder(stream, grain=False)
    total = sum(len(decoder.stream.decode_segment(n).symbols.table) for n in range(len(decoder.stream.segments)))
    decoder.close()
    return total
