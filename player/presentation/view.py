"""Which part of the picture a window shows, and where: zoom and pan as a transform, without a window.

picture, 0 … 1 each way ──► region that is visible ──► rectangle in the window, px
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from gvideo.types import VideoFormat
from player.presentation.reel import Region

MAX_ZOOM = 64.0
_SMALLEST_PX, _LARGEST_SHARE = 480, 0.85


@dataclass(frozen=True, slots=True)
class Layout:
    """region: the visible part of the picture. x, y, width, height: the rectangle that it fills, px."""

    region: Region
    x: int
    y: int
    width: int
    height: int


@dataclass(slots=True)
class View:
    """width, height: of the picture as it is to be seen: square pixels, upright. zoom: 1 fits the window. centre_x,
    centre_y: the picture's point in the middle of the window, 0 … 1."""

    width: float
    height: float
    zoom: float = 1.0
    centre_x: float = 0.5
    centre_y: float = 0.5

    def scale(self, window: tuple[int, int]) -> float:
        """Window pixels per picture pixel."""
        return min(window[0] / self.width, window[1] / self.height) * self.zoom

    def layout(self, window: tuple[int, int]) -> Layout:
        """What a window of so many pixels shows."""
        scale = self.scale(window)
        left, shown_x, x, width = _visible(self.width * scale, window[0], self.centre_x)
        top, shown_y, y, height = _visible(self.height * scale, window[1], self.centre_y)
        return Layout((left, top, shown_x, shown_y), x, y, width, height)

    def point(self, window: tuple[int, int], pointer: tuple[int, int]) -> tuple[float, float]:
        """The picture's point under a pointer; beyond 0 … 1 beside the picture."""
        found = self.layout(window)
        x, y, width, height = found.region
        return (
            x + (pointer[0] - found.x) / found.width * width,
            y + (pointer[1] - found.y) / found.height * height,
        )

    def zoom_at(self, window: tuple[int, int], pointer: tuple[int, int], factor: float) -> None:
        """Zooms; the point under the pointer stays where it is, as far as the picture's borders allow."""
        x, y = self.point(window, pointer)
        self.zoom = min(max(self.zoom * factor, 1.0), MAX_ZOOM)
        if self.zoom == 1.0:
            self.reset()
            return
        scale = self.scale(window)
        self.centre_x = x - (pointer[0] - window[0] / 2) / (self.width * scale)
        self.centre_y = y - (pointer[1] - window[1] / 2) / (self.height * scale)
        self._keep_inside(window)

    def pan(self, window: tuple[int, int], dx: float, dy: float) -> None:
        """Moves the picture by window pixels."""
        scale = self.scale(window)
        self.centre_x -= dx / (self.width * scale)
        self.centre_y -= dy / (self.height * scale)
        self._keep_inside(window)

    def reset(self) -> None:
        """All of the picture."""
        self.zoom, self.centre_x, self.centre_y = 1.0, 0.5, 0.5

    def _keep_inside(self, window: tuple[int, int]) -> None:
        scale = self.scale(window)
        half_x = min(window[0] / (2 * self.width * scale), 0.5)
        half_y = min(window[1] / (2 * self.height * scale), 0.5)
        self.centre_x = min(max(self.centre_x, half_x), 1 - half_x)
        self.centre_y = min(max(self.centre_y, half_y), 1 - half_y)


def _visible(picture_px: float, window_px: int, centre: float) -> tuple[float, float, int, int]:
    """(start and length of the visible share, start and length in the window) along one side."""
    if picture_px <= window_px:
        length = max(1, round(picture_px))
        return 0.0, 1.0, (window_px - length) // 2, length
    share = window_px / picture_px
    start = min(max(centre - share / 2, 0.0), 1 - share)
    return start, share, 0, window_px


def shown_size(video_format: VideoFormat) -> tuple[float, float]:
    """Width and height of the picture with square pixels, upright."""
    width = float(Fraction(video_format.width) * video_format.sample_aspect)
    sides = (width, float(video_format.height))
    return (sides[1], sides[0]) if video_format.rotation % 180 else sides


def coded_region(region: Region, rotation: int) -> Region:
    """A part of the upright picture as a part of the coded one, which is turned by `rotation` degrees clockwise."""
    x, y, width, height = region
    if rotation == 90:
        return y, 1 - x - width, height, width
    if rotation == 180:
        return 1 - x - width, 1 - y - height, width, height
    if rotation == 270:
        return 1 - y - height, x, height, width
    return region


def first_size(width: float, height: float, desktop: tuple[int, int]) -> tuple[int, int]:
    """Size of a new window: the picture's, not too small to read the texts, not larger than the desktop allows."""
    scale = max(1.0, _SMALLEST_PX / max(width, height))
    scale = min(scale, _LARGEST_SHARE * desktop[0] / width, _LARGEST_SHARE * desktop[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def overlap(
    drawn: Layout, now: Layout, size: tuple[int, int]
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """(rectangle in a picture of `size` px drawn for one layout, rectangle in the window under another) of what both
    show."""
    sides = []
    for axis, (length, start, extent) in enumerate(((size[0], now.x, now.width), (size[1], now.y, now.height))):
        a, share_a = drawn.region[axis], drawn.region[axis + 2]
        b, share_b = now.region[axis], now.region[axis + 2]
        low, high = max(a, b), min(a + share_a, b + share_b)
        first, last = int((low - a) / share_a * length), math.ceil((high - a) / share_a * length)
        first, last = max(0, first), min(length, last)
        left = start + (a + first / length * share_a - b) / share_b * extent
        right = start + (a + last / length * share_a - b) / share_b * extent
        sides.append((first, max(0, last - first), round(left), max(0, round(right) - round(left))))
    (x, w, left, wide), (y, h, top, high_px) = sides
    return (x, y, w, h), (left, top, wide, high_px)
