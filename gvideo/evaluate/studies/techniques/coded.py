"""What Gaussians cost and what is left of them: the project's own quantiser and entropy coder at several qualities.

Fields -> Parameters -> quantise (as training does it) -> pack -> bits counted by the coder       at every D
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from gvideo.encoder.backends.cpu_quantise import quantise
from gvideo.encoder.gaussians.pack import pack
from gvideo.encoder.gaussians.parameters import Parameters
from gvideo.encoder.gaussians.quantised import Quantised
from gvideo.encoder.settings import EncodeSettings
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.segment import count_bits
from gvideo.entropy.sequence import SequenceState
from gvideo.evaluate.studies.techniques.base import PER_GAUSSIAN, Fields, Values
from gvideo.evaluate.studies.techniques.fit import Fit, luma_psnr, picture_of
from gvideo.evaluate.studies.techniques.scenes import Scene
from gvideo.model.steps import StepRules

#: Qualities, as --crf, that a fit is coded at.
QUALITIES = (20.0, 25.0, 30.0, 35.0)


@dataclass(frozen=True)
class Coded:
    """Gaussians after the quantiser: fields as decoded, symbols, and the bits of each attribute; more: bits of what a
    technique adds. kept i64 [M]: rows of the fit that are left."""

    fields: Fields
    quantised: Quantised
    bits: dict[str, float]
    kept: torch.Tensor
    rules: StepRules
    more: float = 0.0

    @property
    def total_bits(self) -> float:
        """All bits."""
        return sum(self.bits.values()) + self.more


@torch.no_grad()
def curve_of(fit: Fit) -> list[tuple[float, float]]:
    """(bits, luma PSNR in dB) at every quality, after the technique has had its say."""
    points = []
    for crf in QUALITIES:
        coded, values = code(fit.scene, fit.fields(), fit.values, crf)
        coded = fit.technique.code(coded, values)
        drawn = picture_of(fit.scene, coded.fields, values, fit.technique)
        points.append((coded.total_bits, luma_psnr(fit.scene.frames, drawn)))
    return points


def code(scene: Scene, fields: Fields, values: Values, crf: float) -> tuple[Coded, Values]:
    """(Gaussians quantised and counted, the trained values of those that are left)."""
    rules = StepRules(EncodeSettings(crf).distortion)
    follows_paths = fields.motion.shape[1] != scene.num_control or not scene.is_video
    motion = fields.motion.new_zeros((len(fields.mean), 0, 2)) if follows_paths else fields.motion
    p = Parameters(
        {
            "mean": fields.mean.clone(), "residual": motion.clone(), "log_scale": fields.log_scale.clone(),
            "angle": fields.angle.clone(), "luma": fields.amplitude[:, :1].clone(),
            "chroma": fields.amplitude[:, 1:].clone(), "centre": fields.centre.clone(),
            "log_duration": fields.log_duration.clone(), "theta": torch.zeros((1, scene.num_control, 2, 3)),
        },
        torch.zeros(len(fields.mean), dtype=torch.long),
    )  # fmt: skip
    p.values = {name: v.contiguous().float() for name, v in p.values.items()}
    geometry = scene.geometry
    q = quantise(p, rules, geometry, 0.0, 1.0)
    kept = (q.levels.abs().sum(1) > 0).nonzero()[:, 0]
    p.keep(q.levels.abs().sum(1) > 0)
    q = quantise(p, rules, geometry, 0.0, 1.0)
    symbols = pack(q, p.trajectory.numpy(), (512, 512, 512), *scene.size, geometry.cell_bits)
    counted = count_bits(symbols, SequenceState(rules), *scene.size, scene.num_frames)
    left = Fields(
        q.mean, fields.motion[kept] if follows_paths else q.residual, q.log_scale, q.angle, q.amplitude, q.centre,
        -q.inverse_duration.clamp(min=1e-9).log(),
    )  # fmt: skip
    rows = {name: v[kept] if name in PER_GAUSSIAN else v for name, v in values.items()}
    bits = {name: float(b) for name, b in zip(ATTRIBUTES, counted, strict=True)}
    return Coded(left, q, bits, kept, rules), rows


def with_fields(coded: Coded, **changes: torch.Tensor) -> Coded:
    """The same with other fields."""
    return replace(coded, fields=replace(coded.fields, **changes))
