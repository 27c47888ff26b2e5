"""A segment as one HTML file that asks no server: frames, ellipses, paths, lives, heat maps of bits and of error.

The file's size has a bound: pictures get coarser in quality first, then the Gaussians that weigh least are left out.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from importlib import resources
from typing import Any

import numpy as np
from PIL import Image

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.errors import OptionError
from gvideo.evaluate.inspection.collect import Inspected, inspect_segment
from gvideo.types import Float32, UInt8

#: Steps a px of positions in the page, at most, and the numbers that hold them.
_STEP, _LARGEST = 8, 32767
#: Quality of pictures, the best first.
_QUALITIES = (90, 75, 50, 25)
#: Coded px a px of heat maps.
_HEAT = 2
#: Heat from nothing to most: black, violet, orange, pale yellow.
_HEAT_COLOURS = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], np.float32)


def page_of(
    video: VideoDecoder, segment: int, max_bytes: int, reference: Sequence[Float32] | None = None
) -> tuple[str, int]:
    """(the page, Gaussians left out). reference: luma f32 [H,W] in 0..1 of the segment's frames. Raises OptionError if
    a page of max_bytes cannot hold the pictures."""
    place = video.stream.segments[segment]
    numbers = range(place.first_frame, place.first_frame + place.num_frames)
    found = inspect_segment(video.stream, segment)
    for quality in _QUALITIES:
        pictures = _pictures(video, numbers, found, reference, quality)
        room = max_bytes - sum(len(url) for urls in pictures.values() for url in urls) - (1 << 16)
        kept = min(len(found.angles), max(room, 0) // _bytes_of_one(place.num_frames))
        if kept == len(found.angles):
            break
    if kept == 0 and len(found.angles):
        raise OptionError(f"--max-size {max_bytes / 1e6:g}: too little for the {len(numbers)} pictures of the segment")
    chosen = np.sort(np.argsort(-_weights(found), kind="stable")[:kept])
    return _html(video, segment, numbers, _part(found, chosen), pictures), len(found.angles) - kept


def _weights(found: Inspected) -> Float32:
    """How much a Gaussian shows: its luma over its area."""
    amplitudes = np.abs(found.renderer.splats.amplitudes[:, 0])
    weights: Float32 = amplitudes * found.axes.prod(1)
    return weights


def _part(found: Inspected, rows: Any) -> Inspected:
    return replace(
        found, axes=found.axes[rows], angles=found.angles[rows], centres=found.centres[rows], lives=found.lives[rows],
        layers=found.layers[rows], bits=found.bits[rows], paths=found.paths[:, rows], colours=found.colours[rows],
    )  # fmt: skip


def _bytes_of_one(num_frames: int) -> int:
    """Characters that one Gaussian takes: 28 bytes and its positions, in base64."""
    return (28 + 4 * num_frames) * 4 // 3 + 1


def _pictures(
    video: VideoDecoder, numbers: range, found: Inspected, reference: Sequence[Float32] | None, quality: int
) -> dict[str, list[str]]:
    """Data URLs of every frame: decoded, bits and, with a reference, error."""
    width, height = found.renderer.width, found.renderer.height
    small = max(1, width // _HEAT), max(1, height // _HEAT)
    frames = [_url(video.get_frame_at(n).data.transpose(1, 2, 0), quality) for n in numbers]
    bits = [found.bits_picture(k, *small) for k in range(len(numbers))]
    errors = []
    if reference is not None:
        errors = [np.abs(video.planes_at([n])[0, 0] - luma) for n, luma in zip(numbers, reference, strict=True)]
    return {"pictures": frames, "bits": _heat(bits, quality), "errors": _heat(errors, quality)}


def _heat(maps: Sequence[Float32], quality: int) -> list[str]:
    """Maps in one scale of colours; the brightest is what one pixel in two hundred exceeds."""
    if not maps:
        return []
    most = max(float(np.percentile(np.stack(maps), 99.5)), 1e-9)
    stops = np.linspace(0, 1, len(_HEAT_COLOURS))

    def coloured(values: Float32) -> UInt8:
        share = np.clip(values / most, 0, 1)
        return np.stack([np.interp(share, stops, channel) for channel in _HEAT_COLOURS.T], -1).astype(np.uint8)

    return [_url(coloured(values), quality) for values in maps]


def _url(picture: UInt8, quality: int) -> str:
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(data, "WEBP", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"


def _html(video: VideoDecoder, segment: int, numbers: range, found: Inspected, pictures: dict[str, list[str]]) -> str:
    width, height = found.renderer.width, found.renderer.height
    scale = max(1, min(4, 960 // width))
    layers = int(video.stream.num_layers(segment))
    step = max(1, min(_STEP, _LARGEST // max(width, height)))
    steps = np.clip(np.rint(found.paths * step), -_LARGEST, _LARGEST)
    arrays: dict[str, tuple[Any, str]] = {
        "axes": (found.axes, "<f4"), "angles": (found.angles, "<f4"), "centres": (found.centres, "<f4"),
        "lives": (found.lives, "<f4"), "layerOf": (found.layers, "u1"), "cost": (found.bits, "<f4"),
        "paths": (steps, "<i2"), "colours": (found.colours, "u1"),
    }  # fmt: skip
    data = {
        "width": width, "height": height, "frames": len(numbers), "scale": scale, "step": step, "layers": layers,
        "seconds": (video.pts[numbers.start : numbers.stop] / video.timescale).tolist(), **pictures,
        **{name: base64.b64encode(a.astype(kind).tobytes()).decode() for name, (a, kind) in arrays.items()},
    }  # fmt: skip
    toggles = [("picture", "frame", True), ("ellipses", "ellipses (1 σ)", True), ("paths", "trajectories", False),
               ("lifelines", "lives", True), ("bits", "heat map of bits", False),
               ("error", "heat map of error", False)]  # fmt: skip
    checks = "".join(
        _check(name, text, on, disabled=name == "error" and not pictures["errors"]) for name, text, on in toggles
    )
    checks += "".join(_check(f"layer{k}", f"layer {k + 1}", True) for k in range(layers))
    title = f"{video.stream.source.name}, segment {segment}"
    read: Callable[[str], str] = lambda name: resources.files(__package__).joinpath(name).read_text("utf-8")  # noqa: E731
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{read('page.css')}</style></head><body><h1>{escape(title)}: {len(found.angles)} Gaussians in "
        f"{len(numbers)} frames, {found.bits.sum() / 8:.0f} bytes</h1>"
        f'<div class="row"><input id="frame" type="range" min="0" max="{len(numbers) - 1}" value="0" '
        f'aria-label="frame"><output id="time"></output></div><div class="row">{checks}</div>'
        f'<canvas id="stage" width="{width * scale}" height="{height * scale}"></canvas>'
        f'<canvas id="lives" width="{width * scale}" height="240"></canvas><p id="about">Click on a Gaussian.</p>'
        f'<script id="data" type="application/json">{json.dumps(data).replace("</", "<" + chr(92) + "/")}</script>'
        f'<script type="module">{read("page.js")}</script></body></html>'
    )


def _check(name: str, text: str, on: bool, *, disabled: bool = False) -> str:
    state = " disabled" if disabled else " checked" if on else ""
    return f'<label><input id="{name}" type="checkbox"{state}> {escape(text)}</label>'
