"""Still images: the anchors are what they claim to be, and figures follow from pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gvideo.errors import GVideoError, MediaError
from gvideo.evaluate.images import compare_images, image_codecs, image_point, measure_image


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth coloured noise with an edge, 96x64: something that transforms like."""
    rng = np.random.default_rng(5)
    small = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8)).resize((96, 64), Image.Resampling.BICUBIC)
    picture = np.array(small)
    picture[20:40, 30:60] //= 2
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(picture).save(path)
    return path


def test_all_codecs_are_there() -> None:
    assert [c.name for c in image_codecs()] == ["gvideo", "jpeg", "avif", "jpeg2000", "x265"]


@pytest.mark.parametrize("name", ["jpeg", "avif", "jpeg2000", "x265"])
def test_quality_rises_with_bytes(name: str, photo: Path, tmp_path: Path) -> None:
    codec = next(c for c in image_codecs() if c.name == name)
    low, high = (image_point(photo, codec, q, tmp_path) for q in (codec.qualities[1], codec.qualities[-1]))
    assert low.num_bytes < high.num_bytes
    assert low.values["rgb_psnr_db"] < high.values["rgb_psnr_db"]
    assert high.values["rgb_psnr_db"] > 27
    assert high.bits_per_pixel == pytest.approx(8 * high.num_bytes / (96 * 64))
    assert image_point(photo, codec, codec.qualities[-1], tmp_path) == high


def test_gvideo_codes_a_picture(photo: Path, tmp_path: Path) -> None:
    (codec, *_) = image_codecs("fast", (34,))
    point = image_point(photo, codec, 34, tmp_path)
    assert point.values["rgb_psnr_db"] > 20
    rows = compare_images([point], codec.label)
    assert rows == []


def test_figures_of_known_errors() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    red = black.copy()
    red[..., 0] = 30
    values = measure_image(black, red)
    assert values["rgb_psnr_db"] == pytest.approx(10 * math.log10(255**2 / 300))
    assert values["y_psnr_db"] == pytest.approx(20 * math.log10(255 / (0.299 * 30)))
    with pytest.raises(GVideoError, match="was decoded"):
        measure_image(black, black[:8])


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no")
    with pytest.raises(MediaError, match=r"text\.png"):
        image_point(text, image_codecs()[1], 50, tmp_path)
