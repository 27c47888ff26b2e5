"""A still picture fitted by N Gaussians, with everything that a study varies as a setting.

    picture f32 [3,H,W] -> N Gaussians (means, log-scales, angles, amplitudes) -> steps of an optimiser -> StillResult

Unlike the codec's fit nothing grows, nothing is quantised, and one base rate moves every parameter, positions in units
of the longer side, as in the first density experiments: what is studied is the optimisation itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from gvideo.errors import OptionError
from gvideo.raster import Viewport, get_backend, set_num_threads
from gvideo.types import Float32, Splats

SCHEDULES, OPTIMISERS = ("constant", "cosine"), ("adam", "rmsprop", "sgd", "lbfgs")
INITIALISATIONS = ("random", "grid", "kmeans")
#: Bounds of log-scales as shares of the longer side, as in the first experiments.
SMALLEST_SHARE, LARGEST_SHARE = 0.001, 0.5
_CURVE_POINTS = 200
_ONE = np.ones((1, 1), np.float32)
_WEIGHTS = np.ones(3, np.float32)


@dataclass(frozen=True, slots=True)
class StillSettings:
    """How to fit. rate: base rate; inverse_root: divides it by sqrt(N / 20). beta_2: of Adam. offset_magnitude:
    largest random shift of the sampling grid in px, from offset_start_step on. Raises OptionError for unknown names."""

    num: int = 60
    steps: int = 2000
    rate: float = 0.001
    schedule: str = "constant"
    inverse_root: bool = False
    optimiser: str = "adam"
    beta_2: float = 0.999
    initialisation: str = "random"
    offset_magnitude: float = 0.0
    offset_start_step: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for value, known in (
            (self.schedule, SCHEDULES), (self.optimiser, OPTIMISERS), (self.initialisation, INITIALISATIONS)
        ):  # fmt: skip
            if value not in known:
                raise OptionError(f"{value}: one of {', '.join(known)} wanted")
        if self.num < 1 or self.steps < 1:
            raise OptionError(f"{self.num} Gaussians, {self.steps} steps: at least 1 wanted of each")


@dataclass(frozen=True, slots=True)
class StillResult:
    """What came out. Losses are mean squared errors over pixels and channels. curve: (step, loss) of the fit's own
    steps. at_bounds: share of Gaussians with a scale at its bound. truth: loss against `truth` at its own size."""

    best_loss: float
    best_step: int
    final_loss: float
    steps_per_s: float
    at_bounds: float
    truth_loss: float
    curve: tuple[tuple[int, float], ...]


class _Loss(torch.autograd.Function):
    """Mean squared error of a picture by gvideo.raster's fused kernel."""

    @staticmethod
    def forward(ctx: Any, means: Tensor, log_scales: Tensor, angles: Tensor, amplitudes: Tensor, target: Any) -> Tensor:
        splats = splats_of(means, log_scales, angles, amplitudes)
        errors, gradients = get_backend("cpu").loss_and_gradients(
            splats, _ONE * 0, np.zeros(1, np.float32), target[None], np.zeros(1, np.int32), _WEIGHTS
        )
        parts = (gradients.means, gradients.log_scales, gradients.angles, gradients.amplitudes)
        ctx.gradients = [torch.from_numpy(g) / target.size for g in parts]
        return torch.tensor(float(errors.sum()) / target.size)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (*(g * outputs[0] for g in ctx.gradients), None)


def splats_of(means: Tensor, log_scales: Tensor, angles: Tensor, amplitudes: Tensor) -> Splats:
    """Gaussians without motion that live for ever."""
    count = len(means)
    arrays = [np.ascontiguousarray(t.detach().numpy(), np.float32) for t in (means, log_scales, angles, amplitudes)]
    nothing = np.zeros(count, np.float32)
    still = np.zeros((count, 1, 2), np.float32)
    return Splats(arrays[0], still, arrays[1], arrays[2], arrays[3], nothing, nothing)


