"""Layers: which Gaussian belongs to which, and training in which every prefix of them is a picture of its own.

    prefix k = layers 0 … k, of about ratio^-(L-1-k) of the bits; D_k: the distortion of a stream of that rate alone

    loss = sum over prefixes k of  w_k (error of prefix k · D / D_k  +  4 D bits of prefix k),      w_{L-1} = 1

so a Gaussian of layer l is charged for its bits, and moved by the errors, of all prefixes k >= l that hold it. A step
looks at the whole set and at one shorter prefix, drawn at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder import objective
from gvideo.encoder.objective import Target
from gvideo.encoder.parameters import Values
from gvideo.encoder.quantised import Quantised
from gvideo.types import Int32

#: Octaves of D for each octave of the rate, of streams without layers.
RATE_TO_DISTORTION = 1.5
#: Bits of a Gaussian of no strength, and of each octave of its strength.
_LEAST_BITS, _BITS_PER_OCTAVE = 20.0, 5.0


@dataclass(frozen=True, slots=True)
class Prefixes:
    """How a segment is layered. ratio: of the rates of a prefix and the next shorter one. weight: w of every prefix
    but the whole, whose weight is 1."""

    num_layers: int = 1
    ratio: float = 1.6
    weight: float = 0.3
    key: float = 0
    prefix_frames: float = 4
    bias: float = 1

    def error_share(self, prefix: int) -> float:
        """D over the prefix's own."""
        return float(self.ratio ** (-RATE_TO_DISTORTION * (self.num_layers - 1 - prefix)))

    def assign(self, q: Quantised) -> Tensor:
        """Layer i64 [N]: the strongest Gaussians first, as many as make up each prefix's share of the bits."""
        strength = q.ratio.square().sum(1).sqrt()
        bits = _LEAST_BITS + _BITS_PER_OCTAVE * (1 + strength).log2()
        key = strength
        if self.key == 1:
            key = -torch.arange(len(strength)).float()
        if self.key == 2:
            key = q.log_scale.sum(1)
        if self.key == 3:
            key = strength.square() / bits
        if self.key == 4:
            key = strength.clamp(min=0.1).log2() + 0.5 * q.log_scale.sum(1) / math.log(2)
        if self.key == 5:
            key = strength.clamp(min=0.1).log2() + 0.25 * q.log_scale.sum(1) / math.log(2)
        order = key.argsort(descending=True, stable=True)
        share = bits[order].cumsum(0) / bits.sum()
        ends = torch.tensor([self.ratio ** (k + 1 - self.num_layers) for k in range(self.num_layers - 1)])
        layer = torch.empty(len(strength), dtype=torch.long)
        layer[order] = torch.searchsorted(ends, share)
        return layer

    def price_factors(self, layer: Tensor) -> Tensor:
        """Sum of the weights of the prefixes that hold each Gaussian, f32 [N]."""
        return 1 + self.weight * (self.num_layers - 1 - layer).float()

    def error_factors(self, layer: Tensor) -> Tensor:
        """Sum of w_k D / D_k over the prefixes that hold each Gaussian, f32 [N]."""
        shares = [self.weight * self.error_share(k) for k in range(self.num_layers - 1)] + [1.0]
        sums = torch.tensor(np.cumsum(shares[::-1])[::-1].copy(), dtype=torch.float32)
        return sums[layer]

    def precision_bias(self, layer: Tensor) -> Tensor:
        """Octaves to add to an amplitude before it chooses its class, f32 [N]: its parameters may be off by a little
        more than in the whole set alone, as their bits count more than the errors of the prefixes."""
        return self.bias * 0.5 * -math.log2(self.ratio) * RATE_TO_DISTORTION * (self.num_layers - 1 - layer).float()

    def draw(self, rng: np.random.Generator) -> int | None:
        """The shorter prefix that a step looks at, or None without layers."""
        return int(rng.integers(self.num_layers - 1)) if self.num_layers > 1 else None

    def add_gradients(
        self, gradients: Values, prefix: int, values: Values, trajectory: Tensor, layer: Tensor, target: Target,
        frames: Int32, frames_of_whole: int,
    ) -> None:  # fmt: skip
        """Adds a prefix's share to gradients of the whole set's error over `frames_of_whole` frames."""
        chosen = torch.nonzero(layer <= prefix).squeeze(1)
        if len(chosen) == 0:
            return
        part = {name: value if name == "theta" else value[chosen] for name, value in values.items()}
        _, found = objective.error_and_gradients(part, trajectory[chosen], target, frames)
        factor = self.weight * (self.num_layers - 1) * self.error_share(prefix) * frames_of_whole / len(frames)
        for name, gradient in found.items():
            if name == "theta":
                gradients[name].add_(gradient, alpha=factor)
            else:
                gradients[name].index_add_(0, chosen, gradient, alpha=factor)


