"""Squared error of a set of values against a segment's frames, its gradients for every attribute, and the bits' part,
by compiled kernels on NumPy arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gvideo import raster
from gvideo.encoder.backends import cpu_kernels
from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, CHROMA_WEIGHT, Residual, Target
from gvideo.encoder.backends.cpu_coarse import chain_to_full_size, halvings_for, shrink, shrink_splats
from gvideo.encoder.gaussians.parameters import Values
from gvideo.encoder.gaussians.quantised import Quantised
from gvideo.raster import cpu
from gvideo.raster.interface import Show
from gvideo.raster.threads import for_each, for_rows
from gvideo.types import Float32, Int32, Splats

#: Frames that are rendered in one call.
_RENDERED_FRAMES = 16
#: Gaussians whose part in the trajectories' gradients is one sum.
_SUMMED_ROWS = 1024


class CpuObjective:
    """Compiled kernels on NumPy arrays."""

    device = torch.device("cpu")
    #: One attempt, which never fails, for however many steps.
    window = sys.maxsize

    def __init__(self, target: Target) -> None:
        self.target = target
        #: Halvings that errors are of, frames f32 [T,3,H,W] and weights at that size; made when they are asked for.
        self.shrunk: tuple[int, Float32, Float32 | None] = (0, target.frames, target.weights)

    def coarsen(self, sigma: float) -> None:
        """See Objective."""
        halvings = halvings_for(sigma, self.target.size)
        if halvings == self.shrunk[0]:
            return
        frames, weights = self.target.frames, self.target.weights
        self.shrunk = (
            halvings, shrink(frames, halvings), None if weights is None else shrink(weights[:, None], halvings)[:, 0],
        )  # fmt: skip

    def attempt(self, steps: Callable[[], None]) -> bool:
        """See Objective."""
        steps()
        return True

    def residual(self, values: Values, trajectory: Tensor, frames: Int32) -> Residual:
        """See Objective."""
        if not len(trajectory):
            return Residual(self.target.frames[frames], frames)
        left = np.empty((len(frames), *self.target.frames.shape[1:]), np.float32)

        def subtract(number: int, picture: Float32) -> None:
            np.subtract(self.target.frames[frames[number]], picture, out=left[number])

        draw(values, trajectory, self.target, frames, subtract)
        return Residual(left, frames)

    def energy(self, residual: Residual) -> float:
        """See Objective."""
        sums, weights = np.empty((len(residual.frames), 3)), self.target.weights

        def add(row: int) -> None:
            of_pixels = None if weights is None else weights[residual.frames[row]]
            for channel, plane in enumerate(residual.values[row]):
                weighted = plane if of_pixels is None else of_pixels * plane
                sums[row, channel] = np.dot(plane.ravel(), weighted.ravel())

        for_each(len(sums), add)
        luma, blue, red = sums.sum(0).tolist()
        return float(luma + CHROMA_WEIGHT * (blue + red))

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[float, Values]:
        """See Objective."""
        width, height = self.target.size
        splats, theta = splats_at(values, trajectory, self.target, frames)
        halvings, pictures, weights = self.shrunk
        small = shrink_splats(splats, halvings)
        sse, g = cpu.loss_and_gradients_on_grids(
            small, np.eye(len(frames), dtype=np.float32), self.target.times[frames],
            pictures, frames, CHANNEL_WEIGHTS * np.float32(4**halvings), weights,
        )  # fmt: skip
        chain_to_full_size(g, small, splats, halvings)
        # partial sums of equal ranges, added in their order: the same for any number of threads
        ranges = range(0, len(trajectory), _SUMMED_ROWS)
        parts = np.zeros((max(len(ranges), 1), *theta.shape), np.float64)
        followed = trajectory.numpy()

        def spread(part: int) -> None:
            rows = slice(ranges[part], ranges[part] + _SUMMED_ROWS)
            cpu_kernels.spread_gradients(
                splats.means[rows], theta, followed[rows], width, height, g.displacements[rows], g.means[rows],
                parts[part],
            )  # fmt: skip

        for_each(len(ranges), spread)
        theta_gradient = np.tensordot(self.target.basis[frames], parts.sum(0), ([0], [1])).swapaxes(0, 1)
        gradients = {
            "mean": g.means,
            "residual": residual_gradients(g.displacements, self.target.residual_basis[frames]),
            "log_scale": g.log_scales,
            "angle": g.angles,
            "amplitude": g.amplitudes,
            "centre": g.centres,
            "inverse_duration": g.inverse_durations,
            "theta": np.ascontiguousarray(theta_gradient, np.float32),
        }
        error = float((sse * CHANNEL_WEIGHTS).sum()) * 4**halvings
        return error, {name: torch.from_numpy(a) for name, a in gradients.items()}

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """See Objective."""
        residual, log_scale = values["residual"].numpy(), values["log_scale"].numpy()
        out = gradients["residual"].numpy()
        for_rows(
            len(residual),
            lambda a, b: cpu_kernels.charge_motion(residual[a:b], log_scale[a:b], share, price, out[a:b]),
        )

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """See Objective."""
        read = [a.numpy() for a in (q.levels, q.ratio, q.amplitude_step, residual, q.residual_levels, q.residual_step)]
        written = [gradients[name].numpy() for name in ("amplitude", "residual")]
        paid, charge = np.array(prices), cast(Any, cpu_kernels.charge_bits)
        for_rows(len(residual), lambda a, b: charge(*(x[a:b] for x in read), paid, *(x[a:b] for x in written)))


def residuals_at(residual: Float32, basis: Float32) -> Float32:
    """Residual motion f32 [N,F,2] in frames, of control points f32 [N,J,2] with weights f32 [F,J] there."""
    out = np.empty((len(residual), len(basis), 2), np.float32)
    for_rows(len(out), lambda a, b: cpu_kernels.weigh_control(residual[a:b], basis, out[a:b]))
    return out


def residual_gradients(gradient: Float32, basis: Float32) -> Float32:
    """The chain rule of residuals_at(): f32 [N,F,2] to f32 [N,J,2]."""
    out = np.empty((len(gradient), basis.shape[1], 2), np.float32)
    for_rows(len(out), lambda a, b: cpu_kernels.weigh_gradients(gradient[a:b], basis, out[a:b]))
    return out


def splats_at(values: Values, trajectory: Tensor, target: Target, frames: Int32) -> tuple[Splats, Float32]:
    """(Gaussians whose control points are their displacements in the chosen frames, the trajectories there f32
    [M,F,2,3]): a step sees few frames, and a segment may have as many control points as frames."""
    v = {name: value.numpy() for name, value in values.items()}
    width, height = target.size
    theta = np.tensordot(target.basis[frames], v["theta"], ([1], [1])).swapaxes(0, 1)
    theta = np.ascontiguousarray(theta, np.float32)
    residual = residuals_at(v["residual"], target.residual_basis[frames])
    displacement = np.empty_like(residual)
    mean, followed = v["mean"], trajectory.numpy()
    for_rows(
        len(displacement),
        lambda a, b: cpu_kernels.displace(
            mean[a:b], residual[a:b], theta, followed[a:b], width, height, displacement[a:b]
        ),
    )
    splats = Splats(
        v["mean"], displacement, v["log_scale"], v["angle"], v["amplitude"], v["centre"], v["inverse_duration"]
    )
    return splats, theta


def draw(values: Values, trajectory: Tensor, target: Target, frames: Int32, show: Show) -> None:
    """Pictures f32 [3,H,W] of a set of values in frames i32 [F], handed one by one to `show` with their number in
    `frames`."""
    view = raster.Viewport(*target.size)
    for start in range(0, len(frames), _RENDERED_FRAMES):
        some = frames[start : start + _RENDERED_FRAMES]
        splats, _ = splats_at(values, trajectory, target, some)
        basis = np.eye(len(some), dtype=np.float32)

        def show_numbered(number: int, picture: Float32, start: int = start) -> None:
            show(start + number, picture)

        raster.get_backend("cpu").render_each(splats, basis, target.times[some], view, show_numbered)
