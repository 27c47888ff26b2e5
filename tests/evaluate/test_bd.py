"""Bjøntegaard deltas against an independent implementation and against what follows from the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gvideo.evaluate import bd

# The worked example of the Python ports of VCEG-M33 (rates in kbit/s, PSNR in dB).
ANCHOR = [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)]
TEST = [(893.34, 40.39), (407.8, 37.21), (204.93, 34.17), (112.75, 31.24)]
# What the package bjontegaard 1.3.0 (FAU, LMS) makes of it; 900 random pairs of curves agreed to the last digit.
EXPECTED = {
    "akima": (31.38398898434116, -1.183658970073208),
    "pchip": (31.379878202397627, -1.1834724046224592),
    "cubic": (31.397374054908656, -1.184897921770328),
}


@pytest.mark.parametrize("method", bd.METHODS)
def test_worked_example(method: str) -> None:
    rate, quality = EXPECTED[method]
    assert bd.bd_rate(ANCHOR, TEST, method).value == pytest.approx(rate, rel=1e-9)
    assert bd.bd_quality(ANCHOR, TEST, method).value == pytest.approx(quality, rel=1e-9)


@pytest.mark.parametrize("method", bd.METHODS)
def test_a_constant_factor_of_rate_is_the_result(method: str) -> None:
    cheaper = [(rate * 0.8, quality) for rate, quality in ANCHOR]
    assert bd.bd_rate(ANCHOR, cheaper, method).value == pytest.approx(-20)
    assert bd.bd_rate(cheaper, ANCHOR, method).value == pytest.approx(25)
    better = [(rate, quality + 1.5) for rate, quality in ANCHOR]
    assert bd.bd_quality(ANCHOR, better, method).value == pytest.approx(1.5)


def test_order_and_repeats_do_not_matter() -> None:
    shuffled = [ANCHOR[2], ANCHOR[0], ANCHOR[3], ANCHOR[1], ANCHOR[0]]
    assert bd.bd_rate(shuffled, TEST) == bd.bd_rate(ANCHOR, TEST)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ([(r, q - 20) for r, q in TEST], "no qualities in common"),
        ([(100, 30), (200, 33), (300, 32.9), (400, 36)], "does not rise"),
        ([(100, 30), (100, 33), (300, 34), (400, 36)], "does not rise"),
        ([(100, 30), (200, 33)], "2 different points"),
        ([], "0 different points"),
        ([(100, 30), (200, math.nan), (300, 34), (400, 36)], "not a number"),
        ([(0, 30), (200, 33), (300, 34), (400, 36)], "not a number"),
        ([(r, q + 8.5) for r, q in TEST], "share"),
    ],
)
def test_no_number_without_a_meaning(points: list[tuple[float, float]], text: str) -> None:
    for delta in (bd.bd_rate(ANCHOR, points), bd.bd_rate(points, ANCHOR)):
        assert delta.value is None
        assert text in delta.warning


def test_a_small_overlap_is_said() -> None:
    delta = bd.bd_rate(ANCHOR, [(r, q + 6) for r, q in TEST])
    assert delta.value is not None
    assert 0.1 < delta.overlap < 0.5
    assert "% of the shorter curve" in delta.warning


def test_akima_equals_a_numerical_integral() -> None:
    from scipy.interpolate import Akima1DInterpolator

    curves = [np.array(sorted(points)).T for points in (ANCHOR, TEST)]
    low, high = max(c[1][0] for c in curves), min(c[1][-1] for c in curves)
    grid = np.linspace(low, high, 20001)
    first, second = (Akima1DInterpolator(q, np.log10(r))(grid) for r, q in curves)
    mean = np.trapezoid(second - first, grid) / (high - low)
    assert bd.bd_rate(ANCHOR, TEST).value == pytest.approx((10**mean - 1) * 100, abs=1e-5)


def test_unknown_method() -> None:
    with pytest.raises(ValueError, match="one of akima"):
        bd.bd_rate(ANCHOR, TEST, "spline")


def test_only_qualities_within_limits_count() -> None:
    """Two curves that part at 34 dB: below it the same rates, above it twice as much."""
    quality = np.arange(26.0, 43.0)
    anchor = [(10 ** (q / 10), q) for q in quality]
    test = [(rate * (2 if q > 34 else 1), q) for rate, q in anchor]
    assert bd.bd_rate(anchor, test, "pchip", within=(26, 33)).value == pytest.approx(0, abs=1e-9)
    above = bd.bd_rate(anchor, test, "pchip", within=(35, 42))
    assert above.value == pytest.approx(100, abs=1)
    assert above.overlap == pytest.approx(1)
    assert bd.bd_rate(anchor, test, within=(50, 60)).value is None
