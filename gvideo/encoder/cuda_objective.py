"""The objective on a GPU: Triton kernels for the pictures, tensors for the rest. Twin of objective.CpuObjective."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gvideo.encoder.cuda_room import PairRoom
from gvideo.encoder.objective import CHROMA_WEIGHT, Target
from gvideo.encoder.parameters import Values
from gvideo.encoder.quantised import Quantised
from gvideo.raster import Viewport, cuda
from gvideo.types import Int32

LN2 = math.log(2)
#: Steps between two moments at which the host waits for the device.
WINDOW = 25


class CudaObjective:
    """A segment's frames on the device. See objective.Objective.

    Bytes for T frames of W x H px and N Gaussians with K control points on M trajectories: 12 T W H for the frames (4
    more for weights of pixels, if there are any); 12 T W H for a residual while it is held, 12 W H for each frame of
    one launch on the way to it, and 24 W H for its energy. A step of F frames adds 84 F N for places,
    60 for a pair of a Gaussian and a tile of 16 x 16 px, and (72 K + 9 M) N for the trajectories' gradients, without
    what torch's operations need for themselves; a window of steps keeps the parameters and their moments once more.
    """

    window = WINDOW

    def __init__(self, target: Target) -> None:
        """Raises OptionError if there is no device to run on."""
        self.device = cuda.device()
        self.target = target
        self.frames = torch.from_numpy(target.frames).to(self.device)
        weights = target.weights
        self.pixel_weights = None if weights is None else torch.from_numpy(weights).to(self.device)
        self.basis = torch.from_numpy(target.basis).to(self.device)
        self.times = torch.from_numpy(target.times).to(self.device)
        self._room = PairRoom(self.device)
        self._in_window = False
        # what would be handed over at every step, and have the host wait for it
        self._choices: dict[bytes, tuple[Tensor, Tensor, Tensor]] = {}
        self._starts = torch.zeros(2, dtype=torch.int32, device=self.device)

    def attempt(self, steps: Callable[[], None]) -> bool:
        """See Objective."""
        self._in_window = True
        try:
            steps()
        finally:
            self._in_window = False
        return self._room.confirm()

    def residual(self, values: Values, trajectory: Tensor) -> Tensor:
        """See Objective. A few frames at a time beside the result."""
        left = self.frames.clone()
        if len(trajectory):
            view = Viewport(*self.target.size)
            motion, step = self._motion(values, trajectory), cuda.frames_a_launch(view)
            for start in range(0, len(left), step):
                part = slice(start, start + step)
                batch = self._batch(values, motion, self.basis[part], self.times[part])
                left[part].sub_(cuda.draw(batch, view))
        return left

    def energy(self, residual: Tensor) -> float:
        """See Objective. Frame by frame, in float64."""
        weights = self.pixel_weights

        def sum_of(k: int) -> Tensor:
            squares = residual[k].double().square_()
            return (squares if weights is None else squares.mul_(weights[k])).sum((1, 2))

        sums = torch.stack([sum_of(k) for k in range(len(residual))]).sum(0)
        return float(sums[0] + CHROMA_WEIGHT * (sums[1] + sums[2]))

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[Tensor, Values]:
        """See Objective. In an attempt() the host does not wait for the device, but for the first step of a size."""
        rows, basis, times = self._chosen(frames)
        motion = self._motion(values, trajectory)
        batch = self._batch(values, motion, basis, times)
        weights = (1.0, CHROMA_WEIGHT, CHROMA_WEIGHT)
        capacity = self._room.capacity_of(len(trajectory)) if self._in_window else None
        errors, g, pairs = cuda.errors_and_gradients(batch, self.frames, rows, weights, capacity, self.pixel_weights)
        if capacity is not None:
            self._room.note(pairs, capacity)
        elif self._in_window:
            self._room.measure(len(trajectory), pairs)
        phi, control, _ = motion
        moved = g["displacements"]
        theta = torch.zeros_like(values["theta"], dtype=torch.float64)
        # one matrix product a trajectory's worth: sums in a fixed order, which index_add_ does not promise
        member = (trajectory[:, None] == torch.arange(len(theta), device=self.device)).double()
        outer = (moved[..., None] * phi[:, None, None, :]).double().flatten(1)
        theta += (member.T @ outer).reshape(theta.shape)
        theta[0].zero_()
        unit = max(self.target.size) / 4
        gradients = {
            "mean": g["means"] + (control[..., 1:] * moved[..., None]).sum((1, 2)) / unit,
            "residual": moved,
            "log_scale": g["log_scales"],
            "angle": g["angles"],
            "amplitude": g["amplitudes"],
            "centre": g["centres"],
            "inverse_duration": g["inverse_durations"],
            "theta": theta.float(),
        }
        return errors[:, 0].sum() + CHROMA_WEIGHT * errors[:, 1:].sum(), gradients

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """See Objective."""
        step = share * values["log_scale"].min(1)[0].exp()[:, None, None]
        gradients["residual"] += price * _log_slope(values["residual"] / step) / step

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """See Objective."""
        amplitude, motion, existence, chroma, moves = prices
        slope = amplitude * _log_slope(q.levels)
        slope += existence * 2 * q.ratio / (1 + q.ratio.square().sum(1, keepdim=True)).square()
        slope[:, 1:] += chroma * _jump_slope(q.ratio[:, 1:])
        gradients["amplitude"] += slope / q.amplitude_step
        step = q.residual_step[:, None, :]
        gradients["residual"] += (motion * _log_slope(q.residual_levels) + moves * _jump_slope(residual / step)) / step

    def _motion(self, values: Values, trajectory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(features [N,3] of the means, control [N,K,2,3] of their trajectories, displacements [N,K,2])."""
        width, height = self.target.size
        unit = max(width, height) / 4
        mean = values["mean"]
        phi = torch.stack(
            [torch.ones_like(mean[:, 0]), (mean[:, 0] - width / 2) / unit, (mean[:, 1] - height / 2) / unit], 1
        )
        control = values["theta"][trajectory]
        return phi, control, (control * phi[:, None, None, :]).sum(-1) + values["residual"]

    def _chosen(self, frames: Int32) -> tuple[Tensor, Tensor, Tensor]:
        """(frames i64 [F], basis f32 [F,K], times f32 [F]) on the device, handed over when they are first asked for: a
        fit has as many choices as frames."""
        key = frames.tobytes()
        if key not in self._choices:
            rows = torch.from_numpy(frames.astype("int64")).to(self.device)
            self._choices[key] = rows, self.basis[rows], self.times[rows]
        return self._choices[key]

    def _batch(self, values: Values, motion: tuple[Tensor, Tensor, Tensor], basis: Tensor, times: Tensor) -> cuda.Batch:
        displacement = motion[2]
        self._starts[1].fill_(len(displacement))
        return cuda.Batch(
            values["mean"].contiguous(), displacement.contiguous(), values["log_scale"].contiguous(),
            values["angle"].contiguous(), values["amplitude"].contiguous(), values["centre"].contiguous(),
            values["inverse_duration"].contiguous(), self._starts, len(displacement), basis, times,
        )  # fmt: skip


def _log_slope(levels: Tensor) -> Tensor:
    """Derivative of log2(1 + |x|)."""
    return levels.sign() / ((1 + levels.abs()) * LN2)


def _jump_slope(levels: Tensor) -> Tensor:
    """Derivative of x² / (1 + x²), a smooth stand-in for "not zero"."""
    return 2 * levels / (1 + levels.square()).square()
