"""Other ways from gradients to the next values; a step is an evaluation of the loss, and who needs more moves less."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gvideo.evaluate.studies.techniques.base import Fields, Technique, Values, technique
from gvideo.evaluate.studies.techniques.fit import Fit, splats_of


@technique
class RootRate(Technique):
    """Learning rates divided by the root of the count over REFERENCE."""

    name, kind = "lr-root-n", "optimiser"
    about = "learning rates in proportion to 1/sqrt(N), 1 at 100 Gaussians"
    REFERENCE = 100

    def rate(self, fit: Fit) -> float:
        return math.sqrt(self.REFERENCE / max(len(fit), 1))


@technique
class FasterRates(Technique):
    """The same factor on all rates whatever the count: what 1/sqrt(N) has to beat."""

    name, kind = "rates-x1.5", "optimiser"
    about = "all learning rates times 1.5"

    def rate(self, fit: Fit) -> float:
        return 1.5


@technique
class LbfgsStart(Technique):
    """L-BFGS with a line search on everything while growing, Adam from then on."""

    name, kind = "l-bfgs", "optimiser"
    about = "L-BFGS (strong Wolfe) after each generation, Adam in the second half"
    EVALUATIONS = 20

    def step(self, fit: Fit, rates: dict[str, Tensor | float]) -> float:
        if fit.progress >= 0.5:
            return super().step(fit, rates)
        # in units of the learning rates all values have curvatures of about one size
        scale = {n: torch.as_tensor(rates[n], dtype=torch.float32).clone() for n in fit.values}
        free = {n: torch.zeros_like(v).requires_grad_() for n, v in fit.values.items()}
        start = dict(fit.values)
        left = min(self.EVALUATIONS, max(1, fit.settings.steps // 2 - fit.done))
        optimiser = torch.optim.LBFGS(
            list(free.values()), 1.0, max_iter=left, max_eval=left, history_size=10, line_search_fn="strong_wolfe"
        )
        losses: list[float] = []

        def closure() -> float:
            fit.values = {n: start[n] + free[n].detach() * scale[n] for n in start}
            loss, gradients = fit.loss()
            for n, value in free.items():
                value.grad = gradients[n] * scale[n] if n in gradients else torch.zeros_like(value)
            losses.append(loss)
            return loss if math.isfinite(loss) else 1e9

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        fit.values = {n: (start[n] + free[n].detach() * scale[n]).nan_to_num() for n in start}
        return losses[0]


@technique
class NaturalGradient(Technique):
    """Gradients divided by the Fisher information of a lone Gaussian, which has a closed form, with momentum.

    With A = |amplitude|^2 pi su sv: mean along u A / (2 su^2), log su 3A/4, angle A (su/sv - sv/su)^2 / 4, amplitude
    pi su sv; the off-diagonal terms and neighbours are left out, and a damping stands for them.
    """

    name, kind = "natural-gradient", "optimiser"
    about = "gradients over the closed-form Fisher diagonal of each Gaussian, momentum 0.9"
    FASTEST, DAMPING, MOMENTUM = 1.0, 0.02, 0.9

    def step(self, fit: Fit, rates: dict[str, Tensor | float]) -> float:
        loss, gradients = fit.loss()
        share = self.FASTEST * float(rates["motion"]) / 0.15
        frames, _ = fit.target()
        for name, information in fisher(fit.fields(), fit.scene.num_frames, frames[0, 0].size).items():
            gradient = gradients.pop(name)
            damped = information + self.DAMPING * information.mean(0) + 1e-12
            before = self.moments.get(name, (torch.zeros_like(gradient),) * 2)[0]
            move = self.MOMENTUM * before + (1 - self.MOMENTUM) * gradient / damped
            self.moments[name] = move, move
            longest = 10 * torch.as_tensor(rates[name])  # a trust region: lone Gaussians know nothing of others
            fit.values[name] = fit.values[name] - torch.maximum(torch.minimum(share * move, longest), -longest)
        self.adam(fit.values, gradients, rates)
        return loss


def fisher(fields: Fields, num_frames: int, pixels: int) -> Values:
    """Second derivatives of the loss by mean, shape and amplitude of each Gaussian alone, [N,…]. pixels: of a frame."""
    u, v = fields.log_scale.exp().unbind(1)
    weights = torch.tensor([1.0, 0.5, 0.5])
    life = torch.minimum(math.sqrt(math.pi) * fields.log_duration.exp(), torch.tensor(float(num_frames)))
    area = math.pi * u * v * life / (num_frames * pixels) * 2
    energy = (fields.amplitude.square() * weights).sum(1) * area
    cos, sin = fields.angle.cos(), fields.angle.sin()
    x = cos**2 / u**2 + sin**2 / v**2
    y = sin**2 / u**2 + cos**2 / v**2
    tilt = (u / v - v / u).square() / 4
    return {
        "mean": torch.stack([x, y], 1) * energy[:, None] / 2,
        "shape": torch.stack([0.75 * energy, 0.75 * energy, energy * tilt], 1),
        "amplitude": area[:, None] * weights,
    }


@technique
class GaussNewton(Technique):
    """Amplitudes, in which the picture is linear, by conjugate gradients on the normal equations (variable projection);
    everything else by Adam."""

    name, kind = "gauss-newton", "optimiser"
    about = "amplitudes solved by 6 steps of conjugate gradients every 50 steps, Adam for all between"
    EVERY, ITERATIONS = 50, 6

    def __init__(self) -> None:
        super().__init__()
        self.next = self.EVERY // 2

    def step(self, fit: Fit, rates: dict[str, Tensor | float]) -> float:
        loss = super().step(fit, rates)
        if fit.done >= self.next and fit.done + self.ITERATIONS < fit.settings.steps:
            self.next = fit.done + self.EVERY
            solve_amplitudes(fit, self.ITERATIONS)
        return loss


def solve_amplitudes(fit: Fit, iterations: int) -> None:
    """Conjugate gradients on the squared error as a function of all amplitudes; an evaluation an iteration."""
    nothing = np.zeros_like(fit.frames)
    times = fit.scene.times
    fields = fit.fields()

    def slope(amplitude: Tensor, frames: np.ndarray) -> Tensor:
        fit.done += 1
        moved = Fields(fields.mean, fields.motion, fields.log_scale, fields.angle, amplitude, fields.centre,
                       fields.log_duration)  # fmt: skip
        _, g = fit.backend.loss_and_gradients(
            splats_of(moved), fit.scene.basis, times, frames, times.astype(np.int32), np.ones(3, np.float32)
        )
        return torch.from_numpy(g.amplitudes)

    amplitude = fields.amplitude.clone()
    rest = -slope(amplitude, fit.frames)
    direction, square = rest.clone(), rest.square().sum(0)
    for _ in range(iterations - 1):
        curved = slope(direction, nothing)
        length = square / (direction * curved).sum(0).clamp(min=1e-20)
        amplitude += length * direction
        rest = rest - length * curved
        after = rest.square().sum(0)
        direction = rest + after / square.clamp(min=1e-20) * direction
        square = after
    fit.values["amplitude"] = amplitude
