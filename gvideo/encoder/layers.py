"""Layers: which Gaussian belongs to which, and training in which every prefix of them is a picture of its own.

    prefix k = layers 0 … k      D_k = D 2^(octaves (L-1-k)), the distortion of a stream of that quality alone

    loss = sum over prefixes k of  w_k (error of prefix k · D / D_k  +  4 D bits of prefix k),      w_{L-1} = 1

so a Gaussian of layer l is charged for its bits, and moved by the errors, of all prefixes k >= l that hold it. A step
looks at the whole set and at one shorter prefix, drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder import objective
from gvideo.encoder.objective import Target
from gvideo.encoder.parameters import Values
from gvideo.types import Int32

#: A Gaussian is in the shortest prefix at whose D it would be so many quantiser steps strong.
_STRENGTH = 1.0


@dataclass(frozen=True, slots=True)
class Prefixes:
    """How a segment is layered. octaves: of D between one prefix and the next. weight: w of every prefix but the
    whole, whose weight is 1."""

    num_layers: int = 1
    octaves: float = 1.5
    weight: float = 0.3
    strength: float = _STRENGTH

    def error_share(self, prefix: int) -> float:
        """D over the prefix's own."""
        return float(2.0 ** (-self.octaves * (self.num_layers - 1 - prefix)))

    def assign(self, strength: Tensor) -> Tensor:
        """Layer i64 [N] of Gaussians whose amplitude is `strength` f32 [N] steps of the whole set."""
        above = (strength / self.strength).clamp(min=1e-6).log2() * (2 / self.octaves)
        return (self.num_layers - 1 - above.floor()).clamp(0, self.num_layers - 1).long()

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
        return 0.5 * (self.error_factors(layer) / self.price_factors(layer)).log2()

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


def strength_of(ratio: Tensor) -> Tensor:
    """Amplitudes in steps f32 [N,3] as one number f32 [N]."""
    return ratio.square().sum(1).sqrt()


