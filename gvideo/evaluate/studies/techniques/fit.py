"""The fit that techniques are tried in: the encoder's growth in small, with a technique asked at every turn.

    generations: residual -> weigh -> place, shape -> values     then: loss -> penalty -> step, rates falling at the end

A step is one evaluation of the loss over all frames; a technique that needs more of them for a move has fewer moves.
Seconds are those of the processor. The same seed gives the same Gaussians.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from gvideo.encoder.backends.base import CHANNEL_WEIGHTS, START_AMPLITUDE, START_SIGMA
from gvideo.encoder.gaussians.parameters import RATES, SIGMA_SHARES, WHOLE_RATE_SIGMA
from gvideo.encoder.gaussians.quantised import MIN_LOG_SCALE
from gvideo.errors import OptionError
from gvideo.evaluate.studies.techniques.base import PER_GAUSSIAN, Fields, Technique, Values
from gvideo.evaluate.studies.techniques.scenes import Scene
from gvideo.raster import Viewport, get_backend, set_num_threads
from gvideo.types import Float32, Splats

#: Generations of growth, in the first half of the steps.
GENERATIONS = 4
#: Sigma of a new Gaussian's life over the number of frames, first generation and later ones.
FIRST_LIFE, LATER_LIFE = 1.0, 0.5
_STILL_DURATION = 1e3


@dataclass(frozen=True, slots=True)
class StudyFitSettings:
    """num: Gaussians in the end; steps: evaluations of the loss; seed. Raises OptionError."""

    num: int
    steps: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num < GENERATIONS or self.steps < 2 * GENERATIONS:
            raise OptionError(f"{self.num} Gaussians, {self.steps} steps: at least {GENERATIONS} and {2 * GENERATIONS}")


class Fit:
    """The state of a fit. values: what is trained, by name; done: evaluations so far; curve: (done, loss). residual f32
    [T,3,H,W], sigma: what was missing when the last generation was placed, and what its spacing suggested, px."""

    def __init__(self, scene: Scene, settings: StudyFitSettings, technique: Technique) -> None:
        torch.set_num_threads(1)
        set_num_threads(1)
        self.scene, self.settings, self.technique = scene, settings, technique
        self.rng = np.random.default_rng(settings.seed)
        self.backend = get_backend("cpu")
        self.frames = scene.frames
        self._coarse: dict[int, Float32] = {}
        self.done = 0
        self.seconds = 0.0
        self.curve: list[tuple[int, float]] = []
        self.residual, self.sigma = scene.frames, 1.0
        shapes = {
            "mean": (2,), "motion": (scene.num_control, 2), "shape": (3,), "amplitude": (3,), "centre": (),
            "log_duration": (),
        }  # fmt: skip
        self.values: Values = {name: torch.zeros((0, *shape)) for name, shape in shapes.items()}
        self.values |= technique.extra_values(self, 0) | technique.shared_values(scene, settings.seed)

    def __len__(self) -> int:
        return len(self.values["mean"])

    @property
    def progress(self) -> float:
        """Share of the steps that are done."""
        return self.done / self.settings.steps

    def run(self) -> None:
        """Grows and settles."""
        started = time.process_time()
        steps = self.settings.steps
        generations = self.technique.first_share(GENERATIONS)
        wanted = math.ceil(self.settings.num * self.technique.surplus)
        for k in range(generations):
            self.grow(wanted * (k + 1) // generations - wanted * k // generations, (k + 1) / generations * wanted)
            self._settle(steps if k == generations - 1 else steps * (k + 1) // (2 * GENERATIONS))
        self.seconds = time.process_time() - started

    def _settle(self, until: int) -> None:
        while self.done < until:
            before = self.done
            loss = self.technique.step(self, self.rates())
            self.values["shape"] = self._confined()
            if before == 0 or before // 10 != self.done // 10:
                self.curve.append((self.done, loss))
            self.technique.after_step(self)

    def rates(self) -> dict[str, Tensor | float]:
        """Learning rates now, by value: the encoder's, falling as a cosine in the second half."""
        late = max(0.0, 2 * self.progress - 1)
        factor = 0.5 * (1 + math.cos(math.pi * late)) * self.technique.rate(self)
        fields = self.fields()
        smaller = fields.log_scale.amin(1).exp().div_(WHOLE_RATE_SIGMA).clamp_(*SIGMA_SHARES)
        amplitude = torch.tensor([RATES["luma"], RATES["chroma"], RATES["chroma"]])
        rates: dict[str, Tensor | float] = {
            "mean": RATES["mean"] * factor * smaller[:, None], "motion": RATES["residual"] * factor,
            "shape": RATES["log_scale"] * factor * self.technique.shape_unit(self.values["shape"]),
            "amplitude": amplitude * factor, "centre": RATES["centre"] * factor,
            "log_duration": RATES["log_duration"] * factor,
        }  # fmt: skip
        return rates | {name: rate * factor for name, rate in self.technique.extra_rates.items()}

    def _confined(self) -> Tensor:
        """Shapes within what can be coded and what the frame can use."""
        shape = self.values["shape"]
        log_scale, angle = self.technique.decode(shape)
        wide = math.log(max(self.scene.size) / 2)
        outside = (log_scale < MIN_LOG_SCALE) | (log_scale > wide) | ~log_scale.isfinite()
        rows = outside.any(1)
        if not bool(rows.any()):
            return shape
        shape = shape.clone()
        inside = log_scale[rows].nan_to_num(MIN_LOG_SCALE).clamp(MIN_LOG_SCALE, wide)
        shape[rows] = self.technique.encode(inside, angle[rows].nan_to_num(0.0))
        return shape

    def fields(self, values: Values | None = None) -> Fields:
        """Gaussians as drawn."""
        v = self.values if values is None else values
        log_scale, angle = self.technique.decode(v["shape"])
        motion = self.technique.motion(self, v)
        return Fields(
            v["mean"], v["motion"] if motion is None else motion, log_scale, angle, v["amplitude"], v["centre"],
            v["log_duration"],
        )  # fmt: skip

    def target(self) -> tuple[Float32, int]:
        """(frames that the loss compares with, f32 [T,3,h,w]; their level)."""
        level = self.technique.level(self)
        if level and level not in self._coarse:
            self._coarse[level] = self.scene.halved(level)
        return (self._coarse[level] if level else self.frames), level

    def loss(self) -> tuple[float, Values]:
        """One evaluation: (loss, its gradients by the values that move)."""
        self.done += 1
        names = [n for n in self.values if self.scene.is_video or n not in {"motion", "centre", "log_duration"}]
        values = {n: v.detach().requires_grad_(n in names) for n, v in self.values.items()}
        fields = self.fields(values)
        frames, level = self.target()
        pixels = self.scene.num_frames * frames.shape[2] * frames.shape[3]
        error = self.technique.differentiable_loss(self, fields, values, frames)
        if error is None:
            error = self._fused(fields, frames, level)
        total = error / pixels
        extra = self.technique.penalty(self, fields)
        if extra is not None:
            total = total + extra
        found = torch.autograd.grad(total, [values[n] for n in names], allow_unused=True)
        gradients = {n: g for n, g in zip(names, found, strict=True) if g is not None}
        return float(error.detach()) / pixels, gradients

    def _fused(self, fields: Fields, frames: Float32, level: int) -> Tensor:
        thin = self.technique.thin(self)
        splats = splats_of(fields, level, thin)
        times = self.scene.times
        errors, g = self.backend.loss_and_gradients(
            splats, self.scene.basis, times, frames, times.astype(np.int32), CHANNEL_WEIGHTS
        )
        factor = torch.ones(len(self)) if thin is None else thin
        scale = 2.0**-level
        parts = [
            (fields.mean, g.means * scale), (fields.motion, g.displacements * scale),
            (fields.log_scale, g.log_scales), (fields.angle, g.angles),
            (fields.amplitude, torch.from_numpy(g.amplitudes) * factor[:, None]), (fields.centre, g.centres),
            (fields.log_duration, -g.inverse_durations * splats.inverse_durations),
        ]  # fmt: skip
        value = torch.tensor(float((errors * CHANNEL_WEIGHTS).sum()), dtype=torch.float32)
        slope = sum((t * torch.as_tensor(d)).sum() for t, d in parts if t.requires_grad)
        return value + (slope - slope.detach()) if isinstance(slope, Tensor) else value

    def grow(self, count: int, total: float) -> None:
        """Places `count` new Gaussians where the picture is wrong. total: there will be so many."""
        scene, t = self.scene, self.technique
        width, height = scene.size
        self.residual = residual = self.frames - self.picture()
        self.sigma = sigma = math.sqrt(width * height / total) * START_SIGMA
        around = int(sigma) // 2 * 2 + 1
        energy = np.stack([cv2.blur(f[0] * f[0], (around, around), borderType=cv2.BORDER_CONSTANT) for f in residual])
        places = t.place(t.weigh(self, energy), count, self.rng)
        frame, rest = np.divmod(places, width * height)
        y, x = np.divmod(rest, width)
        point = np.stack([x, y], 1).astype(np.float32)
        log_scale, angle = t.shape(residual, frame, point, sigma)
        mean_residual = np.stack([cv2.blur(c, (around, around)) for f in residual for c in f]).reshape(residual.shape)
        share = LATER_LIFE if len(self) else FIRST_LIFE
        life = math.log(share * scene.num_frames) if scene.is_video else math.log(_STILL_DURATION)
        new = {
            "mean": torch.from_numpy(point),
            "motion": torch.zeros((count, scene.num_control, 2)),
            "shape": t.encode(torch.from_numpy(log_scale), torch.from_numpy(angle)),
            "amplitude": torch.from_numpy(START_AMPLITUDE * mean_residual[frame, :, y, x]),
            "centre": torch.from_numpy(frame.astype(np.float32)),
            "log_duration": torch.full((count,), life),
        }
        self.replace_rows(torch.arange(len(self)), new | t.extra_values(self, count))

    def replace_rows(self, kept: Tensor, new: Values | None = None) -> None:
        """Keeps rows i64 and adds new Gaussians behind them."""
        added = len(new["mean"]) if new else 0
        for name, value in self.values.items():
            if name in PER_GAUSSIAN:
                self.values[name] = torch.cat([value[kept], new[name]]) if new else value[kept]
        self.technique.rows_changed(kept, added)

    @torch.no_grad()
    def picture(self) -> Float32:
        """Frames as drawn now, f32 [T,3,H,W]."""
        return picture_of(self.scene, self.fields(), self.values, self.technique)


