"""What is added to the loss, or taken from a step, so that the fit ends elsewhere."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gvideo.evaluate.studies.techniques.base import Fields, Technique, pixel_of, structure, technique
from gvideo.evaluate.studies.techniques.fit import Fit


@technique
class EdgeAware(Technique):
    """Pulls a Gaussian's long axis along the edge it lies on, the more the clearer the edge."""

    name, kind = "edge-aware", "regulariser"
    about = "a penalty on axes across the structure of the source"
    WEIGHT = 2e-6

    def penalty(self, fit: Fit, fields: Fields) -> Tensor | None:
        if not hasattr(self, "tensor"):
            self.tensor = structure(fit.scene.frames[:, 0], 2.0)
        place = pixel_of(fields, fit.scene.num_frames, *fit.scene.size)
        across, coherence = (torch.from_numpy(a[place]) for a in self.tensor)
        # 1 where the longer axis lies along the gradient, across the edge; 0 where it follows the edge
        ratio = fields.log_scale[:, 0] - fields.log_scale[:, 1]
        wrong = 0.5 * (1 + (ratio.tanh() * (2 * (fields.angle - across)).cos()))
        return self.WEIGHT * len(fit) / 100 * (coherence * wrong).mean()


@technique
class EffectiveRank(Technique):
    """Charges needles: the effective rank of a covariance, exp of the entropy of its normalised eigenvalues, is 1 for a
    line and 2 for a disc (O. Roy, M. Vetterli, 2007)."""

    name, kind = "effective-rank", "regulariser"
    about = "a penalty on -log(effective rank - 1) of each covariance"
    WEIGHT = 1e-6

    def penalty(self, fit: Fit, fields: Fields) -> Tensor | None:
        return self.WEIGHT * len(fit) / 100 * -(effective_rank(fields.log_scale) - 1 + 1e-5).log().mean()


def effective_rank(log_scale: Tensor) -> Tensor:
    """Effective rank [N], 1 to 2, of log-scales [N,2]."""
    share = torch.softmax(2 * log_scale, 1)
    return (-(share * share.clamp(min=1e-12).log()).sum(1)).exp()


@technique
class DropGaussian(Technique):
    """Leaves out a share of the Gaussians in every step, the others stronger for it, less and less until 80 %."""

    name, kind = "drop-gaussian", "regulariser"
    about = "10 % of the Gaussians left out of a step by chance, fading out"
    SHARE, UNTIL = 0.1, 0.8

    def thin(self, fit: Fit) -> Tensor | None:
        share = self.SHARE * (1 - fit.progress / self.UNTIL)
        if share <= 0:
            return None
        kept = fit.rng.random(len(fit)) >= share
        return torch.from_numpy((kept / (1 - share)).astype(np.float32))