def fit(target: Float32, settings: StillSettings, truth: Float32 | None = None) -> StillResult:
    """Fits a picture f32 [3,H,W]. truth f32 [3,H',W']: the same picture at another size, for a check that the fit
    has not seen."""
    torch.set_num_threads(1)
    set_num_threads(1)
    rng = np.random.default_rng(settings.seed)
    height, width = target.shape[1:]
    side = float(max(height, width))
    parameters = [t.requires_grad_() for t in _initial(target, settings, rng)]
    rate = settings.rate * ((20 / settings.num) ** 0.5 if settings.inverse_root else 1.0)
    optimiser = _optimiser(parameters, settings, rate)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda k: 0.5 * (1 + np.cos(np.pi * k / settings.steps)) if settings.schedule == "cosine" else 1.0,
    )
    low, high = np.log(SMALLEST_SHARE * side), np.log(LARGEST_SHARE * side)
    low = max(low, np.log(0.2))  # narrower than a fifth of a pixel falls between the samples
    best, best_step, curve = np.inf, 0, []
    every = max(1, settings.steps // _CURVE_POINTS)
    started = time.perf_counter()
    for step in range(settings.steps):
        shift, wanted = _shifted(target, settings, step, rng)

        def closure(shift: Float32 = shift, wanted: Float32 = wanted) -> float:
            optimiser.zero_grad(set_to_none=True)
            value: Tensor = _Loss.apply(  # type: ignore[no-untyped-call]
                parameters[0] * side - torch.from_numpy(shift), *parameters[1:], wanted
            )
            value.backward()  # type: ignore[no-untyped-call]
            return value.item()

        loss = float(optimiser.step(closure))
        falling.step()
        with torch.no_grad():
            parameters[0].clamp_(0, 1)
            parameters[1].clamp_(low, high)
        if loss < best:
            best, best_step = loss, step
        if step % every == 0 or step == settings.steps - 1:
            curve.append((step, loss))
    seconds = time.perf_counter() - started
    with torch.no_grad():
        scales = parameters[1].numpy()
        at_bounds = float(((scales <= low + 1e-6) | (scales >= high - 1e-6)).any(1).mean())
        splats = splats_of(parameters[0] * side, *parameters[1:])
    final = _loss_at(splats, target, target)
    best, best_step = (final, settings.steps) if final < best else (best, best_step)
    truth_loss = final if truth is None else _loss_at(splats, target, truth)
    return StillResult(best, best_step, final, settings.steps / seconds, at_bounds, truth_loss, tuple(curve))


def _loss_at(splats: Splats, target: Float32, truth: Float32) -> float:
    height, width = truth.shape[1:]
    view = Viewport(width, height, width / target.shape[2], height / target.shape[1])
    shown = get_backend("cpu").render(splats, _ONE * 0, np.zeros(1, np.float32), view)[0]
    return float(np.square(shown.astype(np.float64) - truth).mean())


def _shifted(target: Float32, settings: StillSettings, step: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
    """A random shift of the sampling grid (px) and the picture there, by linear interpolation."""
    if settings.offset_magnitude <= 0 or step < settings.offset_start_step:
        return np.zeros(2, np.float32), target
    shift = rng.uniform(-settings.offset_magnitude, settings.offset_magnitude, 2).astype(np.float32)
    matrix = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    size = (target.shape[2], target.shape[1])
    moved = [cv2.warpAffine(c, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for c in target]
    return shift, np.stack(moved).astype(np.float32)


def _initial(target: Float32, settings: StillSettings, rng: np.random.Generator) -> list[Tensor]:
    """Means (shares of the longer side), log-scales (log px), angles, amplitudes."""
    height, width = target.shape[1:]
    side, count = max(height, width), settings.num
    if settings.initialisation == "random":
        means = rng.uniform(0, 1, (count, 2)) * (width, height)
    elif settings.initialisation == "grid":
        columns = max(1, round((count * width / height) ** 0.5))
        rows = -(-count // columns)
        spots = np.stack(np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows), -1)
        means = spots.reshape(-1, 2)[rng.permutation(columns * rows)[:count]] * (width, height)
    else:
        means = _clustered(target, count, rng)
    spacing = (width * height / count) ** 0.5
    log_scales = np.log(0.5 * spacing) + rng.normal(0, 0.1, (count, 2))
    x, y = (np.clip(means[:, k].astype(int), 0, n - 1) for k, n in ((0, width), (1, height)))
    amplitudes = 0.5 * target[:, y, x].T
    arrays: Iterable[Any] = (means / side, log_scales, rng.uniform(0, np.pi, count), amplitudes)
    return [torch.tensor(np.asarray(a, np.float32)) for a in arrays]


def _clustered(target: Float32, count: int, rng: np.random.Generator) -> Any:
    """Centres of k-means over places and colours of up to 4096 pixels."""
    height, width = target.shape[1:]
    chosen = rng.permutation(height * width)[: max(4096, count)]
    y, x = np.divmod(chosen, width)
    features = np.column_stack([x, y, target.reshape(3, -1)[:, chosen].T * 0.5 * max(height, width)])
    cv2.setRNGSeed(int(rng.integers(2**31)))
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 10, 0.0)
    labels = np.zeros((len(chosen), 1), np.int32)
    found = cv2.kmeans(features.astype(np.float32), count, labels, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return np.asarray(found[2])[:, :2]


def _optimiser(parameters: list[Tensor], settings: StillSettings, rate: float) -> torch.optim.Optimizer:
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "adam": lambda: torch.optim.Adam(parameters, rate, (0.9, settings.beta_2)),
        "rmsprop": lambda: torch.optim.RMSprop(parameters, rate),
        "sgd": lambda: torch.optim.SGD(parameters, rate * 100),  # gradients are about a hundredth of Adam's steps
        "lbfgs": lambda: torch.optim.LBFGS(parameters, 1.0, max_iter=1, history_size=20),
    }
    return makers[settings.optimiser]()
