"""A start that was learned: a small network looks at the residual and says where Gaussians go, and how they are shaped.

    residual -> seven planes -> U-Net of ConvNeXt blocks -> for each cell of 2 x 2 px: density, size, elongation, tilt
                (Y'CbCr, energy, structure tensor, spacing)

It imitates where the default fit ends (tests/bench/train_initialiser.py says how the weights were made). Its answers
are corrections: with outputs of zero, places go by the residual's energy, as they do without it. After
Instant-GaussianImage (Z. Zeng et al., 2025) in small; blocks as Z. Liu et al., A ConvNet for the 2020s, 2022.
"""

from __future__ import annotations

import functools
import io
import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gvideo.encoder.backends.base import SMALLEST_LOG_START
from gvideo.errors import MediaError
from gvideo.evaluate.studies.techniques.base import Technique, structure, technique
from gvideo.evaluate.studies.techniques.fit import Fit
from gvideo.evaluate.studies.techniques.initialisers import FloydSteinberg
from gvideo.evaluate.studies.techniques.optimisers import solve_amplitudes
from gvideo.types import Float32, Int64

#: The weights: float16 arrays by the names of the network's state.
WEIGHTS = Path(__file__).with_name("initialiser.npz")
#: Side of the cells that answers are for, px; planes that come in; sides must be multiples of MULTIPLE px.
CELL, PLANES, MULTIPLE = 2, 7, 8
_WIDTHS = (32, 48, 64)
#: Added to the energy, as a share of its mean, so that there is something to correct everywhere.
LEAST = 1e-3


class _Block(nn.Module):
    """A ConvNeXt block: 7 x 7 by channel, then two layers across channels, on top of what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.inner, self.outer = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outer(functional.gelu(self.inner(self.norm(self.spatial(x)))))
        return x + y


class Network(nn.Module):
    """Planes f32 [B,7,H,W], sides multiples of 8, to answers f32 [B,4,H/2,W/2]: correction of the density's logarithm,
    and the logarithm of the covariance over that of the spacing: mean, (u - v)/2 cos 2 angle, (u - v)/2 sin 2 angle."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = _WIDTHS
        self.stem = nn.Conv2d(PLANES, a, 4, 2, padding=1)
        self.fine, self.middle = nn.Sequential(_Block(a), _Block(a)), nn.Sequential(_Block(b), _Block(b))
        self.coarse = nn.Sequential(_Block(c), _Block(c))
        self.down, self.downer = nn.Conv2d(a, b, 2, 2), nn.Conv2d(b, c, 2, 2)
        self.upper, self.up = nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.again, self.last = _Block(b), _Block(a)
        self.head = nn.Conv2d(a, 4, 1)
        for value in self.head.parameters():
            nn.init.zeros_(value)  # no correction before training

    def forward(self, planes: Tensor) -> Tensor:
        fine = self.fine(self.stem(planes))
        middle = self.middle(self.down(fine))
        coarse = self.coarse(self.downer(middle))
        middle = self.again(middle + functional.interpolate(self.upper(coarse), scale_factor=2.0))
        answers: Tensor = self.head(self.last(fine + functional.interpolate(self.up(middle), scale_factor=2.0)))
        return answers


def planes_of(residual: Float32, energy: Float32, sigma: float) -> Float32:
    """What the network sees, f32 [T,7,H,W]: the residual f32 [T,3,H,W] over its deviation, the logarithm of its energy
    f32 [T,H,W] over the mean, the structure tensor's direction by its coherence, and the spacing's sigma, px."""
    deviation = float(residual[:, 0].std()) + 1e-6
    angle, coherence = structure(residual[:, 0], sigma)
    others = [
        np.log(energy / (energy.mean() + 1e-12) + LEAST),
        coherence * np.cos(2 * angle), coherence * np.sin(2 * angle),
        np.full_like(energy, math.log(max(sigma, 0.7) / 4)),
    ]  # fmt: skip
    return np.concatenate([residual / deviation, np.stack(others, 1)], 1).astype(np.float32)


@functools.cache
def network(path: Path) -> Network:
    """The trained network. Raises MediaError for weights that are missing, damaged, or of another network."""
    net = Network()
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            net.load_state_dict({name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files})
    except FileNotFoundError:
        raise MediaError(f"{path}: no weights of the learned start there; install gvideo again") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile) as e:
        raise MediaError(f"{path}: weights of the learned start cannot be read; install gvideo again") from e
    return net.eval()


@torch.no_grad()
def answers_of(planes: Float32, net: Network) -> Float32:
    """The network's answers f32 [T,4,rows,columns], a cell of 2 x 2 px each, for planes f32 [T,7,H,W] of any size."""
    height, width = planes.shape[2:]
    more = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
    found = net(functional.pad(torch.from_numpy(planes), more, mode="replicate"))
    answers: Float32 = found[:, :, : -(-height // CELL), : -(-width // CELL)].numpy()
    return answers


@technique
class Learned(Technique):
    """Every generation by the network: density from its answer, shapes from its answer at the places."""

    name, kind = "learned", "initialiser"
    about = "a U-Net of 120 000 weights says from the residual where each generation goes, and its shapes"

    def __init__(self) -> None:
        super().__init__()
        self.net = network(WEIGHTS)
        self.answers: Float32 | None = None

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        self.answers = answers_of(planes_of(fit.residual, energy, fit.sigma), self.net)
        change = self.answers[:, 0].repeat(CELL, 1).repeat(CELL, 2)[:, : energy.shape[1], : energy.shape[2]]
        density: Float32 = (energy + LEAST * energy.mean()) * np.exp(change - change.max())
        return density

    def shape(self, residual: Float32, frame: Int64, point: Float32, sigma: float) -> tuple[Float32, Float32]:
        if self.answers is None:
            return super().shape(residual, frame, point, sigma)
        x, y = point.astype(int).T // CELL
        size, p, q = self.answers[frame, 1:, y, x].T
        half = np.hypot(p, q)
        middle = math.log(max(sigma, 0.7)) + size
        log_scale = np.stack([middle + half, middle - half], 1)
        angle = 0.5 * np.arctan2(q, p) % math.pi
        return np.maximum(log_scale, SMALLEST_LOG_START).astype(np.float32), angle.astype(np.float32)


@technique
class LearnedStart(Learned, FloydSteinberg):
    """All Gaussians at once where the network says, spread by error diffusion as in the published one, amplitudes by
    conjugate gradients: a start that is near the end, in place of growth."""

    name = "learned-start"
    about = "as learned, but all Gaussians at the start, by error diffusion, amplitudes solved before the first step"
    ITERATIONS = 6

    def first_share(self, generations: int) -> int:
        return 1

    def step(self, fit: Fit, rates: dict[str, Tensor | float]) -> float:
        if not fit.done:
            solve_amplitudes(fit, self.ITERATIONS)
        return super().step(fit, rates)
