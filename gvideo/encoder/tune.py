"""What `--tune` means: the measure that a fit serves, as weights of pixels' squared errors and a sharper source.

psnr   the source as it is, all pixels alike
ssim   A window's SSIM falls by its squared error over 2 var + C2 to first order, var being the source's variance in it.
       So a pixel weighs the mean of 1 / (2 var + floor) over the windows that hold it. With floor = C2 weights span a
       factor of 100, and steps that are the same everywhere fit none of it: a larger floor serves SSIM better.
vmaf   Coded pictures are softer than their source, and VMAF, like SSIM, takes that ill: a little more contrast of the
       finest detail in the source makes up for it.

The figures behind the constants are in docs/techniques.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gvideo.types import Float32

#: SSIM's window and its second constant, for luma in 0…1 (Wang, Bovik, Sheikh, Simoncelli 2004).
_WINDOW, _SIGMA, _C2 = 11, 1.5, 0.03**2
#: Sigma of the blur that detail is told from the rest with, px.
_DETAIL_SIGMA = 1.5


@dataclass(frozen=True, slots=True)
class Tune:
    """sharpening: share of the detail that is added to the source's luma. variance_floor: of ssim's weights, in luma²;
    None weighs all pixels alike."""

    sharpening: float = 0.0
    variance_floor: float | None = None


TUNES: dict[str, Tune] = {
    "psnr": Tune(),
    "ssim": Tune(sharpening=0.25, variance_floor=12 * _C2),
    "vmaf": Tune(sharpening=0.3),
}


def pixel_weights(luma: Float32, tune: Tune) -> Float32 | None:
    """Weights f32 [T,H,W] of the pixels of luma f32 [T,H,W] in 0…1, with a geometric mean of 1; None for all alike."""
    if tune.variance_floor is None:
        return None
    floor = np.float32(tune.variance_floor)
    weights = np.stack([_windowed(np.float32(1) / (2 * _variance(frame) + floor)) for frame in luma])
    return np.asarray(weights / np.exp(np.log(weights).mean(dtype=np.float64)), np.float32)


def sharpen(luma: Float32, tune: Tune) -> None:
    """Adds to luma f32 [T,H,W] what the tune wants of its detail."""
    if tune.sharpening:
        for frame in luma:
            soft = cv2.GaussianBlur(frame, (0, 0), _DETAIL_SIGMA, borderType=cv2.BORDER_REFLECT)
            frame += np.float32(tune.sharpening) * (frame - soft)


def _variance(frame: Float32) -> Float32:
    mean = _windowed(frame)
    return np.maximum(_windowed(frame * frame) - mean * mean, 0)


def _windowed(plane: Float32) -> Float32:
    """Means over SSIM's window around each pixel."""
    blurred = cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, np.float32)
