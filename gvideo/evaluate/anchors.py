"""The codecs to beat, as a user would run them: settings, streams, and what counts as their bytes.

Settings: constant quality, closed groups of pictures, no keyframe interval longer than the segments of gvideo, scene
cuts wherever the encoder sees them. Two tunes each, because both comparisons are asked for: one for PSNR (x264 and
x265 `tune psnr`, SVT-AV1 `tune 1`, VVenC without perceptual quantisation) and the encoder's default for the rest.

Bytes: of the elementary stream that is written, complete and decodable by itself, less what carries no picture:
x264 Annex B without SEI (its version text) · x265 Annex B with `info=0` · VVenC Annex B ·
SVT-AV1 OBU file (spec section 5) less its temporal delimiters (2 bytes a frame, absent in MP4). No container anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from gvideo.errors import OptionError
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.frames import ReferenceFrames, to_eight_bits

PSNR, DEFAULT = "psnr", "default"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A codec at a preset. quality(crf): its own quality number that lands near gvideo's at that crf."""

    name: str
    label: str
    encoder: str
    preset: str
    suffix: str
    quality_option: str
    quality: Callable[[float], float]
    lowest: float
    highest: float
    whole: bool = False


ANCHORS: dict[str, Anchor] = {
    a.name: a
    for a in (
        Anchor("x264", "x264 medium", "libx264", "medium", ".h264", "crf", lambda crf: crf, 10, 51),
        Anchor("x265", "x265 medium", "libx265", "medium", ".hevc", "crf", lambda crf: crf, 10, 51),
        Anchor("x265-veryslow", "x265 veryslow", "libx265", "veryslow", ".hevc", "crf", lambda crf: crf, 10, 51),
        Anchor(
            "svtav1",
            "SVT-AV1 preset 6",
            "libsvtav1",
            "6",
            ".obu",
            "crf",
            lambda crf: 1.2 * crf + 14,
            10,
            63,
            whole=True,
        ),
        Anchor("vvenc", "VVenC medium", "libvvenc", "medium", ".vvc", "qp", lambda crf: crf + 1, 10, 63, whole=True),
    )
}
DEFAULT_ANCHORS = ("x264", "x265", "svtav1")


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """Everything that decides an anchor's bytes, given frames and ffmpeg's build."""

    anchor: str
    tune: str
    quality: float
    interval: int
    threads: int

    @property
    def label(self) -> str:
        """For tables and legends."""
        return f"{ANCHORS[self.anchor].label}, {'tune psnr' if self.tune == PSNR else 'default tune'}"

    def options(self) -> dict[str, str]:
        """Ffmpeg's output options."""
        a = ANCHORS[self.anchor]
        options = {
            "c:v": a.encoder, "preset": a.preset, a.quality_option: f"{self.quality:g}", "g": str(self.interval),
            "threads": str(self.threads),
        }  # fmt: skip
        psnr = self.tune == PSNR
        if a.encoder == "libx264":
            options |= {"x264-params": "open-gop=0", "bsf:v": "filter_units=remove_types=6"}
        elif a.encoder == "libx265":
            options["x265-params"] = f"open-gop=0:info=0:pools={self.threads}:log-level=error"
        elif a.encoder == "libsvtav1":
            options["svtav1-params"] = f"lp={self.threads}:irefresh-type=2" + (":tune=1" if psnr else "")
        elif a.encoder == "libvvenc":
            del options["g"]  # its wrapper knows whole seconds only
            interval = _vvenc_interval(self.interval)
            options["vvenc-params"] = f"decodingrefreshtype=idr:intraperiod={interval}"
            options["qpa"] = "0" if psnr else "1"
            options["pix_fmt"] = "yuv420p10le"  # the only format its wrapper takes
        if psnr and a.encoder in ("libx264", "libx265"):
            options["tune"] = "psnr"
        return options


