"""Bjøntegaard deltas: the mean difference of two rate-distortion curves (VCEG-M33, 2001; VCEG-AI11, 2008).

    log10 rate                       BD-rate: mean horizontal gap over the qualities that both curves reach,
        |      anchor  ___ test      as a change of rate; BD-PSNR: mean vertical gap over the rates that both reach
        |        ___---
        |  __--- ________            BD-rate = 10^( ∫ (log r_test - log r_anchor) dq / (q_high - q_low) ) - 1

The curve through the points is Akima's or PCHIP's (piecewise cubic, no overshoot between measured points), or the
classic cubic polynomial fitted to all points. Where the definition gives nothing (curves that do not overlap, that are
not monotonic, or of too few points) there is a warning and no number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import interpolate

from gvideo.types import Float64

METHODS = ("akima", "pchip", "cubic")
#: Least points for a curve: an interpolation needs three to be more than a line, the cubic has four coefficients.
MIN_POINTS = {"akima": 3, "pchip": 2, "cubic": 4}
#: Below this share of the shorter curve's range the figure stands on a small part of it, and a warning says so.
_SMALL_OVERLAP = 0.5
#: Below this share there is no number: it would be the difference of two end points.
_LEAST_OVERLAP = 0.1

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Delta:
    """A Bjøntegaard figure or the reason why there is none. value: percent for rates, the metric's unit otherwise.
    overlap: share of the shorter of both ranges that the figure stands on."""

    value: float | None
    overlap: float = 0.0
    warning: str = ""


def bd_rate(
    anchor: Points, test: Points, method: str = "akima", within: tuple[float, float] = (-math.inf, math.inf)
) -> Delta:
    """Percent of rate that `test` needs more (positive) or less (negative) than `anchor` for the same quality.

    Points are (rate, quality), in any order. within: only qualities between these count. Raises ValueError for an
    unknown method.
    """
    return _delta(anchor, test, method, as_rate=True, within=within)


def rate_at(points: Points, quality: float) -> float | None:
    """The rate at a quality, along PCHIP through points (rate, quality), or None where the curve does not reach it."""
    curve, _ = _curve(points, "pchip")
    if curve is None or not curve[0][0] <= quality <= curve[0][-1]:
        return None
    return float(10 ** interpolate.PchipInterpolator(*curve)(quality))


def bd_quality(anchor: Points, test: Points, method: str = "akima") -> Delta:
    """Quality that `test` has above `anchor` at the same rate, in the metric's unit."""
    return _delta(anchor, test, method, as_rate=False)


def _delta(
    anchor: Points, test: Points, method: str, *, as_rate: bool, within: tuple[float, float] = (-math.inf, math.inf)
) -> Delta:
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, one of {', '.join(METHODS)} wanted")
    curves = []
    for name, points in (("anchor", anchor), ("test", test)):
        curve, problem = _curve(points, method)
        if curve is None:
            return Delta(None, warning=f"{name}: {problem}")
        curves.append(curve if as_rate else curve[::-1])
    (x_a, y_a), (x_t, y_t) = curves
    low, high = max(x_a[0], x_t[0], within[0]), min(x_a[-1], x_t[-1], within[1])
    if high <= low:
        what = "qualities" if as_rate else "rates"
        return Delta(None, warning=f"the curves have no {what} in common")
    shares = (high - low) / min(x_a[-1] - x_a[0], x_t[-1] - x_t[0], within[1] - within[0])
    if shares < _LEAST_OVERLAP:
        return Delta(None, float(shares), f"the curves share {100 * shares:.0f} % of the shorter one only")
    mean = (_integral(x_t, y_t, low, high, method) - _integral(x_a, y_a, low, high, method)) / (high - low)
    value = (10**mean - 1) * 100 if as_rate else mean
    warning = f"stands on {100 * shares:.0f} % of the shorter curve" if shares < _SMALL_OVERLAP else ""
    return Delta(float(value), float(shares), warning)


def _curve(points: Points, method: str) -> tuple[tuple[Float64, Float64] | None, str]:
    """((quality, log10 rate) by rising rate, "") or (None, why not)."""
    ordered = sorted({(float(r), float(q)) for r, q in points})
    if any(not (math.isfinite(r) and math.isfinite(q) and r > 0) for r, q in ordered):
        return None, "a point is not a number"
    if len(ordered) < MIN_POINTS[method]:
        return None, f"{len(ordered)} different points, at least {MIN_POINTS[method]} wanted"
    rate, quality = np.array(ordered).T
    if bool((np.diff(rate) <= 0).any()) or bool((np.diff(quality) <= 0).any()):
        return None, "quality does not rise with rate at every point"
    return (quality, np.log10(rate)), ""


def _integral(x: Float64, y: Float64, low: float, high: float, method: str) -> float:
    if method == "cubic":
        primitive = np.polyint(np.polyfit(x, y, 3))
        return float(np.polyval(primitive, high) - np.polyval(primitive, low))
    kind = interpolate.Akima1DInterpolator if method == "akima" else interpolate.PchipInterpolator
    return float(kind(x, y).integrate(low, high))
