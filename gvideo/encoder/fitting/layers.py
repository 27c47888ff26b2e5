"""Layers: a segment fitted in stages, each to what those before it leave, so that every prefix is a picture.

    frames ── fit at D_0 ─► layer 0 ──┐
       └──── less its picture ──► fit at D_1 ─► layer 1 ──┐
                                     └── less its picture ──► …  fit at D_{L-1} = D, the segment's own

Every stage is a fit like that of a segment without layers, quantised by a distortion of its own that the segment's
header holds, and coarser than the next one's: layer 0 is what a stream of that rate alone would hold. What a stage has
fitted stays as it is. Training all layers together, with weights for the errors of the prefixes, cost the prefixes or
the whole more than it gave (docs/techniques.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gvideo.encoder.backends.base import Target
from gvideo.encoder.fitting.fit import FitSettings, SegmentFit
from gvideo.encoder.gaussians.quantised import Geometry, Quantised
from gvideo.encoder.motion.flow import Flow
from gvideo.model.steps import StepRules
from gvideo.types import Float64

Report = Callable[[float], None]

#: Octaves between two layers of the D that their bits are weighed with: wider ones cost the whole more bytes.
_STEP = 0.75
#: All layers but the last are quantised by a D this many times smaller than the one that their bits are weighed with:
#: it costs their prefix nothing that can be measured, and what it leaves for the next layer is less like noise.
_FINER = 2
#: Growth of layers ends at most at a gain of so many D a Gaussian: what is left to a layer lies thinly, and a `fast`
#: that stopped at 60 D, as it did without layers, lost 0.8 dB in the base and 1.8 dB in the whole (bunny, 320x180,
#: crf 34).
_MOST_GROWTH_GAIN = 16.0
#: Fields of Quantised that belong to the trajectories, not to Gaussians.
_SHARED = ("theta", "control")


@dataclass(frozen=True)
class Layered:
    """A fitted segment: the set as decoded, i64 [N] trajectory and layer of each Gaussian, distortions of the layers,
    and SegmentFit.losses of the last."""

    quantised: Quantised
    trajectory: Tensor
    layer: Tensor
    distortions: tuple[int, ...]
    losses: tuple[float, ...]


def fit_layers(
    target: Target,
    flow: Flow,
    theta: Float64,
    settings: FitSettings,
    seed: int,
    num_layers: int,
    rules: StepRules,
    geometry: Geometry,
    report: Report | None = None,
    device: str = "cpu",
) -> Layered:
    """Fits a segment in layers, on the CPU or a CUDA device; what comes back lies in the host's memory.

    theta f64 [M,K,2,3]: trajectories to start from; layer 0 trains them, the others follow them. report: told the
    share that is done.
    """
    if num_layers > 1:
        settings = replace(settings, growth_gain=min(settings.growth_gain, _MOST_GROWTH_GAIN))
    parts: list[Quantised] = []
    trajectory: list[Tensor] = []
    rest = target
    losses: tuple[float, ...] = ()
    distortions = tuple(layer_distortions(rules.distortion, num_layers))
    for layer, distortion in enumerate(distortions):
        own, last = rules.with_distortion(distortion), layer == num_layers - 1
        fit = SegmentFit(rest, flow, theta, settings if last else _finer(settings), seed + layer, device)
        fit.train_trajectories = layer == 0
        fit.below = sum(map(len, trajectory))
        fit.grow(own, _share(report, 2 * layer, 2 * num_layers))
        part = fit.train(own, geometry, _share(report, 2 * layer + 1, 2 * num_layers))
        parts.append(part)
        trajectory.append(fit.parameters.trajectory.cpu())
        losses = fit.loss_values()
        if not last:
            rest = replace(rest, frames=fit.left(part))
            theta = part.theta.double().numpy()
    layers = torch.cat([torch.full_like(t, k) for k, t in enumerate(trajectory)])
    return Layered(joined(parts), torch.cat(trajectory), layers, distortions, losses)


def layer_distortions(distortion: int, num_layers: int) -> list[int]:
    """The distortion (as in headers) of every layer; the last is the one asked for."""
    octaves = [_STEP * (num_layers - 1 - k) - math.log2(_FINER) for k in range(num_layers - 1)]
    return [*(min(max(round(distortion - 8 * o), 0), 255) for o in octaves), distortion]


def _finer(settings: FitSettings) -> FitSettings:
    """Bits and growth weighed as by a D that is _FINER times that of the quantiser."""
    return replace(settings, lagrangian=_FINER * settings.lagrangian, growth_gain=_FINER * settings.growth_gain)


def joined(parts: Sequence[Quantised]) -> Quantised:
    """Sets that share their trajectories as one, in order."""
    names = [f.name for f in dataclasses.fields(Quantised) if f.name not in _SHARED]
    together = {name: torch.cat([getattr(q, name) for q in parts]) for name in names}
    return replace(parts[0], **together)


def _share(report: Report | None, part: int, parts: int) -> Report | None:
    return None if report is None else lambda share: report((part + share) / parts)
