"""One interface for every technique: what a fit asks, with the answers of the encoder, which a technique replaces.

    place -> shape            initialisers: where new Gaussians begin, and how wide and turned
    encode, decode            parameterisations: a shape as the numbers that are trained
    step                      optimisers: gradients to the next values
    penalty, thin             regularisers: what is added to the loss; which Gaussians a step leaves out
    weigh, after_step         allocators: where the budget goes, before a generation and while it settles
    draw, code                renderings and codings: Gaussians to pixels, to bits

A technique is a subclass with a name in its registry; one is made for every fit and may keep what it has learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from gvideo.encoder.backends.base import SMALLEST_LOG_START, START_ELONGATION
from gvideo.encoder.gaussians.parameters import BETA1, BETA2, EPSILON
from gvideo.errors import OptionError
from gvideo.types import Float32, Int64

if TYPE_CHECKING:
    from gvideo.evaluate.studies.techniques.coded import Coded
    from gvideo.evaluate.studies.techniques.fit import Fit
    from gvideo.evaluate.studies.techniques.scenes import Scene

Values = dict[str, Tensor]
#: What every technique is measured against.
DEFAULT = "default"


@dataclass(frozen=True)
class Fields:
    """Gaussians as they are drawn: mean f32 [N,2] px, motion f32 [N,K,2] px, log_scale f32 [N,2] nats, angle f32 [N]
    rad, amplitude f32 [N,3], centre f32 [N] frames, log_duration f32 [N] (infinite: always alive)."""

    mean: Tensor
    motion: Tensor
    log_scale: Tensor
    angle: Tensor
    amplitude: Tensor
    centre: Tensor
    log_duration: Tensor


class Technique:
    """The encoder's way, in small. name: on the command line; kind: what it is; about: a line for tables; control: the
    technique that it is measured against, which shares everything but the technique itself; video_only: needs motion;
    still_only: too slow for clips, and would say the same there; surplus: Gaussians while growing over those asked for.
    """

    name: ClassVar[str] = DEFAULT
    kind: ClassVar[str] = "control"
    about: ClassVar[str] = "growth by residual, rotation and log-scale, Adam, accumulated summation"
    control: ClassVar[str] = DEFAULT
    video_only: ClassVar[bool] = False
    still_only: ClassVar[bool] = False
    surplus: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self.moments: dict[str, tuple[Tensor, Tensor]] = {}
        self.num_steps = 0

    # initialisers

    def place(self, energy: Float32, count: int, rng: np.random.Generator) -> Int64:
        """Places i64 [count] as indices into energy f32 [T,H,W]: one in each of equal shares of the energy."""
        total = np.cumsum(energy.reshape(-1).astype(np.float64))
        wanted = (np.arange(count) + rng.random(count)) / count * total[-1]
        places: Int64 = np.minimum(np.searchsorted(total, wanted), energy.size - 1).astype(np.int64)
        return places

    def shape(self, residual: Float32, frame: Int64, point: Float32, sigma: float) -> tuple[Float32, Float32]:
        """(log-scales f32 [n,2], angles f32 [n]) at points f32 [n,2] (x, y) of frames i64 [n], along the structure
        tensor of the residual's luma. sigma: px, what the spacing of the places suggests."""
        angle, coherence = structure(residual[:, 0], sigma)
        x, y = point.astype(int).T
        turned, stretch = angle[frame, y, x], START_ELONGATION * coherence[frame, y, x]
        log_scale = math.log(max(sigma, 0.7)) + np.stack([-stretch, stretch], 1)
        return np.maximum(log_scale, SMALLEST_LOG_START).astype(np.float32), turned

    # parameterisations

    def encode(self, log_scale: Tensor, angle: Tensor) -> Tensor:
        """Shapes as trained numbers f32 [N,3]."""
        return torch.cat([log_scale, angle[:, None]], 1)

    def decode(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        """(log-scales [N,2], angles [N]) of trained numbers; torch differentiates it."""
        return shape[:, :2], shape[:, 2]

    def shape_unit(self, shape: Tensor) -> Tensor:
        """How much of each trained number f32 [N,3] is worth a nat or a radian; rates are in proportion."""
        return torch.ones_like(shape)

    # optimisers

    def rate(self, fit: Fit) -> float:
        """Factor on all learning rates."""
        return 1.0

    def step(self, fit: Fit, rates: dict[str, Tensor | float]) -> float:
        """Moves fit.values; returns the loss before. Adam, with moments that travel with their Gaussians."""
        loss, gradients = fit.loss()
        self.adam(fit.values, gradients, rates)
        return loss

    def adam(self, values: Values, gradients: Values, rates: dict[str, Tensor | float]) -> None:
        """One step of Adam on all values."""
        self.num_steps += 1
        first_share, second_share = 1 - BETA1**self.num_steps, 1 - BETA2**self.num_steps
        for name, gradient in gradients.items():
            value = values[name]
            first, second = self.moments.get(name) or (torch.zeros_like(value), torch.zeros_like(value))
            first.lerp_(gradient, 1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            self.moments[name] = first, second
            value -= rates[name] * (first / first_share) / ((second / second_share).sqrt_() + EPSILON)

    def rows_changed(self, kept: Tensor, added: int) -> None:
        """Gaussians left or came: rows `kept` i64 stay, so many new ones follow."""
        for name, pair in self.moments.items():
            self.moments[name] = tuple(  # type: ignore[assignment]
                torch.cat([m[kept], m.new_zeros((added, *m.shape[1:]))]) if name in PER_GAUSSIAN else m for m in pair
            )

    # regularisers

    def penalty(self, fit: Fit, fields: Fields) -> Tensor | None:
        """Added to the loss (mean weighted squared error per pixel and frame); torch differentiates it."""
        return None

    def thin(self, fit: Fit) -> Tensor | None:
        """Factors f32 [N] on the amplitudes in this step."""
        return None

    # allocators

    def first_share(self, generations: int) -> int:
        """Generations in which the Gaussians are placed."""
        return generations

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        """The energy f32 [T,H,W] that places are drawn by."""
        return energy

    def level(self, fit: Fit) -> int:
        """The loss is that of the frames at 2^-level of their size."""
        return 0

    def after_step(self, fit: Fit) -> None:
        """May drop, add or freeze Gaussians."""

    # renderings and codings

    def extra_values(self, fit: Fit, count: int) -> Values:
        """More trained numbers of new Gaussians, f32 [count, …], by name; their rates are in `extra_rates`."""
        return {}

    extra_rates: ClassVar[dict[str, float]] = {}

    def shared_values(self, scene: Scene, seed: int) -> Values:
        """Trained numbers of the whole scene, by name; their rates are in `extra_rates`."""
        return {}

    def motion(self, fit: Fit, values: Values) -> Tensor | None:
        """Control points of motion f32 [N,K,2] from other values than "motion"; torch differentiates it."""
        return None

    def draw(self, scene: Scene, fields: Fields, values: Values) -> Float32 | None:
        """Frames f32 [T,3,H,W], or None for accumulated summation."""
        return None

    def differentiable_loss(self, fit: Fit, fields: Fields, values: Values, frames: Float32) -> Tensor | None:
        """Weighted squared error that torch differentiates, or None for the fused kernel."""
        return None

    def code(self, coded: Coded, values: Values) -> Coded:
        """What the project's coder made of the Gaussians, or a change of it."""
        return coded


#: Values with a row for each Gaussian.
PER_GAUSSIAN = {"mean", "motion", "shape", "amplitude", "centre", "log_duration", "opacity"}

REGISTRY: dict[str, type[Technique]] = {DEFAULT: Technique}
_T = TypeVar("_T", bound=Technique)


def technique(cls: type[_T]) -> type[_T]:
    """Enters a class into the registry."""
    REGISTRY[cls.name] = cls
    return cls


def find(names: tuple[str, ...]) -> list[type[Technique]]:
    """Techniques by name, all but controls if none is given. Raises OptionError for an unknown one."""
    for name in names:
        if name not in REGISTRY:
            raise OptionError(f"{name}: no such technique, one of {', '.join(sorted(REGISTRY))} wanted")
    chosen = [REGISTRY[name] for name in names] or list(REGISTRY.values())
    return [cls for cls in dict.fromkeys(chosen) if names or cls.kind != "control"]


def pixel_of(fields: Fields, num_frames: int, width: int, height: int) -> tuple[Int64, Int64, Int64]:
    """(frame, y, x) i64 [N] nearest to each Gaussian's centre and place, within the scene."""
    place, centre = fields.mean.detach().round().long().numpy(), fields.centre.detach().round().long().numpy()
    x, y = np.clip(place[:, 0], 0, width - 1), np.clip(place[:, 1], 0, height - 1)
    return np.clip(centre, 0, num_frames - 1), y, x


def structure(luma: Float32, sigma: float) -> tuple[Float32, Float32]:
    """(angle across the local structure, coherence 0..1), each f32 [T,H,W], of luma f32 [T,H,W] over sigma px."""
    angles, coherences = np.empty_like(luma), np.empty_like(luma)
    for k, plane in enumerate(luma):
        gx, gy = cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)
        xx, xy, yy = (cv2.GaussianBlur(p, (0, 0), max(sigma, 0.7)) for p in (gx * gx, gx * gy, gy * gy))
        angles[k] = 0.5 * np.arctan2(2 * xy, xx - yy) % math.pi
        coherences[k] = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + 1e-12)
    return angles, coherences
