"""A clip of moving shapes, 96x64, small enough to encode in seconds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gvideo.media import open_sink
from gvideo.types import VideoFormat


def _write_clip(path: Path, num_frames: int = 8, size: tuple[int, int] = (96, 64)) -> Path:
    """A bright disc that moves over a gradient with a texture."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    with open_sink(path, VideoFormat(width, height, timescale=25), frame_rate=Fraction(25)) as sink:
        for k in range(num_frames):
            disc = ((x - 20 - 4 * k) ** 2 + (y - 30) ** 2 < 150).astype(np.float32)
            luma = 0.2 + 0.4 * x / width + 0.1 * np.sin(x / 3) * np.sin(y / 4) + 0.3 * disc
            sink.write(np.stack([luma, 0.1 * disc, 0.2 * y / height - 0.1]).astype(np.float32), k, 1)
    return path


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    """Writes a clip of so many frames of a size (width, height)."""
    return _write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_clip(tmp_path_factory.mktemp("clips") / "disc.y4m")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")
