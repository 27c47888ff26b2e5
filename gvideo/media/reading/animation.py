"""Animations for browsers: delays as they keep them, and WebP, which FFmpeg's libraries do not all know, by Pillow.

A delay of 10 ms or less lasts 100 ms, in GIF, APNG and WebP: Chromium, Firefox and Safari agree on that. Animations
play once, whatever number of loops they ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from gvideo.errors import MediaError

_HASTY, _INSTEAD = Fraction(1, 100), Fraction(1, 10)
_ANIMATED = 2  # bit of VP8X's flags


def kept_delay(seconds: Fraction) -> Fraction:
    """How long browsers show a frame of an animation that asks for so many seconds."""
    return _INSTEAD if seconds <= _HASTY else seconds


def is_animated_webp(path: Path) -> bool:
    """Whether a file is a WebP of several frames."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & _ANIMATED)


class AnimatedWebp:
    """One pass over an animation; see inputs.Input."""

    codec_name = "webp"
    time_base = Fraction(1, 1000)
    rate: Fraction | None = None
    sample_aspect = Fraction(1)
    promised_end: Fraction | None = None
    num_damaged = num_patched = 0

    def __init__(self, path: Path, name: str) -> None:
        from PIL import Image, UnidentifiedImageError

        try:
            self._image = Image.open(path, formats=["WEBP"])
        except (OSError, UnidentifiedImageError) as error:
            raise MediaError(f"{name}: cannot be read as an animated WebP; it is damaged") from error
        self._name = name
        self.num_frames: int | None = getattr(self._image, "n_frames", 1)
        self.losses: list[str] = []
        self.remarks: list[str] = []

    def frames(self) -> Iterator[av.VideoFrame]:
        """The frames as a canvas shows them, RGB or RGBA."""
        start = 0
        for number in range(self.num_frames or 0):
            try:
                self._image.seek(number)
                picture = np.asarray(self._image)
            except (OSError, EOFError, ValueError) as error:
                raise MediaError(f"{self._name}: frame {number} cannot be decoded ({error})") from error
            delay = int(kept_delay(Fraction(int(self._image.info["duration"]), 1000)) * 1000)
            frame = av.VideoFrame.from_ndarray(picture, "rgba" if picture.shape[2] == 4 else "rgb24")
            frame.pts, frame.duration, frame.time_base = start, delay, self.time_base
            start += delay
            yield frame

    def close(self) -> None:
        """Close the file."""
        self._image.close()
