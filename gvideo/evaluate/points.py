"""One point of one curve: a stream encoded, decoded and measured, from the cache where it is known."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gvideo.errors import GVideoError
from gvideo.evaluate import anchors, metrics, own, perceptual
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.anchors import AnchorSettings
from gvideo.evaluate.cache import CacheEntry, key_of
from gvideo.evaluate.frames import ReferenceFrames, read_y4m
from gvideo.evaluate.own import OwnSettings

Settings = OwnSettings | AnchorSettings
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Point:
    """A measured stream. curve: key of the curve it belongs to ("gvideo", "x264/psnr", …). quality: crf or qp.
    values: figures by Metric.key and others. parts: bytes by what they say. cached: nothing was encoded now."""

    clip: str
    curve: str
    label: str
    quality: float
    num_bytes: int
    bitrate_bps: float
    bits_per_pixel: float
    values: dict[str, float]
    encode_s: float
    decode_s: float
    measure_s: float
    threads: int
    parts: dict[str, float]
    num_segments: int
    stream: str
    warnings: tuple[str, ...]
    cached: bool


def curve_of(settings: Settings) -> str:
    """The curve a point of these settings belongs to."""
    return "gvideo" if isinstance(settings, OwnSettings) else f"{settings.anchor}/{settings.tune}"


def version_of(settings: Settings) -> str:
    """What makes the bytes, by version."""
    return own.code_version() if isinstance(settings, OwnSettings) else program.version()


class Bench:
    """Encodes and measures on demand. threads: of every codec and of libvmaf (not part of gvideo's bytes)."""

    def __init__(self, root: Path, threads: int, progress: Progress | None = None) -> None:
        self.root, self.threads, self.progress = root, threads, progress

    def entry(self, reference: ReferenceFrames, settings: Settings) -> CacheEntry:
        """Where a point's files are kept."""
        return CacheEntry(self.root, key_of(reference.digest, settings, version_of(settings)))

    def point(self, reference: ReferenceFrames, settings: Settings) -> Point:
        """A point, measured now or before. Raises GVideoError where the codec fails."""
        entry = self.entry(reference, settings)
        suffix = ".gsv" if isinstance(settings, OwnSettings) else anchors.ANCHORS[settings.anchor].suffix
        stream = entry.path("stream" + suffix)
        made = entry.load("encode.json")
        cached = made is not None and stream.exists()
        if made is None or not stream.exists():
            seconds = self._encode(reference, settings, stream)
            made = {
                "encode_s": seconds, "threads": self.threads, "load": os.getloadavg()[0], "when": time.time(),
                "settings": asdict(settings), "version": version_of(settings),
            }  # fmt: skip
            entry.store("encode.json", made)
        name = f"measure-{key_of(metrics.METRICS_VERSION, program.version(), own.code_version())[:12]}.json"
        found = entry.load(name)
        if found is None:
            self._tell("measuring", 1.0)
            found = self._measure(reference, settings, stream)
            entry.store(name, found)
        values = {k: math.nan if v is None else float(v) for k, v in found["values"].items()}
        num_bytes = int(found["num_bytes"])
        return Point(
            reference.name, curve_of(settings), settings.label,
            settings.crf if isinstance(settings, OwnSettings) else settings.quality, num_bytes,
            8 * num_bytes / reference.seconds, 8 * num_bytes / reference.pixels, values, float(made["encode_s"]),
            float(found["decode_s"]), float(found["measure_s"]), int(made["threads"]), found["parts"],
            int(found["num_segments"]), str(stream), tuple(found["warnings"]), cached,
        )  # fmt: skip

    def decode(self, settings: Settings, stream: Path, reference: ReferenceFrames, destination: Path) -> float:
        """Decodes a stream into a y4m file; seconds."""
        if isinstance(settings, OwnSettings):
            return own.decode(stream, destination, reference)
        return anchors.decode(stream, destination, self.threads)

    def _tell(self, stage: str, share: float) -> None:
        if self.progress:
            self.progress(stage, share)

    def _encode(self, reference: ReferenceFrames, settings: Settings, stream: Path) -> float:
        partial = stream.with_name("partial-" + stream.name)
        self._tell("encoding", 0.0)
        if isinstance(settings, OwnSettings):
            own.warm_up()
            seconds = own.encode(reference, settings, partial, self.threads, lambda s: self._tell("encoding", s))
        else:
            seconds = anchors.encode(reference, settings, partial)
        os.replace(partial, stream)
        return seconds

    def _measure(self, reference: ReferenceFrames, settings: Settings, stream: Path) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="gvideo-eval-") as folder:
            scratch = Path(folder)
            decoded = scratch / "decoded.y4m"
            decode_s = self.decode(settings, stream, reference, decoded)
            started = time.perf_counter()
            planes = read_y4m(decoded)
            if len(planes) != reference.num_frames:
                raise GVideoError(f"{settings.label}: {len(planes)} frames decoded, {reference.num_frames} encoded")
            if isinstance(settings, OwnSettings):
                starts, parts, num_bytes = own.segment_starts(stream), own.byte_shares(stream), stream.stat().st_size
            else:
                sizes, num_bytes = anchors.picture_sizes(stream), anchors.payload_bytes(stream)
                # Groups are closed, so everything coded before a keyframe is shown before it.
                starts = [k for k, (is_key, _) in enumerate(sizes) if is_key]
                key_bytes = float(sum(size for is_key, size in sizes if is_key))
                parts = {"keyframes": key_bytes, "other frames": num_bytes - key_bytes}
            values = metrics.measure(reference.planes(), planes, starts)
            more, warnings = perceptual.measure(reference.path, decoded, reference.rate, scratch, self.threads)
            values |= more
        return {
            "values": {k: None if math.isnan(v) else v for k, v in values.items()}, "num_bytes": num_bytes,
            "decode_s": decode_s, "measure_s": time.perf_counter() - started, "parts": parts,
            "num_segments": max(1, len(starts)), "warnings": warnings,
        }  # fmt: skip
