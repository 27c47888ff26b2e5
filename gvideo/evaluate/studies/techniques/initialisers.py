"""Where new Gaussians begin and how they are shaped."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from gvideo.encoder.backends.base import SMALLEST_LOG_START
from gvideo.encoder.jit import kernel
from gvideo.evaluate.studies.techniques.base import Technique, technique
from gvideo.types import Float32, Float64, Int64


@technique
class FloydSteinberg(Technique):
    """Places by error diffusion of the energy (R. Floyd, L. Steinberg, 1976): evenly spread where chance clumps."""

    name, kind = "floyd-steinberg", "initialiser"
    about = "places by error diffusion of the residual's energy"

    def place(self, energy: Float32, count: int, rng: np.random.Generator) -> Int64:
        density = energy.astype(np.float64) + 1e-12
        density *= count / density.sum()
        density *= rng.uniform(0.9, 1.1, density.shape)  # else every seed has the same places
        marked = np.zeros(density.shape, bool)
        for frame, chosen_here in zip(density, marked, strict=True):
            diffuse(frame, chosen_here)
        chosen = np.flatnonzero(marked)
        if len(chosen) > count:
            chosen = np.sort(rng.choice(chosen, count, replace=False))
        missing = super().place(energy, count - len(chosen), rng) if len(chosen) < count else chosen[:0]
        return np.concatenate([chosen, missing]).astype(np.int64)


@kernel
def diffuse(density: Float64, chosen: NDArray[np.bool_]) -> None:
    """Marks about as many pixels, bool [H,W], as density f64 [H,W] sums up to, which is used up: what a pixel has too
    much or too little goes to the next (7/16) and below (3, 5, 1 sixteenths), in rows to and fro."""
    height, width = density.shape
    for y in range(height):
        ahead = 1 - 2 * (y % 2)
        for k in range(width):
            x = k if ahead > 0 else width - 1 - k
            error = density[y, x]
            if error >= 0.5:
                chosen[y, x] = True
                error -= 1.0
            if 0 <= x + ahead < width:
                density[y, x + ahead] += error * 7 / 16
            if y + 1 < height:
                density[y + 1, x] += error * 5 / 16
                if 0 <= x + ahead < width:
                    density[y + 1, x + ahead] += error * 1 / 16
                if 0 <= x - ahead < width:
                    density[y + 1, x - ahead] += error * 3 / 16


@technique
class NarrowStart(Technique):
    """The default's shapes, smaller and longer: what is left when the learned start's answers are averaged."""

    name, kind = "narrow-start", "initialiser"
    about = "start shapes of 0.6 times the size and twice the elongation"
    SIZE, ELONGATION = 0.6, 2.0

    def shape(self, residual: Float32, frame: Int64, point: Float32, sigma: float) -> tuple[Float32, Float32]:
        log_scale, angle = super().shape(residual, frame, point, sigma)
        middle = log_scale.mean(1, keepdims=True)
        narrow = middle + math.log(self.SIZE) + self.ELONGATION * (log_scale - middle)
        return np.maximum(narrow, SMALLEST_LOG_START).astype(np.float32), angle


@technique
class DelaunayShapes(Technique):
    """Start shapes from the edges that meet at a place in the Delaunay triangulation of its generation."""

    name, kind = "delaunay", "initialiser"
    about = "start shapes from the second moments of Delaunay edges"

    def shape(self, residual: Float32, frame: Int64, point: Float32, sigma: float) -> tuple[Float32, Float32]:
        log_scale, angle = super().shape(residual, frame, point, sigma)
        found = edge_moments(point.astype(np.float64))
        if found is None:
            return log_scale, angle  # too few places: the structure tensor has to do
        values, vectors = np.linalg.eigh(found)
        # half the typical edge each way is a Gaussian's share of the plane
        edges = 0.5 * np.log(np.maximum(values[:, ::-1] / 4, 0.25))
        angle = (np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1]) % math.pi).astype(np.float32)
        wide = math.log(max(4 * sigma, 2.0))
        return np.clip(edges, SMALLEST_LOG_START, wide).astype(np.float32), angle


def edge_moments(points: Float64) -> Float64 | None:
    """Mean outer product f64 [n,2,2] of the edges that meet at each point f64 [n,2], or None without a triangle."""
    try:
        simplices = Delaunay(points, qhull_options="QJ Qbb Qc").simplices
    except (QhullError, ValueError):
        return None
    a, b = np.concatenate([simplices[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))]).T
    edge = points[b] - points[a]
    outer = edge[:, :, None] * edge[:, None, :]
    sums, degrees = np.zeros((len(points), 2, 2)), np.zeros(len(points))
    for ends in (a, b):
        np.add.at(sums, ends, outer)
        np.add.at(degrees, ends, 1)
    moments: Float64 = sums / np.maximum(degrees, 1)[:, None, None]
    return moments