def _vvenc_interval(interval: int) -> int:
    """VVenC keeps to intervals that fill whole groups: multiples of 32, or a power of two below that."""
    return interval // 32 * 32 if interval >= 32 else 1 << (interval.bit_length() - 1)


def parse_anchors(text: str) -> tuple[str, ...]:
    """Names of a comma-separated list; "none" or "" is no anchor. Raises OptionError for one that is unknown."""
    names = tuple(n.strip() for n in text.split(",") if n.strip() and n.strip() != "none")
    for name in names:
        if name not in ANCHORS:
            raise OptionError(f"--anchors {name}: {', '.join(ANCHORS)} wanted")
    return names


def missing_reason(name: str) -> str | None:
    """Why an anchor cannot run here, or None."""
    encoder = ANCHORS[name].encoder
    if encoder not in program.encoders():
        return f"{name}: this ffmpeg ({program.version()}) has no {encoder}; left out"
    return None


def quality_of(name: str, crf: float) -> float:
    """The anchor's quality number for a crf, within its range."""
    a = ANCHORS[name]
    quality = min(max(a.quality(crf), a.lowest), a.highest)
    return float(round(quality)) if a.whole else round(quality, 3)


def beyond(name: str, qualities: Sequence[float], *, better: bool) -> float | None:
    """The next quality number of an anchor past those measured, towards better or worse pictures; None at its end."""
    a, ordered = ANCHORS[name], sorted(qualities)
    step = max(2.0, (ordered[-1] - ordered[0]) / max(1, len(ordered) - 1))
    edge = ordered[0] if better else ordered[-1]
    wanted = min(max(edge - step if better else edge + step, a.lowest), a.highest)
    wanted = float(round(wanted)) if a.whole else wanted
    return None if wanted == edge else wanted


def encode(reference: ReferenceFrames, settings: AnchorSettings, stream: Path) -> float:
    """Writes an elementary stream; returns seconds of wall clock. Raises FFmpegError."""
    source = ffmpeg.input(str(reference.path))
    started = time.perf_counter()
    program.run(source.output(str(stream), fps_mode="passthrough", **settings.options()))
    return time.perf_counter() - started


def decode(stream: Path, destination: Path, threads: int) -> float:
    """Decodes a stream into an 8-bit y4m file; returns seconds of wall clock. Raises FFmpegError."""
    started = time.perf_counter()
    graph = ffmpeg.input(str(stream), threads=threads)
    program.run(graph.output(str(destination), f="yuv4mpegpipe", strict=-1, fps_mode="passthrough"))
    seconds = time.perf_counter() - started
    to_eight_bits(destination)
    return seconds


def payload_bytes(stream: Path) -> int:
    """Bytes that count: all of the file, less an AV1 file's temporal delimiters."""
    size = stream.stat().st_size
    if stream.suffix == ".obu":
        return size - sum(length for kind, length in obu_units(stream.read_bytes()) if kind == 2)
    return size


def obu_units(data: bytes) -> list[tuple[int, int]]:
    """(type, bytes) of every OBU of a low-overhead stream (AV1 specification §5.3). Raises ValueError."""
    found, position = [], 0
    while position < len(data):
        start, head = position, data[position]
        if head & 0x82 != 0x02:
            raise ValueError(f"OBU at byte {position}: forbidden bit or no size field")
        position += 2 if head & 4 else 1
        length = shift = 0
        while True:
            byte = data[position]
            length |= (byte & 127) << shift
            position, shift = position + 1, shift + 7
            if byte < 128:
                break
        position += length
        found.append((head >> 3 & 15, position - start))
    if position != len(data):
        raise ValueError("the last OBU is longer than the file")
    return found


def picture_sizes(stream: Path) -> list[tuple[bool, int]]:
    """(is a keyframe, bytes) of every coded picture, in coding order."""
    import av

    sizes: list[tuple[bool, int]] = []
    with av.open(str(stream)) as container:
        packets: Any = container.demux(video=0)
        sizes += [(bool(p.is_keyframe), int(p.size)) for p in packets if p.size]
    return sizes
