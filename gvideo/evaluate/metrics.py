"""Distances of pictures, on 8-bit planes: PSNR, SSIM, MS-SSIM, and flicker at the borders of segments.

PSNR     10 log10(255² / mean squared error), the mean over all pixels of all frames; YUV-PSNR = (6 Y + Cb + Cr) / 8
SSIM     Wang, Bovik, Sheikh, Simoncelli 2004, luma, 11x11 Gaussian window of sigma 1.5, inside the picture only
MS-SSIM  Wang, Simoncelli, Bovik 2003, luma, 5 scales; smaller pictures than 176 pixels get as many scales as the
         window fits, the weights scaled to sum to 1 (such figures compare within one clip only)
Flicker  mean absolute change of the error from one frame to the next, in grey levels, over the frames that begin a
         segment, and over all others: a codec whose segments join without a seam has equal numbers

Each is a mean over frames but for PSNR, whose mean is taken of the squared error (so a lossless frame does no harm).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gvideo.evaluate.frames import Planes
from gvideo.types import Float64, UInt8

#: Changes with every change of what a stored measurement means.
METRICS_VERSION = 2
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the results. decibels: BD figures are integrated over -10 log10(1 - value). tune: the anchors'
    tune whose curve is compared ("psnr" or "default")."""

    key: str
    label: str
    digits: int
    tune: str
    decibels: bool = False

    def axis(self, value: float) -> float:
        """The value as BD integrates it."""
        return -10 * math.log10(max(1 - value, 1e-10)) if self.decibels else value


METRICS = (
    Metric("y_psnr_db", "Y-PSNR [dB]", 2, "psnr"),
    Metric("yuv_psnr_db", "YUV-PSNR [dB]", 2, "psnr"),
    Metric("ssim", "SSIM", 4, "default", decibels=True),
    Metric("ms_ssim", "MS-SSIM", 4, "default", decibels=True),
    Metric("vmaf", "VMAF", 2, "default"),
    Metric("vmaf_neg", "VMAF NEG", 2, "default"),
    Metric("xpsnr_db", "XPSNR [dB]", 2, "default"),
)


def psnr_db(mean_squared_error: float) -> float:
    """PSNR of 8-bit codes; 100 dB where there is no error, so that means and plots stay finite."""
    return min(100.0, 10 * math.log10(255**2 / mean_squared_error)) if mean_squared_error > 0 else 100.0


def yuv_psnr_db(y: float, cb: float, cr: float) -> float:
    """The 6:1:1 mean of the planes' PSNR, as in the joint calls of MPEG and VCEG."""
    return (6 * y + cb + cr) / 8


def num_scales(height: int, width: int) -> int:
    """Scales of MS-SSIM that a picture is large enough for, at most 5; 0 if not even one."""
    return min(5, max(0, int(math.log2(min(height, width) / _WINDOW)) + 1)) if min(height, width) >= _WINDOW else 0


def ssim_maps(first: Float64, second: Float64) -> tuple[float, float]:
    """(mean of SSIM, mean of its contrast-structure part) of two luma planes [H,W] of codes 0..255."""

    def blur(plane: Float64) -> Float64:
        blurred = cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), 1.5, borderType=cv2.BORDER_REFLECT)
        half = _WINDOW // 2
        return np.asarray(blurred[half:-half, half:-half], np.float64)

    mean_1, mean_2 = blur(first), blur(second)
    var_1, var_2 = blur(first * first) - mean_1**2, blur(second * second) - mean_2**2
    covariance = blur(first * second) - mean_1 * mean_2
    structure = (2 * covariance + _C2) / (var_1 + var_2 + _C2)
    luminance = (2 * mean_1 * mean_2 + _C1) / (mean_1**2 + mean_2**2 + _C1)
    return float((luminance * structure).mean()), float(structure.mean())


def ssim(first: UInt8, second: UInt8) -> float:
    """SSIM of two luma planes; NaN for pictures smaller than the window."""
    if min(first.shape) < _WINDOW:
        return math.nan
    return ssim_maps(first.astype(np.float64), second.astype(np.float64))[0]


def ms_ssim(first: UInt8, second: UInt8) -> float:
    """Multi-scale SSIM of two luma planes; NaN for pictures smaller than the window."""
    scales = num_scales(*first.shape)
    if scales == 0:
        return math.nan
    weights = np.array(_SCALE_WEIGHTS[:scales]) / sum(_SCALE_WEIGHTS[:scales])
    a, b, result = first.astype(np.float64), second.astype(np.float64), 1.0
    for scale in range(scales):
        whole, structure = ssim_maps(a, b)
        value = whole if scale == scales - 1 else structure
        result *= max(value, 0.0) ** weights[scale]
        a, b = _halved(a), _halved(b)
    return float(result)


def _halved(plane: Float64) -> Float64:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    blocks = plane[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean((1, 3)), np.float64)


def measure(reference: Planes, decoded: Planes, starts: Sequence[int]) -> dict[str, float]:
    """The figures of this module for a decoded clip. starts: first frames of its segments. Raises ValueError where
    the number of frames or their size differ."""
    if reference.y.shape != decoded.y.shape:
        raise ValueError(f"{decoded.y.shape} decoded, {reference.y.shape} wanted (frames, height, width)")
    errors = {"y": 0.0, "cb": 0.0, "cr": 0.0}
    similar, multi = [], []
    for k in range(len(reference)):
        for name in errors:
            a, b = getattr(reference, name)[k], getattr(decoded, name)[k]
            errors[name] += float(np.square(a.astype(np.int32) - b).mean())
        similar.append(ssim(reference.y[k], decoded.y[k]))
        multi.append(ms_ssim(reference.y[k], decoded.y[k]))
    psnr = {name: psnr_db(total / len(reference)) for name, total in errors.items()}
    at_borders, inside = flicker(reference.y, decoded.y, starts)
    return {
        "y_psnr_db": psnr["y"], "cb_psnr_db": psnr["cb"], "cr_psnr_db": psnr["cr"],
        "yuv_psnr_db": yuv_psnr_db(psnr["y"], psnr["cb"], psnr["cr"]),
        "ssim": float(np.mean(similar)), "ms_ssim": float(np.mean(multi)),
        "flicker_borders": at_borders, "flicker_inside": inside,
    }  # fmt: skip


def flicker(reference: UInt8, decoded: UInt8, starts: Iterable[int]) -> tuple[float, float]:
    """(at the borders of segments, elsewhere) of luma [T,H,W]: mean absolute change of the error between neighbouring
    frames, grey levels. NaN where there is no such pair of frames."""
    borders = {s for s in starts if 0 < s < len(reference)}
    changes: dict[bool, list[float]] = {True: [], False: []}
    previous = reference[0].astype(np.int16) - decoded[0]
    for k in range(1, len(reference)):
        error = reference[k].astype(np.int16) - decoded[k]
        changes[k in borders].append(float(np.abs(error - previous).mean()))
        previous = error
    at_borders, inside = (float(np.mean(changes[b])) if changes[b] else math.nan for b in (True, False))
    return at_borders, inside
