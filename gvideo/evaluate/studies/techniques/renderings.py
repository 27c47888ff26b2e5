"""How Gaussians become a picture: accumulated summation, which is the model, against compositing front to back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from gvideo.encoder.backends.base import CHANNEL_WEIGHTS
from gvideo.evaluate.studies.techniques.base import Fields, Technique, Values, technique
from gvideo.evaluate.studies.techniques.coded import Coded
from gvideo.evaluate.studies.techniques.fit import Fit
from gvideo.evaluate.studies.techniques.scenes import Scene
from gvideo.raster.interface import FLOOR
from gvideo.types import Float32


def weights_of(fields: Fields, frame: int, basis: Tensor, width: int, height: int) -> Tensor:
    """Weights f32 [N,H*W] of every Gaussian at every pixel of a frame, with their lives."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    mean = fields.mean + (basis[frame][:, None] * fields.motion).sum(1)
    dx, dy = x.reshape(1, -1) - mean[:, :1], y.reshape(1, -1) - mean[:, 1:]
    cos, sin = fields.angle.cos()[:, None], fields.angle.sin()[:, None]
    u = (cos * dx + sin * dy) * (-fields.log_scale[:, :1]).exp()
    v = (cos * dy - sin * dx) * (-fields.log_scale[:, 1:]).exp()
    spatial = ((-0.5 * (u * u + v * v)).exp() - FLOOR).clamp(min=0)
    life = (-0.5 * ((frame - fields.centre) * (-fields.log_duration).exp()).square()).exp()
    return spatial * life[:, None]


class _Dense(Technique):
    """Every Gaussian at every pixel, by torch: slow, and the same for both ways of adding up."""

    still_only = True

    def combine(self, weights: Tensor, fields: Fields, values: Values) -> Tensor:
        """f32 [3,H*W] of weights f32 [N,H*W]."""
        raise NotImplementedError

    def frames(self, scene: Scene, fields: Fields, values: Values, width: int, height: int) -> Tensor:
        """f32 [T,3,H,W]."""
        basis = torch.from_numpy(scene.basis)
        planes = [
            self.combine(weights_of(fields, k, basis, width, height), fields, values) for k in range(scene.num_frames)
        ]
        return torch.stack(planes).reshape(scene.num_frames, 3, height, width)

    def draw(self, scene: Scene, fields: Fields, values: Values) -> Float32 | None:
        with torch.no_grad():
            drawn: Float32 = self.frames(scene, fields, values, *scene.size).numpy()
        return drawn

    def differentiable_loss(self, fit: Fit, fields: Fields, values: Values, frames: Float32) -> Tensor | None:
        drawn = self.frames(fit.scene, fields, values, frames.shape[3], frames.shape[2])
        errors = (drawn - torch.from_numpy(frames)).square().sum((0, 2, 3))
        return (errors * torch.from_numpy(CHANNEL_WEIGHTS)).sum()


@technique
class DenseSummation(_Dense):
    """Accumulated summation as compositing is drawn here, so that their times compare."""

    name, kind = "dense-summation", "control"
    about = "accumulated summation drawn as alpha compositing is here: the control of it"

    def combine(self, weights: Tensor, fields: Fields, values: Values) -> Tensor:
        return fields.amplitude.T @ weights


@technique
class AlphaCompositing(_Dense):
    """Colours over each other front to back, in the order of the Gaussians, each with an opacity: a pixel is
    sum_i c_i o_i w_i prod_{j<i} (1 - o_j w_j) over the mean colour."""

    name, kind = "alpha-compositing", "rendering"
    about = "compositing front to back with an opacity each, instead of summation"
    control = "dense-summation"
    extra_rates: ClassVar[dict[str, float]] = {"opacity": 0.05}
    #: Bits of an opacity after quantisation.
    OPACITY_BITS = 5

    def extra_values(self, fit: Fit, count: int) -> Values:
        return {"opacity": torch.zeros(count)}

    def combine(self, weights: Tensor, fields: Fields, values: Values) -> Tensor:
        opacity = values["opacity"].sigmoid()
        veil = weights * opacity[:, None]
        through = torch.cumprod(1 - veil.clamp(max=0.99), 0)
        seen = veil * torch.cat([torch.ones_like(through[:1]), through[:-1]])
        return (fields.amplitude / opacity[:, None]).T @ seen

    def code(self, coded: Coded, values: Values) -> Coded:
        levels = 2**self.OPACITY_BITS - 1
        opacity = (values["opacity"].sigmoid() * levels).round().clamp(1, levels - 1) / levels
        values["opacity"] = torch.logit(opacity)
        count = len(opacity)
        # sums need no order, and the coder takes the Gaussians in that of their places; here the order must be told
        order = math.lgamma(count + 1) / math.log(2)
        return replace(coded, more=coded.more + order + self.OPACITY_BITS * count)
