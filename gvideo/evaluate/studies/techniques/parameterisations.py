"""The same covariance as three other numbers: what is trained of a shape, and how it reads as scales and an angle.

default          log sigma_u, log sigma_v, angle
euler            sigma_u, sigma_v, angle
cholesky         L of the covariance L L^T, diagonal as it is        inverse          L of the inverse, likewise
log-covariance   the matrix logarithm: free of the angle's whirl where sigma_u = sigma_v
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gvideo.evaluate.studies.techniques.base import Technique, technique

#: Keeps the angle differentiable where a Gaussian is round.
_ROUND = 1e-6


def scales_and_angle(xx: Tensor, xy: Tensor, yy: Tensor) -> tuple[Tensor, Tensor]:
    """(log-scales [N,2], u the longer axis, angles [N]) of covariances."""
    half, tilt = (xx + yy) / 2, (xx - yy) / 2
    root = (tilt.square() + xy.square() + _ROUND * half.square()).sqrt()
    log_scale = 0.5 * torch.stack([half + root, (half - root).clamp(min=1e-3)], 1).log()
    # atan2 has no slope at (0, 0), which a round Gaussian is
    angle = 0.5 * torch.atan2(xy, tilt + _ROUND * half.detach())
    return log_scale, angle


def covariance(log_scale: Tensor, angle: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """xx, xy, yy [N] of scales and angles."""
    u, v = (2 * log_scale).exp().unbind(1)
    c, s = angle.cos(), angle.sin()
    return u * c * c + v * s * s, (u - v) * c * s, u * s * s + v * c * c


@technique
class Euler(Technique):
    """Scales as they are, without the logarithm, and the angle of rotation."""

    name, kind = "euler", "parameterisation"
    about = "sigma_u, sigma_v in px and the angle"

    def encode(self, log_scale: Tensor, angle: Tensor) -> Tensor:
        return torch.cat([log_scale.exp(), angle[:, None]], 1)

    def decode(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        return shape[:, :2].clamp(min=0.1).log(), shape[:, 2]

    def shape_unit(self, shape: Tensor) -> Tensor:
        return torch.cat([shape[:, :2].clamp(min=0.1), torch.ones_like(shape[:, 2:])], 1)


@technique
class Cholesky(Technique):
    """Covariance = L L^T, L = [[a, 0], [b, c]]."""

    name, kind = "cholesky", "parameterisation"
    about = "the Cholesky factor of the covariance"

    def encode(self, log_scale: Tensor, angle: Tensor) -> Tensor:
        return factor(*covariance(log_scale, angle))

    def decode(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        a, b, c = shape.unbind(1)
        return scales_and_angle(a * a, a * b, b * b + c * c)

    def shape_unit(self, shape: Tensor) -> Tensor:
        size = (shape[:, 0] * shape[:, 2]).abs().clamp(min=0.01).sqrt()
        return size[:, None].expand_as(shape)


@technique
class Inverse(Cholesky):
    """Inverse covariance = L L^T: what the exponent is made of, without a division."""

    name = "inverse"
    about = "the Cholesky factor of the inverse covariance"

    def encode(self, log_scale: Tensor, angle: Tensor) -> Tensor:
        return factor(*covariance(-log_scale, angle))

    def decode(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, angle = super().decode(shape)
        return -log_scale, angle


@technique
class LogCovariance(Technique):
    """log covariance = 2 [[m + p, q], [q, m - p]]."""

    name, kind = "log-covariance", "parameterisation"
    about = "the matrix logarithm of the covariance"

    def encode(self, log_scale: Tensor, angle: Tensor) -> Tensor:
        mean, half = log_scale.mean(1), (log_scale[:, 0] - log_scale[:, 1]) / 2
        return torch.stack([mean, half * (2 * angle).cos(), half * (2 * angle).sin()], 1)

    def decode(self, shape: Tensor) -> tuple[Tensor, Tensor]:
        m, p, q = shape.unbind(1)
        half = (p * p + q * q + 1e-10).sqrt()
        return torch.stack([m + half, m - half], 1), 0.5 * torch.atan2(q, p + 1e-9) % math.pi


def factor(xx: Tensor, xy: Tensor, yy: Tensor) -> Tensor:
    """The Cholesky factor (a, b, c) [N,3] of [[xx, xy], [xy, yy]] = L L^T, L = [[a, 0], [b, c]]."""
    a = xx.sqrt()
    b = xy / a
    return torch.stack([a, b, (yy - b * b).clamp(min=1e-4).sqrt()], 1)
