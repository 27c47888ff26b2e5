"""Pictures' distances against ffmpeg's own filters, against closed forms, and at the edges."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import ffmpeg
import numpy as np
import pytest

from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate import metrics, perceptual
from gvideo.evaluate.frames import Planes, read_y4m


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, write_clip: Callable[..., Path]) -> tuple[Path, Path]:
    """A clip and a blurred copy, 192x176 so that all five scales exist."""
    folder = tmp_path_factory.mktemp("pair")
    first = write_clip(folder / "a.y4m", 4, (192, 176))
    second = folder / "b.y4m"
    program.run(ffmpeg.input(str(first)).filter("gblur", sigma=1.2).output(str(second), pix_fmt="yuv420p"))
    return first, second


def test_psnr_agrees_with_ffmpeg(pair: tuple[Path, Path]) -> None:
    printed = program.run(ffmpeg.filter([ffmpeg.input(str(p)) for p in pair], "psnr").output("-", f="null"))
    found = re.search(r"PSNR y:([\d.]+|inf) u:([\d.]+|inf) v:([\d.]+|inf)", printed)
    assert found is not None
    values = metrics.measure(read_y4m(pair[0]), read_y4m(pair[1]), [0])
    for key, text in zip(("y_psnr_db", "cb_psnr_db", "cr_psnr_db"), found.groups(), strict=True):
        assert values[key] == pytest.approx(min(float(text), 100.0), abs=1e-4)
    expected = (6 * values["y_psnr_db"] + values["cb_psnr_db"] + values["cr_psnr_db"]) / 8
    assert values["yuv_psnr_db"] == pytest.approx(expected)


def test_ssim_agrees_with_libvmaf(pair: tuple[Path, Path], tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    graph = ffmpeg.filter(
        [ffmpeg.input(str(p)) for p in reversed(pair)], "libvmaf", feature="name=float_ssim|name=float_ms_ssim",
        log_fmt="json", log_path=str(log),
    )  # fmt: skip
    program.run(graph.output("-", f="null"))
    pooled = json.loads(log.read_text())["pooled_metrics"]
    values = metrics.measure(read_y4m(pair[0]), read_y4m(pair[1]), [0])
    assert values["ssim"] == pytest.approx(pooled["float_ssim"]["mean"], abs=1e-3)
    assert values["ms_ssim"] == pytest.approx(pooled["float_ms_ssim"]["mean"], abs=3e-3)


def test_vmaf_and_xpsnr(pair: tuple[Path, Path], tmp_path: Path) -> None:
    same, warnings = perceptual.measure(pair[0], pair[0], Fraction(25), tmp_path, 1)
    assert not warnings
    worse, _ = perceptual.measure(pair[0], pair[1], Fraction(25), tmp_path, 1)
    assert same["vmaf"] > 90
    assert same["vmaf_neg"] > 90
    assert same["xpsnr_db"] == 100.0
    assert worse["vmaf"] < same["vmaf"]
    assert worse["vmaf_neg"] <= worse["vmaf"]
    assert 5 < worse["xpsnr_db"] < 60


def test_xpsnr_weighs_by_the_source(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The same error hides in a detailed source, not in a smooth one."""
    hidden = perceptual.measure(pair[0], pair[1], Fraction(25), tmp_path, 1)[0]["xpsnr_db"]
    plain = perceptual.measure(pair[1], pair[0], Fraction(25), tmp_path, 1)[0]["xpsnr_db"]
    assert hidden > plain


def test_identical_pictures() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (3, 40, 60), np.uint8)
    low = plane[:, ::2, ::2]
    values = metrics.measure(Planes(plane, low, low), Planes(plane, low, low), [0])
    assert values["y_psnr_db"] == 100.0
    assert values["ssim"] == values["ms_ssim"] == pytest.approx(1.0)
    assert values["flicker_inside"] == 0.0
    assert math.isnan(values["flicker_borders"])


def test_psnr_of_a_known_error() -> None:
    a = np.full((2, 16, 16), 100, np.uint8)
    b = a.copy()
    b[0] += 10  # mean squared error 100 in one of two frames
    low = a[:, ::2, ::2]
    values = metrics.measure(Planes(a, low, low), Planes(b, low, low), [0])
    assert values["y_psnr_db"] == pytest.approx(10 * math.log10(255**2 / 50))


def test_flicker_is_told_apart_at_borders() -> None:
    source = np.full((6, 8, 8), 100, np.uint8)
    decoded = source.copy()
    decoded[3:] += 4  # the error jumps where the second segment begins
    assert metrics.flicker(source, decoded, [0, 3]) == (4.0, 0.0)
    assert metrics.flicker(source, decoded, [0])[1] == pytest.approx(4 / 5)


@pytest.mark.parametrize(("size", "expected"), [((10, 50), 0), ((11, 50), 1), ((144, 176), 4), ((176, 176), 5)])
def test_scales(size: tuple[int, int], expected: int) -> None:
    assert metrics.num_scales(*size) == expected
    noise = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    blurred = cv2.GaussianBlur(noise, (3, 3), 1.0)
    value = metrics.ms_ssim(noise, np.asarray(blurred, np.uint8))
    assert math.isnan(value) if expected == 0 else 0 <= value < 1


def test_frame_counts_must_agree() -> None:
    a = np.zeros((3, 16, 16), np.uint8)
    low = a[:, ::2, ::2]
    with pytest.raises(ValueError, match="wanted"):
        metrics.measure(Planes(a, low, low), Planes(a[:2], low[:2], low[:2]), [0])
