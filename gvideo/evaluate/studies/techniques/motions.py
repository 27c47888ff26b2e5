"""Motion of a camera that all Gaussians share: an affine B-spline against a flow field whose paths are integrated."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gvideo.evaluate.studies.techniques.base import Technique, Values, technique
from gvideo.evaluate.studies.techniques.coded import Coded
from gvideo.evaluate.studies.techniques.fit import Fit
from gvideo.evaluate.studies.techniques.scenes import Scene


def normalised(mean: Tensor, scene: Scene) -> Tensor:
    """Positions f32 [N,2] in units of a quarter of the longer side, from the frame's centre."""
    return (mean - torch.tensor(scene.size) / 2) / (max(scene.size) / 4)


@technique
class AffineCamera(Technique):
    """displacement(t) = sum_k B_k(t) Theta_k [1, x, y]: one trajectory for all, none of their own."""

    name, kind = "affine-camera", "control"
    about = "one affine B-spline moves all Gaussians, which have no motion of their own: the control of neural-ode"
    video_only = True
    extra_rates: ClassVar[dict[str, float]] = {"theta": 0.02}
    #: Bits of a number after quantisation.
    BITS = 10

    def shared_values(self, scene: Scene, seed: int) -> Values:
        return {"theta": torch.zeros((scene.num_control, 2, 3))}

    def motion(self, fit: Fit, values: Values) -> Tensor | None:
        features = normalised(values["mean"].detach(), fit.scene)
        features = torch.cat([torch.ones((len(features), 1)), features], 1)
        return torch.einsum("kcf,nf->nkc", values["theta"], features)

    def code(self, coded: Coded, values: Values) -> Coded:
        shared = sum(v.numel() for n, v in values.items() if n in self.extra_rates)
        bits = {**coded.bits, "residual": 0.0}
        return replace(coded, bits=bits, more=coded.more + self.BITS * shared)


@technique
class NeuralOde(AffineCamera):
    """dx/dt = f(x, t), f a perceptron of eight hidden units, integrated from the middle of the clip by the midpoint
    rule, a step a frame (R. Chen et al., 2018); the paths as control points by least squares."""

    name, kind = "neural-ode", "motion"
    about = "paths integrated through a small network's velocity field, instead of an affine B-spline"
    control = "affine-camera"
    extra_rates: ClassVar[dict[str, float]] = {"inner": 0.01, "outer": 0.01}
    HIDDEN = 8

    def shared_values(self, scene: Scene, seed: int) -> Values:
        g = torch.Generator().manual_seed(seed)
        return {
            "inner": torch.randn((4, self.HIDDEN), generator=g) / 2,
            "outer": torch.zeros((self.HIDDEN + 1, 2)),
        }

    def motion(self, fit: Fit, values: Values) -> Tensor | None:
        scene = fit.scene
        unit = max(scene.size) / 4
        start = normalised(values["mean"].detach(), scene)

        def velocity(x: Tensor, frame: float) -> Tensor:
            t = 2 * frame / scene.num_frames - 1
            ones = torch.ones((len(x), 1))
            hidden = (torch.cat([x, t * ones, ones], 1) @ values["inner"]).tanh()
            return torch.cat([hidden, ones], 1) @ values["outer"]

        middle = scene.num_frames // 2
        places = {middle: start}
        for ends, step in ((range(middle, scene.num_frames - 1), 1), (range(middle, 0, -1), -1)):
            x = start
            for frame in ends:
                half = x + 0.5 * step * velocity(x, frame)
                x = x + step * velocity(half, frame + 0.5 * step)
                places[frame + step] = x
        path = torch.stack([places[k] - start for k in range(scene.num_frames)], 1) * unit
        fitted = torch.from_numpy(np.linalg.pinv(scene.basis.astype(np.float64)).astype(np.float32))
        return torch.einsum("kt,ntc->nkc", fitted, path)
