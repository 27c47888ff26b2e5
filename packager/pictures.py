"""Poster and thumbnails: a JPEG of one moment, and a sprite of many with a WebVTT map from times to its tiles."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image

from gvideo.types import UInt8
from packager.presentation import Thumbnails
from packager.sink import Sink
from packager.subtitles import Cue, format_webvtt

POSTER, SPRITE, MAP = "poster.jpg", "thumbnails.jpg", "thumbnails.vtt"
#: Tiles at most, and the longest side of a tile.
_MAX_TILES, _TILE_PX = 100, 160
_COLUMNS = 10
_MIN_INTERVAL = Fraction(1)


@dataclass(frozen=True, slots=True)
class PreviewPictures:
    """Where pictures come from: render(seconds, (width, height)) gives R'G'B' u8 [H,W,3]; width, height: px to show
    at; duration: seconds."""

    render: Callable[[Fraction, tuple[int, int]], UInt8]
    width: int
    height: int
    duration: Fraction


def publish_pictures(sink: Sink, pictures: PreviewPictures) -> Thumbnails:
    """Writes poster, sprite and map. The poster shows the moment after a tenth of the video."""
    size = (pictures.width, pictures.height)
    sink.put(POSTER, [_jpeg(pictures.render(pictures.duration / 10, size), 88)])
    interval = max(_MIN_INTERVAL, pictures.duration / _MAX_TILES)
    count = math.ceil(pictures.duration / interval)
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    scale = min(1.0, _TILE_PX / max(size))
    width, height = (max(2, round(side * scale)) for side in size)
    sprite = np.zeros((rows * height, columns * width, 3), np.uint8)
    cues = []
    for n in range(count):
        start, end = n * interval, min((n + 1) * interval, pictures.duration)
        x, y = n % columns * width, n // columns * height
        sprite[y : y + height, x : x + width] = pictures.render((start + end) / 2, (width, height))
        cues.append(Cue(start, end, f"{SPRITE}#xywh={x},{y},{width},{height}"))
    data = _jpeg(sprite, 75)
    sink.put(SPRITE, [data])
    sink.put(MAP, [format_webvtt(cues)])
    return Thumbnails(SPRITE, MAP, width, height, columns, rows, interval, len(data))


def _jpeg(picture: UInt8, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()
