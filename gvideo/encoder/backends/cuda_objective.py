"""The objective on a GPU: Triton kernels for the pictures, tensors for the rest. Twin of objective.CpuObjective."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, CHROMA_WEIGHT, Residual, Target
from gvideo.encoder.backends.pair_capacity import PairCapacity
from gvideo.encoder.gaussians.parameters import Values
from gvideo.encoder.gaussians.quantised import Quantised
from gvideo.raster import Viewport, cuda
from gvideo.types import Int32

#: Steps between two moments at which the host waits for the device.
WINDOW = 25


class CudaObjective:
    """A segment's frames on the device. See objective.Objective.

    Bytes for T frames of W x H px and N Gaussians: 12 T W H for the frames (4
    more for weights of pixels, if there are any); 12 T W H for a residual while it is held, 12 W H for each frame of
    one launch on the way to it, and 24 W H for its energy. A step of F frames adds 84 F N for places,
    100 for a pair of a Gaussian and a tile of 16 x 16 px, and 16 F N for displacements, without what torch's operations
    need for themselves; a window of steps keeps the parameters and their moments once more.
    """

    window = WINDOW

    def __init__(self, target: Target) -> None:
        """Raises OptionError if there is no device to run on."""
        self.device = cuda.device()
        from gvideo.encoder.backends import cuda_kernels  # needs triton, which device() has looked for

        self._step = cuda_kernels
        self.target = target
        self.frames = torch.from_numpy(target.frames).to(self.device)
        weights = target.weights
        self.pixel_weights = None if weights is None else torch.from_numpy(weights).to(self.device)
        self.basis = torch.from_numpy(target.basis).to(self.device)
        self.residual_basis = torch.from_numpy(target.residual_basis).to(self.device)
        self.times = torch.from_numpy(target.times).to(self.device)
        self._room = PairCapacity(self.device)
        self._in_window = False
        # what would be handed over at every step, and have the host wait for it
        self._choices: dict[bytes, tuple[Tensor, ...]] = {}
        self._channel_weights = torch.from_numpy(CHANNEL_WEIGHTS).double().to(self.device)
        self._starts = torch.zeros(2, dtype=torch.int32, device=self.device)

    def attempt(self, steps: Callable[[], None]) -> bool:
        """See Objective."""
        self._in_window = True
        try:
            steps()
        finally:
            self._in_window = False
        return self._room.confirm()

    def coarsen(self, sigma: float) -> None:
        """See Objective: on a GPU errors are always those of the whole size."""

    def residual(self, values: Values, trajectory: Tensor, frames: Int32) -> Residual:
        """See Objective. A few frames at a time beside the result."""
        rows = torch.from_numpy(frames.astype("int64")).to(self.device)
        left = self.frames[rows]
        if len(trajectory):
            view = Viewport(*self.target.size)
            step = cuda.frames_a_launch(view)
            for start in range(0, len(left), step):
                part = slice(start, start + step)
                there = self._at(values, self.basis[rows[part]], self.residual_basis[rows[part]])
                times = self.times[rows[part]]
                identity = torch.eye(len(times), device=self.device)
                left[part].sub_(cuda.draw(self._batch(there, trajectory, identity, times), view))
        return Residual(left, frames)

    def energy(self, residual: Residual) -> float:
        """See Objective. Frame by frame, in float64."""
        weights = self.pixel_weights

        def sum_of(row: int, frame: int) -> Tensor:
            squares: Tensor = residual.values[row].double().square_()
            return (squares if weights is None else squares.mul_(weights[frame])).sum((1, 2))

        sums = torch.stack([sum_of(row, frame) for row, frame in enumerate(residual.frames.tolist())]).sum(0)
        return float(sums[0] + CHROMA_WEIGHT * (sums[1] + sums[2]))

    def error_and_gradients(self, values: Values, trajectory: Tensor, frames: Int32) -> tuple[Tensor, Values]:
        """See Objective. In an attempt() the host does not wait for the device, but for the first step of a size."""
        rows, basis, residual_basis, identity, times = self._chosen(frames)
        there = self._at(values, basis, residual_basis)
        batch = self._batch(there, trajectory, identity, times)
        weights = (1.0, CHROMA_WEIGHT, CHROMA_WEIGHT)
        capacity = self._room.capacity_of(len(trajectory)) if self._in_window else None
        errors, g, pairs = cuda.errors_and_gradients(batch, self.frames, rows, weights, capacity, self.pixel_weights)
        if capacity is not None:
            self._room.note(pairs, capacity)
        elif self._in_window:
            self._room.measure(len(trajectory), pairs)
        theta = self._step.spread_gradients(there, trajectory, g["displacements"], g["means"], *self.target.size)
        gradients = {
            "mean": g["means"],
            "residual": torch.matmul(residual_basis.T, g["displacements"]),
            "log_scale": g["log_scales"],
            "angle": g["angles"],
            "amplitude": g["amplitudes"],
            "centre": g["centres"],
            "inverse_duration": g["inverse_durations"],
            "theta": _weighed(basis.T, theta),
        }
        return (errors.sum(0) * self._channel_weights).sum(), gradients

    def charge_motion(self, values: Values, share: float, price: float, gradients: Values) -> None:
        """See Objective."""
        self._step.charge_motion(values, share, price, gradients["residual"])

    def charge_bits(self, q: Quantised, residual: Tensor, prices: tuple[float, ...], gradients: Values) -> None:
        """See Objective."""
        self._step.charge_bits(q, residual, prices, gradients["amplitude"], gradients["residual"])

    def _at(self, values: Values, basis: Tensor, residual_basis: Tensor) -> Values:
        """Values with trajectories f32 [M,F,2,3] and residuals f32 [N,F,2] as they are in frames, whose weights are
        f32 [F,K] and [F,J]: a step sees few frames, and a segment may have as many control points as frames."""
        there = {
            "theta": _weighed(basis, values["theta"]),
            "residual": torch.matmul(residual_basis, values["residual"]),
        }
        return values | there

    def _chosen(self, frames: Int32) -> tuple[Tensor, ...]:
        """(frames i64 [F], basis f32 [F,K], that of residuals f32 [F,J], an identity [F,F], times f32 [F]) on the
        device, handed over when they are first asked for: a fit has as many choices as frames."""
        key = frames.tobytes()
        if key not in self._choices:
            rows = torch.from_numpy(frames.astype("int64")).to(self.device)
            identity = torch.eye(len(rows), device=self.device)
            self._choices[key] = rows, self.basis[rows], self.residual_basis[rows], identity, self.times[rows]
        return self._choices[key]

    def _batch(self, there: Values, trajectory: Tensor, identity: Tensor, times: Tensor) -> cuda.Batch:
        """What is drawn at some times f32 [F], of values as _at() gives them. identity [F,F]: their basis, as control
        points are displacements there."""
        self._starts[1].fill_(len(trajectory))
        displacements = self._step.displace(there, trajectory, *self.target.size)
        return cuda.Batch(
            there["mean"].contiguous(), displacements, there["log_scale"].contiguous(),
            there["angle"].contiguous(), there["amplitude"].contiguous(), there["centre"].contiguous(),
            there["inverse_duration"].contiguous(), self._starts, len(trajectory), identity, times,
        )  # fmt: skip


def _weighed(weights: Tensor, theta: Tensor) -> Tensor:
    """Trajectories f32 [M,F,2,3] of control points f32 [M,K,2,3] with weights f32 [F,K]."""
    return torch.matmul(weights, theta.flatten(2)).view(len(theta), len(weights), 2, 3)
