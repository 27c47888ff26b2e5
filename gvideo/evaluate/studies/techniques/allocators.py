"""Where Gaussians and steps are spent: over tiles, over time, over sizes of the picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from gvideo.evaluate.studies.techniques.base import PER_GAUSSIAN, Fields, Technique, Values, pixel_of, technique
from gvideo.evaluate.studies.techniques.fit import GENERATIONS, Fit, luma_psnr, splats_of
from gvideo.raster import Viewport
from gvideo.types import Float32, Float64, Int64

#: Side of a tile, px.
TILE = 16


def tile_means(energy: Float32) -> Float64:
    """Means f64 [T,h,w] over tiles of energy f32 [T,H,W]."""
    height, width = (-(-n // TILE) for n in energy.shape[1:])
    padded = [cv2.copyMakeBorder(e, 0, height * TILE - e.shape[0], 0, width * TILE - e.shape[1],
                                 cv2.BORDER_REPLICATE) for e in energy]  # fmt: skip
    cut = np.stack(padded).astype(np.float64).reshape(len(energy), height, TILE, width, TILE)
    means: Float64 = cut.mean((2, 4))
    return means


def over_pixels(tiles: Float64, shape: tuple[int, ...]) -> Float32:
    """Values of tiles at every pixel, f32 [T,H,W]."""
    return tiles.repeat(TILE, 1).repeat(TILE, 2)[:, : shape[1], : shape[2]].astype(np.float32)


def tile_of(fields: Fields, tiles: tuple[int, ...], width: int, height: int) -> tuple[Int64, Int64, Int64]:
    """(frame, row, column) i64 [N] of the tile, of an array [T,rows,columns], that holds each Gaussian's place."""
    frame, y, x = pixel_of(fields, tiles[0], width, height)
    return frame, np.minimum(y // TILE, tiles[1] - 1), np.minimum(x // TILE, tiles[2] - 1)


@technique
class AllAtOnce(Technique):
    """Every Gaussian at the start, where the picture varies: what growth by residual is measured against."""

    name, kind = "all-at-once", "allocator"
    about = "all Gaussians placed at the start instead of in four generations"

    def first_share(self, generations: int) -> int:
        return 1


@technique
class TileBudget(Technique):
    """A count for every tile by rate-distortion: error times (n / (n + 1)) for one more at equal price, so the next
    Gaussian goes where error / (n + 1) is largest; within a tile by the residual."""

    name, kind = "tile-budget", "allocator"
    about = f"Gaussians dealt to tiles of {TILE} px where one more saves most"

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        tiles = tile_means(energy)
        count = math.ceil(fit.settings.num / 4)
        have = np.zeros(tiles.shape)
        if len(fit):
            np.add.at(have, tile_of(fit.fields(), tiles.shape, *fit.scene.size), 1)
        dealt = np.zeros(tiles.shape)
        for _ in range(count):
            dealt[np.unravel_index(np.argmax(tiles / (have + dealt + 1)), tiles.shape)] += 1
        return energy * over_pixels(dealt / np.maximum(tiles, 1e-12), energy.shape)


@technique
class Bandit(Technique):
    """Arms are tiles in quarters of the time. A generation goes where the last ones lowered the error most for each
    Gaussian, plus a bonus for arms of few trials (UCB1; P. Auer et al., 2002)."""

    name, kind = "bandit", "allocator"
    about = "generations weighed by an upper confidence bound of what Gaussians saved in a tile and time"
    EXPLORE = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.trials: Float64 | None = None
        self.before: Float64 | None = None

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        spans = np.array_split(np.arange(len(energy)), min(4, len(energy)))
        arms = np.stack([tile_means(energy)[s].mean(0) for s in spans])
        if self.trials is None or self.before is None:
            self.trials, self.before = np.zeros(arms.shape), arms
            self.saved = np.zeros(arms.shape)
        _, row, column = tile_of(fit.fields(), arms.shape, *fit.scene.size)
        centre = fit.values["centre"].numpy()
        span = np.clip(centre * len(spans) / len(energy), 0, len(spans) - 1).astype(int)
        trials = np.zeros(arms.shape)
        np.add.at(trials, (span, row, column), 1)
        self.saved += np.maximum(self.before - arms, 0)
        self.trials, self.before = trials, arms
        reward = self.saved / np.maximum(trials, 1)
        reward = reward / max(float(reward.max()), 1e-12)
        bound = reward + self.EXPLORE * np.sqrt(math.log(1 + trials.sum()) / (1 + trials))
        of_frame = np.concatenate([np.repeat(bound[k : k + 1], len(s), 0) for k, s in enumerate(spans)])
        return energy * over_pixels(of_frame, energy.shape)


@technique
class EarlyExit(Technique):
    """Tiles whose error is small stop: their Gaussians are drawn once more, taken off the frames, and no longer moved,
    until the last tenth of the steps, in which all move together."""

    name, kind = "early-exit", "allocator"
    about = "Gaussians of finished tiles leave the fit until its last tenth"
    EVERY, SHARE, JOIN = 25, 0.5, 0.9

    def __init__(self) -> None:
        super().__init__()
        self.aside: Values | None = None

    def after_step(self, fit: Fit) -> None:
        steps = fit.settings.steps
        if self.aside is not None and fit.done >= self.JOIN * steps:
            own = {name: torch.cat([fit.values[name], v]) for name, v in self.aside.items()}
            added = len(self.aside["mean"])
            fit.values |= own
            self.rows_changed(torch.arange(len(fit) - added), added)
            fit.frames, self.aside = fit.scene.frames, None
        if fit.done % self.EVERY or not 0.5 * steps <= fit.done < self.JOIN * steps:
            return
        energy = np.square(fit.frames - fit.picture())[:, 0]
        tiles = tile_means(energy)
        finished = tiles.mean(0) < self.SHARE * tiles.mean()
        _, row, column = tile_of(fit.fields(), tiles.shape, *fit.scene.size)
        leave = torch.from_numpy(finished[row, column])
        if not bool(leave.any()) or bool(leave.all()):
            return
        gone = {name: v[leave] for name, v in fit.values.items() if name in PER_GAUSSIAN}
        drawn = fit.backend.render(
            splats_of(fit.fields(gone)), fit.scene.basis, fit.scene.times, Viewport(*fit.scene.size)
        )
        fit.frames = fit.frames - drawn
        self.aside = gone if self.aside is None else {n: torch.cat([self.aside[n], v]) for n, v in gone.items()}
        fit.replace_rows((~leave).nonzero()[:, 0])


class _Renewal(Technique):
    """The weakest leave and come back where the residual is largest."""

    EVERY = 40

    def weak(self, fit: Fit, strength: torch.Tensor) -> torch.Tensor:
        """Which Gaussians go, bool [N], by their energy f32 [N]."""
        raise NotImplementedError

    def after_step(self, fit: Fit) -> None:
        steps = fit.settings.steps
        if fit.done % self.EVERY or not 0.4 * steps < fit.done < 0.75 * steps:
            return
        fields = fit.fields()
        life = fields.log_duration.exp().clamp(max=float(fit.scene.num_frames))
        strength = fields.amplitude.square().sum(1) * fields.log_scale.sum(1).exp() * life
        goes = self.weak(fit, strength)
        count = int(goes.sum())
        if count:
            fit.replace_rows((~goes).nonzero()[:, 0])
            fit.grow(count, float(fit.settings.num))


@technique
class LifeCycle(_Renewal):
    """A fixed share is renewed at every turn."""

    name, kind = "life-cycle", "allocator"
    about = "every 40 steps the weakest 5 % begin anew where the residual is"
    SHARE = 0.05

    def weak(self, fit: Fit, strength: torch.Tensor) -> torch.Tensor:
        return strength < strength.quantile(self.SHARE)


@technique
class AdaptiveThreshold(_Renewal):
    """As the life cycle, below a threshold of energy that rises while renewal pays and falls when it does not."""

    name, kind = "adaptive-threshold", "allocator"
    about = "renewal below a threshold that follows whether the last renewal lowered the loss faster"
    FIRST, FACTOR = 0.1, 1.5

    def __init__(self) -> None:
        super().__init__()
        self.threshold = self.FIRST
        self.losses: list[float] = []

    def weak(self, fit: Fit, strength: torch.Tensor) -> torch.Tensor:
        self.losses.append(fit.curve[-1][1])
        if len(self.losses) >= 3:
            last, this = self.losses[-3] / self.losses[-2], self.losses[-2] / self.losses[-1]
            self.threshold *= self.FACTOR if this > last else 1 / self.FACTOR
        return strength < min(self.threshold, 0.5) * strength.median()


@technique
class MultiResolution(Technique):
    """Fits at a half of the size, where a step costs a quarter, until the whole size says that this no longer helps."""

    name, kind = "multi-resolution", "allocator"
    about = "half size while the PSNR at whole size still gains 0.1 dB in 20 steps, of the first half of the steps"
    EVERY, GAIN_DB = 20, 0.1

    def __init__(self) -> None:
        super().__init__()
        self.now, self.last, self.count = 1, -math.inf, 0

    def level(self, fit: Fit) -> int:
        return self.now if fit.done < 0.5 * fit.settings.steps else 0

    def after_step(self, fit: Fit) -> None:
        if len(fit) != self.count:
            self.now, self.last, self.count = 1, -math.inf, len(fit)  # a generation begins coarse
        if self.level(fit) and fit.done % self.EVERY == 0:
            reached = luma_psnr(fit.scene.frames, fit.picture())
            if reached - self.last < self.GAIN_DB:
                self.now = 0
            self.last = reached


@technique
class Pyramid(Technique):
    """Coarse to fine by a schedule: generations on ever larger copies of the frames, each averaged by area."""

    name, kind = "pyramid", "allocator"
    about = "the first generation settles at a quarter of the size, the second at half, the others at the whole"
    LEVELS = 2

    def level(self, fit: Fit) -> int:
        settled = int(2 * GENERATIONS * (fit.done - 1) / fit.settings.steps)
        return max(0, self.LEVELS - settled)


@technique
class Distillation(Technique):
    """Half as many again while growing, then re-clustered: nearest pairs become one of the same mass, centre and spread
    (moment matching), until as many are left as asked for."""

    name, kind = "distillation", "allocator"
    about = "1.5 N grown, merged to N by moment matching at half of the steps, then settled"
    surplus = 1.5

    def after_step(self, fit: Fit) -> None:
        if len(fit) > fit.settings.num and fit.done >= 0.5 * fit.settings.steps:
            merge(fit, len(fit) - fit.settings.num)


def merge(fit: Fit, count: int) -> None:
    """Merges `count` pairs, those whose union is most like one Gaussian."""
    fields = fit.fields()
    sigma = (0.5 * fields.log_scale.sum(1)).exp()
    apart = torch.cdist(fields.mean, fields.mean) / (0.5 * (sigma[:, None] + sigma))
    apart += torch.cdist(fields.log_scale, fields.log_scale) + 8 * torch.cdist(fields.amplitude, fields.amplitude)
    if fit.scene.is_video:
        span = fit.scene.num_frames / 4
        apart += (fields.centre[:, None] - fields.centre).abs() / span
        apart += torch.cdist(fields.motion.flatten(1), fields.motion.flatten(1)) / sigma.mean()
    first, second = torch.triu_indices(len(fit), len(fit), 1)
    used, pairs = set(), []
    for k in apart[first, second].argsort().tolist():
        a, b = int(first[k]), int(second[k])
        if a not in used and b not in used:
            used |= {a, b}
            pairs.append((a, b))
            if len(pairs) == count:
                break
    one, two = (torch.tensor(side) for side in zip(*pairs, strict=True))
    fit.values |= _merged(fit, fields, one, two)
    gone = torch.ones(len(fit), dtype=torch.bool)
    gone[two] = False
    fit.replace_rows(gone.nonzero()[:, 0])


def _merged(fit: Fit, fields: Fields, one: torch.Tensor, two: torch.Tensor) -> Values:
    """All values with rows `one` replaced by the unions of rows `one` and `two`."""
    from gvideo.evaluate.studies.techniques.parameterisations import covariance, scales_and_angle

    area = fields.log_scale.sum(1).exp()
    mass = fields.amplitude.norm(dim=1) * area + 1e-9
    share = (mass[one] / (mass[one] + mass[two]))[:, None]
    mean = share * fields.mean[one] + (1 - share) * fields.mean[two]
    spread = torch.zeros((len(one), 3))
    tensor = torch.stack(covariance(fields.log_scale, fields.angle), 1)
    for rows, weight in ((one, share), (two, 1 - share)):
        x, y = (fields.mean[rows] - mean).unbind(1)
        spread += weight * (tensor[rows] + torch.stack([x * x, x * y, y * y], 1))
    log_scale, angle = scales_and_angle(*spread.unbind(1))
    weighed = fields.amplitude * area[:, None]
    values = {n: v.clone() for n, v in fit.values.items() if n in PER_GAUSSIAN}
    values["mean"][one] = mean
    values["shape"][one] = fit.technique.encode(log_scale, angle)
    values["amplitude"][one] = (weighed[one] + weighed[two]) / log_scale.sum(1).exp()[:, None]
    values["motion"][one] = share[:, :, None] * values["motion"][one] + (1 - share[:, :, None]) * values["motion"][two]
    for name in ("centre", "log_duration"):
        values[name][one] = share[:, 0] * values[name][one] + (1 - share[:, 0]) * values[name][two]
    return values
