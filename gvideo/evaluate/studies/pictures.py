"""Pictures of the studies: made ones of known content, and first frames of files, as R'G'B' f32 [3,H,W] in 0..1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gvideo.errors import MediaError
from gvideo.media import VideoSource, planes_to_rgb
from gvideo.types import Float32

MADE = ("gradient+checkerboard", "gradient", "checkerboard", "texture")


def picture(name: str, side: int) -> Float32:
    """A made picture by name, or the first frame of a file with its longer side scaled to `side` px.

    gradient+checkerboard is the first study's: a colour gradient with 8x8 fields over its middle half.
    """
    if name not in MADE:
        return _from_file(Path(name), side)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    ramp = np.stack([x, y, 1 - (x + y) / 2])
    board = ((np.floor(x * 8) + np.floor(y * 8)) % 2)[None].repeat(3, 0)
    if name == "gradient":
        return np.asarray(ramp, np.float32)
    if name == "checkerboard":
        return np.asarray(0.2 + 0.6 * board, np.float32)
    if name == "texture":
        noise = np.random.default_rng(7).normal(size=(side, side)).astype(np.float32)
        smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), side / 40), np.float32)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        return np.stack([smooth, smooth**2, 1 - smooth]).astype(np.float32)
    middle = (abs(x - 0.5) < 0.25) & (abs(y - 0.5) < 0.25)
    return np.asarray(np.where(middle[None], board, ramp), np.float32)


def _from_file(path: Path, side: int) -> Float32:
    with VideoSource(path) as probe:
        width, height = probe.format.width, probe.format.height
    scale = side / max(width, height)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    with VideoSource(path, size=size, last=0) as video:
        frame = next(iter(video), None)
        if frame is None:
            raise MediaError(f"{path}: holds no frame")
        rgb = planes_to_rgb(frame.planes[None], video.format.colour, channels_last=False)[0]
    return np.asarray(rgb / 255, np.float32)
