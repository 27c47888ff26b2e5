"""Dense optical flow both ways and tracks of points through a segment.

Flow is DIS (Kroeger et al., ECCV 2016) as OpenCV implements it, on 8-bit luma, frames side by side on the threads of
the kernels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from gvideo.raster.threads import for_each
from gvideo.types import Float32, Int64, UInt8

#: Larger pictures are halved before their flow is estimated: a third of the time, and at 1280x720 the same rates.
FULL_SIZE_PIXELS = 500_000
#: Px from patch to patch and iterations of the refinement after them, where OpenCV's preset has 3 and 5: as good in
#: half of the time (docs/techniques.md).
PATCH_STRIDE, REFINEMENTS = 4, 2


class Flow:
    """Flow of a segment. forward[k]: frame k to k+1, backward[k]: frame k+1 to k; f32 [T-1,H,W,2] px."""

    def __init__(self, luma: Float32) -> None:
        """Luma f32 [T,H,W] in [0,1]."""
        self.num_frames, self.height, self.width = luma.shape
        shape = (max(self.num_frames - 1, 0), self.height, self.width, 2)
        self.forward = np.zeros(shape, np.float32)
        self.backward = np.zeros(shape, np.float32)
        if min(self.height, self.width) < 16:
            return  # DIS needs a few patches a side; tiny frames get trajectories at rest
        size, small = (self.width, self.height), (self.width, self.height)
        if self.width * self.height > FULL_SIZE_PIXELS:
            small = -(-self.width // 2), -(-self.height // 2)
        codes = [_codes(f, small) for f in luma]

        def estimate(k: int) -> None:
            self.forward[k] = _enlarge(_estimate(codes[k], codes[k + 1]), size)
            self.backward[k] = _enlarge(_estimate(codes[k + 1], codes[k]), size)

        # OpenCV takes one thread for a pair of frames; on a GPU this would be the longest part of an encode
        for_each(self.num_frames - 1, estimate)

    def track(self, points: Float32, frames: Int64) -> Float32:
        """Positions f32 [T,n,2] over the segment of points f32 [n,2] seen in their frames [n]."""
        tracks = np.zeros((self.num_frames, len(points), 2), np.float32)
        tracks[frames, np.arange(len(points))] = points
        for k in range(self.num_frames - 1):
            moving = np.flatnonzero(frames <= k)
            tracks[k + 1, moving] = tracks[k, moving] + _sample(self.forward[k], tracks[k, moving])
        for k in range(self.num_frames - 2, -1, -1):
            moving = np.flatnonzero(frames > k)
            tracks[k, moving] = tracks[k + 1, moving] + _sample(self.backward[k], tracks[k + 1, moving])
        return tracks


def _codes(luma: Float32, size: tuple[int, int]) -> UInt8:
    """Luma as 8-bit codes, at a size (width, height)."""
    if luma.shape != size[::-1]:
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.ascontiguousarray(np.clip(luma * 255 + 0.5, 0, 255).astype(np.uint8))


def _enlarge(field: Float32, size: tuple[int, int]) -> Float32:
    """Flow at a size (width, height), in px of it."""
    height, width = field.shape[:2]
    if (width, height) == size:
        return field
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32) * scale


def _estimate(one: UInt8, other: UInt8) -> Float32:
    """Flow f32 [H,W,2] by an estimator of its own: one that has seen a tiny picture chooses other scales afterwards."""
    estimator: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setPatchStride(PATCH_STRIDE)
    estimator.setVariationalRefinementIterations(REFINEMENTS)
    field: Float32 = estimator.calc(one, other, None)
    return field


def _sample(field: Float32, points: Float32) -> Float32:
    """Bilinear values f32 [n,2] of a flow field at points; border values outside."""
    if len(points) == 0:
        return np.zeros((0, 2), np.float32)
    height, width, _ = field.shape
    # cv2.remap takes at most 32767 columns: rows of 16384 points
    padded = -(-len(points) // 16384) * 16384 if len(points) > 16384 else len(points)
    x = np.zeros(padded, np.float32)
    y = np.zeros(padded, np.float32)
    x[: len(points)] = np.clip(points[:, 0], 0, width - 1)
    y[: len(points)] = np.clip(points[:, 1], 0, height - 1)
    columns = min(padded, 16384)
    grid_x, grid_y = x.reshape(-1, columns), y.reshape(-1, columns)
    values = cv2.remap(field, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values, np.float32).reshape(-1, 2)[: len(points)]
