"""Where new Gaussians go and how they begin, compiled for the CPU. See cpu_growth.propose."""

from __future__ import annotations

import numpy as np

from gvideo.encoder.jit import kernel
from gvideo.types import Float32, Float64, Int64


@kernel
def average_in_time(values: Float32, reach: int, first: int, last: int, out: Float32) -> None:
    """Means of values f32 [T,H,W] over the frames within `reach` of each, in rows first..last-1, to out [T,H,W]."""
    num_frames, _, width = values.shape
    total = np.empty(width, np.float64)
    for y in range(first, last):
        total[:] = 0.0
        begin, end = 0, 0
        for t in range(num_frames):
            while end < min(t + reach + 1, num_frames):
                for x in range(width):
                    total[x] += values[end, y, x]
                end += 1
            while begin < t - reach:
                for x in range(width):
                    total[x] -= values[begin, y, x]
                begin += 1
            for x in range(width):
                out[t, y, x] = total[x] / (end - begin)


@kernel
def sample_places(energy: Float32, chances: Float64, places: Int64) -> int:
    """Places in a flat energy f32 [P]: one in each of equal shares of its sum, where its chance f64 [n] in [0,1) falls.

    Shares follow the order of the energy, so places are spread as evenly as it allows. A place that holds several
    shares is taken once: the number of places is returned, which stand in ascending order.
    """
    total = 0.0
    for i in range(len(energy)):
        total += energy[i] + 1e-8
    count, share = 0, total / len(chances)
    reached, k = 0.0, 0
    for i in range(len(energy)):
        reached += energy[i] + 1e-8
        if k < len(chances) and (k + chances[k]) * share < reached:
            places[count] = i
            count += 1
            while k < len(chances) and (k + chances[k]) * share < reached:
                k += 1
    return count


@kernel
def describe_places(
    residual: Float32, frames: Int64, x: Int64, y: Int64, size: int, amplitude: Float32, tensor: Float32
) -> None:
    """At each place of a residual f32 [T,3,H,W]: its mean over size x size px, to amplitude f32 [n,3], and the
    structure tensor (x x, x y, y y) of its luma over two more, to tensor f32 [n,3]. Outside the picture is nothing."""
    height, width = residual.shape[2], residual.shape[3]
    half = size // 2
    wide = half + 1
    smooth = np.empty((2 * wide + 3, 2 * wide + 3), np.float32)
    for n in range(len(frames)):
        frame = residual[frames[n]]
        for c in range(3):
            total = 0.0
            for j in range(max(y[n] - half, 0), min(y[n] + half + 1, height)):
                for i in range(max(x[n] - half, 0), min(x[n] + half + 1, width)):
                    total += frame[c, j, i]
            amplitude[n, c] = total / (size * size)
        for j in range(-wide - 1, wide + 2):
            for i in range(-wide - 1, wide + 2):
                total = 0.0
                for b in range(max(y[n] + j - 1, 0), min(y[n] + j + 2, height)):
                    for a in range(max(x[n] + i - 1, 0), min(x[n] + i + 2, width)):
                        total += frame[0, b, a]
                smooth[j + wide + 1, i + wide + 1] = total / 9.0
        xx, xy, yy = 0.0, 0.0, 0.0
        for j in range(-wide, wide + 1):
            for i in range(-wide, wide + 1):
                if not (0 <= y[n] + j < height and 0 <= x[n] + i < width):
                    continue
                gx, gy = 0.0, 0.0
                if 0 < x[n] + i < width - 1:
                    gx = 0.5 * (smooth[j + wide + 1, i + wide + 2] - smooth[j + wide + 1, i + wide])
                if 0 < y[n] + j < height - 1:
                    gy = 0.5 * (smooth[j + wide + 2, i + wide + 1] - smooth[j + wide, i + wide + 1])
                xx += gx * gx
                xy += gx * gy
                yy += gy * gy
        area = (2 * wide + 1) * (2 * wide + 1)
        tensor[n, 0], tensor[n, 1], tensor[n, 2] = xx / area, xy / area, yy / area
