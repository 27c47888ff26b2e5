"""Side by side: one frame of a clip by every codec at the bytes of one gvideo stream.

The anchors are encoded again at the quality number that the measured curve says gives these bytes, corrected once or
twice; what came out is printed under the picture, since whole quality numbers cannot match exactly.
"""

from __future__ import annotations

import base64
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from gvideo.errors import GVideoError
from gvideo.evaluate.anchors import ANCHORS, DEFAULT, AnchorSettings
from gvideo.evaluate.compare import Evaluation, interval_frames
from gvideo.evaluate.frames import Planes, ReferenceFrames, read_y4m
from gvideo.evaluate.own import OwnSettings
from gvideo.evaluate.points import Bench, Point, Settings
from gvideo.media import code_values_to_planes, planes_to_rgb

_CORRECTIONS = 3
_CLOSE_ENOUGH = 0.01
#: Pictures are shown at least so wide; small clips are enlarged by whole pixels.
_SHOWN_WIDTH_PX = 640


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame by one codec. data_url: lossless. bytes and values of the whole stream it is from."""

    label: str
    num_bytes: int
    values: dict[str, float]
    data_url: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Shots of one frame of one clip, the source first, then gvideo, then the anchors."""

    clip: str
    frame: int
    width: int
    height: int
    shots: tuple[Shot, ...]


def compare_pictures(evaluation: Evaluation, root: Path) -> list[Comparison]:
    """One comparison a clip, at the middle one of gvideo's qualities. What fails is left out."""
    bench = Bench(root, evaluation.settings.threads)
    found = []
    for reference in evaluation.references:
        ours = evaluation.curve(reference.name, "gvideo")
        if not ours:
            continue
        mine = ours[len(ours) // 2]
        streams: list[tuple[Settings, Point]] = [(own_settings(evaluation, mine), mine)]
        for name in evaluation.settings.anchors:
            curve = evaluation.curve(reference.name, f"{name}/{DEFAULT}") or evaluation.curve(
                reference.name, f"{name}/psnr"
            )
            if curve:
                streams.append(_matched(bench, evaluation, reference, name, curve, mine.num_bytes))
        found.append(_comparison(bench, reference, streams))
    return found


def own_settings(evaluation: Evaluation, point: Point) -> OwnSettings:
    """The settings that made one of gvideo's points."""
    s = evaluation.settings
    return OwnSettings(point.quality, s.preset, s.segment_seconds, s.seed, s.tune)


def _matched(
    bench: Bench, evaluation: Evaluation, reference: ReferenceFrames, name: str, curve: Sequence[Point], wanted: int
) -> tuple[Settings, Point]:
    """A stream of the anchor as near to the bytes as its quality numbers allow."""
    tune = curve[0].curve.split("/")[1]
    interval = interval_frames(reference, evaluation.settings.segment_seconds)
    known = {p.quality: p for p in curve}
    for _ in range(_CORRECTIONS):
        best = min(known.values(), key=lambda p: abs(math.log(p.num_bytes / wanted)))
        if abs(best.num_bytes / wanted - 1) < _CLOSE_ENOUGH:
            break
        quality = _quality_at(list(known.values()), wanted)
        a = ANCHORS[name]
        quality = min(max(quality, a.lowest), a.highest)
        quality = float(round(quality)) if a.whole else round(quality, 2)
        if quality in known:
            break
        settings = AnchorSettings(name, tune, quality, interval, evaluation.settings.threads)
        try:
            known[quality] = bench.point(reference, settings)
        except GVideoError:
            break
    best = min(known.values(), key=lambda p: abs(math.log(p.num_bytes / wanted)))
    return AnchorSettings(name, tune, best.quality, interval, evaluation.settings.threads), best


def _quality_at(points: list[Point], wanted: int) -> float:
    """Quality number for so many bytes: straight line in log bytes through the two nearest points."""
    nearest = sorted(points, key=lambda p: abs(math.log(p.num_bytes / wanted)))
    first = nearest[0]
    for second in nearest[1:]:
        slope = math.log(second.num_bytes / first.num_bytes)
        if slope and second.quality != first.quality:
            share = math.log(wanted / first.num_bytes) / slope
            return first.quality + share * (second.quality - first.quality)
    return first.quality


def _comparison(bench: Bench, reference: ReferenceFrames, streams: Sequence[tuple[Settings, Point]]) -> Comparison:
    frame = reference.num_frames // 2
    shots = [Shot("source", 0, {}, _data_url(reference, reference.planes(), frame))]
    with tempfile.TemporaryDirectory(prefix="gvideo-eval-") as folder:
        for settings, point in streams:
            decoded = Path(folder) / "decoded.y4m"
            bench.decode(settings, Path(point.stream), reference, decoded)
            url = _data_url(reference, read_y4m(decoded), frame)
            shots.append(Shot(point.label, point.num_bytes, point.values, url))
    scale = max(1, round(_SHOWN_WIDTH_PX / reference.format.width))
    return Comparison(
        reference.name, frame, reference.format.width * scale, reference.format.height * scale, tuple(shots)
    )


def _data_url(reference: ReferenceFrames, planes: Planes, frame: int) -> str:
    stored = replace(reference.format, bit_depth=8)
    floats = code_values_to_planes(
        np.ascontiguousarray(planes.y[frame]), np.ascontiguousarray(planes.cb[frame]),
        np.ascontiguousarray(planes.cr[frame]), stored,
    )  # fmt: skip
    out = io.BytesIO()
    Image.fromarray(planes_to_rgb(floats, stored.colour)).save(out, "WEBP", lossless=True, method=4)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def closest_label(shot: Shot, wanted: int) -> str:
    """Bytes of a shot and how far they are from what was wanted."""
    off = 100 * (shot.num_bytes / wanted - 1)
    return f"{shot.num_bytes:,} bytes".replace(",", " ") + (f" ({off:+.1f} %)" if abs(off) >= 0.05 else "")
