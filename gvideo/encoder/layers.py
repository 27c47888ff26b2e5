"""Layers: which Gaussian belongs to which, and training in which every prefix of them is a picture of its own.

    prefix k = layers 0 … k, of about ratio^-(L-1-k) of the bits; D_k: the distortion of a stream of that rate alone

    loss = sum over prefixes k of  w_k (error of prefix k · D / D_k  +  4 D bits of prefix k),      w_{L-1} = 1

so a Gaussian of layer l is charged for its bits, and moved by the errors, of all prefixes k >= l that hold it. A step
looks at the whole set and at one shorter prefix, drawn at random.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gvideo.encoder import objective
from gvideo.encoder.fit import FitSettings, Report, SegmentFit, values_of
from gvideo.encoder.flow import Flow
from gvideo.encoder.objective import Target
from gvideo.encoder.parameters import Parameters
from gvideo.encoder.prefixes import Prefixes
from gvideo.encoder.quantised import Geometry, Quantised
from gvideo.model.steps import StepRules
from gvideo.types import Float64


def fit_layers(
    target: Target, flow: Flow, theta: Float64, settings: FitSettings, seed: int, prefixes: Prefixes,
    rules: StepRules, geometry: Geometry, report: Report | None = None, share: float = 1.0, joint: float = 1.0,
) -> tuple[SegmentFit, Quantised]:  # fmt: skip
    whole: Parameters | None = None
    rest = target
    stage = replace(settings, train_steps=round(settings.train_steps * share))
    for layer in range(prefixes.num_layers):
        octaves = -math.log2(prefixes.error_share(layer))
        own = rules.with_distortion(max(round(rules.distortion - 8 * octaves), 0))
        fit = SegmentFit(rest, flow, theta, stage, seed + layer)
        fit.frozen_theta = layer > 0
        fit.grow(own)
        q = fit.train(own, geometry)
        p = fit.parameters
        if whole is None:
            whole = p
        else:
            whole.append({n: v for n, v in p.values.items() if n != "theta"}, p.trajectory, layer)
        theta = q.theta.double().numpy()
        values = values_of(q)
        print("  stage", layer, own.distortion, len(p), float(np.square(rest.frames[:,0]).mean()), end=" ")
        rest = replace(rest, frames=rest.frames - objective.render(values, p.trajectory, target))
        print(float(-10*np.log10(np.square(rest.frames[:,0]).mean())))
    assert whole is not None
    fit = SegmentFit(target, flow, theta, replace(settings, train_steps=round(settings.train_steps * joint)), seed, prefixes)
    fit.parameters = whole
    return fit, fit.train(rules, geometry)