def picture_of(scene: Scene, fields: Fields, values: Values, technique: Technique) -> Float32:
    """Frames f32 [T,3,H,W] of Gaussians."""
    drawn = technique.draw(scene, fields, values)
    if drawn is not None:
        return drawn
    return get_backend("cpu").render(splats_of(fields), scene.basis, scene.times, Viewport(*scene.size))


def splats_of(fields: Fields, level: int = 0, factor: Tensor | None = None) -> Splats:
    """Gaussians for the rasteriser, on frames at 2^-level of the size."""
    scale = 2.0**-level
    amplitude = fields.amplitude if factor is None else fields.amplitude * factor[:, None]
    tensors = (
        (fields.mean + 0.5) * scale - 0.5, fields.motion * scale, fields.log_scale + math.log(scale), fields.angle,
        amplitude, fields.centre, (-fields.log_duration).exp(),
    )  # fmt: skip
    return Splats(*(np.ascontiguousarray(t.detach().numpy(), np.float32) for t in tensors))


def luma_psnr(frames: Float32, drawn: Float32) -> float:
    """PSNR of luma over all frames, dB."""
    error = float(np.square(frames[:, 0].astype(np.float64) - drawn[:, 0]).mean())
    return 10 * math.log10(1 / max(error, 1e-10))
