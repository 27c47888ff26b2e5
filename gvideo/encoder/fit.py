"""Fitting one segment: grow in floats, then train against the quantiser with the bits on the bill (CODEC.md §7, §13).

grow:   rounds of (propose where it hurts, Adam on everything), rates constant, cosine in the last round
train:  loss = squared error + 4 D bits, every value quantised as it will be decoded, rates falling to zero;
        Gaussians whose amplitudes round to nothing leave
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from gvideo.encoder import cpu_step, grow, objective, trajectories
from gvideo.encoder.flow import Flow
from gvideo.encoder.objective import Target
from gvideo.encoder.pack import pack
from gvideo.encoder.parameters import RATES, THETA_RATE, Parameters, Values, empty
from gvideo.encoder.prices import Prices, measure
from gvideo.encoder.quantised import MAX_LOG_SCALE, MIN_LOG_SCALE, Geometry, Quantised, quantise, unquantised
from gvideo.entropy.sequence import SequenceState
from gvideo.model.steps import StepRules
from gvideo.types import Float32, Float64, Int32


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Everything that decides how long and how a segment is fitted. growth_rate, train_rate: factors on RATES and
    TRAIN_RATES; short fits need faster ones."""

    first_density: float = 0.002
    least_growth: float = 0.3
    most_growth: float = 1.0
    max_rounds: int = 14
    growth_gain: float = 4.0
    round_steps: int = 45
    last_round: float = 3.0
    growth_rate: float = 1.0
    train_steps: int = 750
    train_rate: float = 1.0
    frames_per_step: int = 4
    first_life: float = 0.5
    later_life: float = 0.12
    motion_price: float = 0.1
    amplitude_price: float = 1.6
    residual_price: float = 1.6
    price_share: float = 0.26
    price_every: int = 250
    lagrangian: float = 4.0
    precision_bias: float = 0.0
    permanent_at: float = 1.0
    prune_every: int = 25
    num_trajectories: int = 8


#: Learning rates of quantised training over those of growth.
TRAIN_RATES = {
    "mean": 0.15, "residual": 0.1, "log_scale": 0.015, "angle": 0.015, "luma": 0.005, "chroma": 0.003,
    "centre": 0.1, "log_duration": 0.01, "theta": 0.01,
}  # fmt: skip
#: Steps of residual motion, in smaller sigmas, that its price is counted in while growing.
FLOAT_RESIDUAL_STEP = 0.35

#: Steps of a preset are those of this picture size; smaller ones take up to MAX_EFFORT times as many.
REFERENCE_PIXELS = 352 * 288
MAX_EFFORT = 3.0

Report = Callable[[float], None]


class SegmentFit:
    """The state of fitting one segment."""

    def __init__(self, target: Target, flow: Flow, theta: Float64, settings: FitSettings, seed: int) -> None:
        self.target = target
        self.flow = flow
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        width, height = target.size
        # small pictures cost little a step and deserve more of them
        self.effort = min(max(REFERENCE_PIXELS / (width * height), 1.0), MAX_EFFORT)
        self.prices = Prices()
        #: Squared error per pixel and frame of every step of training, over that step's frames.
        self.losses: list[float] = []
        self.parameters = empty(target.basis.shape[1], torch.from_numpy(theta.astype(np.float32)))

    def grow(self, rules: StepRules, report: Report | None = None) -> None:
        """Places Gaussians round by round where the residual is, fitting without quantisation, until two rounds
        running lower the squared error by less than `growth_gain` D for each Gaussian they add. The larger the last
        gain, the larger the next generation."""
        s, target = self.settings, self.target
        width, height = target.size
        total = _energy(self.target.frames)
        number = max(8, round(s.first_density * width * height * math.sqrt(target.num_frames / 32)))
        poor = 0
        for index in range(s.max_rounds):
            life = target.num_frames * (s.first_life if index < 2 else s.later_life)
            residual = self._residual(unquantised(self.parameters))
            error = _energy(residual)
            gain = (total - error) / (number * s.growth_gain * rules.allowed_error) if index else math.inf
            poor = poor + 1 if gain < 1 else 0
            last = index == s.max_rounds - 1 or (index > 3 and poor > 1)
            total = error
            if index:
                share = s.least_growth * math.sqrt(max(gain, 1.0))
                number = round(min(share, s.most_growth) * len(self.parameters))
            theta = self.parameters.values["theta"].double().numpy()
            generation = grow.propose(
                residual, number, len(self.parameters) + number, max(life, 0.5), theta, self.flow, target, self.rng
            )
            self.parameters.append(generation.values, generation.trajectory)
            self._settle(generation.sigma, self.effort * s.round_steps * (s.last_round if last else 1), last)
            if report:
                report(1.0 if last else (index + 1) / s.max_rounds)
            if last:
                break

    def _settle(self, sigma: float, steps: float, last: bool) -> None:
        """Adam on everything after a generation of that sigma; in the last round the rates fall to zero."""
        wide = max(1.0, sigma / 6)
        for step in range(int(steps)):
            falling = 0.5 * (1 + math.cos(math.pi * step / steps)) if last else 1.0
            faster = falling * self.settings.growth_rate
            rates = {name: rate * faster for name, rate in RATES.items()} | {"theta": THETA_RATE * falling}
            rates["mean"] *= wide
            rates["residual"] *= wide
            self._float_step(rates)

    def _residual(self, values: Values) -> np.ndarray:
        if len(self.parameters) == 0:
            return self.target.frames
        return self.target.frames - objective.render(values, self.parameters.trajectory, self.target)

    def _frames(self) -> Int32:
        """Frames of one step, evenly spread over the segment from a random start."""
        num = self.target.num_frames
        count = min(self.settings.frames_per_step, num)
        start = int(self.rng.integers(num))
        return np.array([(start + j * num // count) % num for j in range(count)], np.int32)

    def _float_step(self, rates: dict[str, float]) -> None:
        p = self.parameters
        values = unquantised(p)
        frames = self._frames()
        _, gradients = objective.error_and_gradients(values, p.trajectory, self.target, frames)
        # gradients are those of a step's frames, prices are paid once for all
        factor = self.target.num_frames / len(frames)
        cpu_step.charge_motion(
            values["residual"].numpy(), values["log_scale"].numpy(), FLOAT_RESIDUAL_STEP,
            self.settings.motion_price * self.settings.amplitude_price / factor, gradients["residual"].numpy(),
        )  # fmt: skip
        p.adam(_by_parameter(gradients, values), rates, factor)
        _confine(p)

    def train(self, rules: StepRules, geometry: Geometry, report: Report | None = None) -> Quantised:
        """Trains against the quantiser; returns the final quantised set (the parameters match it row by row)."""
        s, p = self.settings, self.parameters
        self._reassign()
        steps = round(self.effort * s.train_steps)
        for step in range(steps):
            q = self._quantise(rules, geometry)
            if step % s.prune_every == s.prune_every - 1 and step < 0.9 * steps:
                alive = q.levels.abs().sum(1) > 0
                if not bool(alive.all()):
                    p.keep(alive)
                    q = self._quantise(rules, geometry)
            if step % s.price_every == s.price_every - 1:
                self._measure_prices(q, rules, geometry)
            self._train_step(q, rules, s.train_rate * 0.5 * (1 + math.cos(math.pi * step / steps)))
            if report and step % 50 == 49:
                report((step + 1) / steps)
        q = self._quantise(rules, geometry)
        p.keep(q.levels.abs().sum(1) > 0)
        return self._quantise(rules, geometry)

    def _measure_prices(self, q: Quantised, rules: StepRules, geometry: Geometry) -> None:
        width, height = self.target.size
        symbols = pack(q, self.parameters.trajectory.numpy(), (0, 512, 512), width, height, geometry.cell_bits)
        self.prices = measure(symbols, SequenceState(rules), width, height, geometry.num_frames)

    def _reassign(self) -> None:
        p = self.parameters
        width, height = self.target.size
        v = unquantised(p)
        sigma = v["log_scale"].min(1)[0].exp().double().numpy()
        chosen, means, residual = trajectories.reassign(
            v["theta"].double().numpy(), self.target.basis, v["mean"].double().numpy(), v["residual"].double().numpy(),
            p.trajectory.numpy(), v["centre"].double().numpy(), 1 / v["inverse_duration"].double().numpy(),
            FLOAT_RESIDUAL_STEP * sigma, width, height,
        )  # fmt: skip
        p.trajectory = torch.from_numpy(chosen)
        p.values["mean"] = torch.from_numpy(means).float()
        p.values["residual"] = torch.from_numpy(residual).float()

    def _quantise(self, rules: StepRules, geometry: Geometry) -> Quantised:
        s = self.settings
        return quantise(self.parameters, rules, geometry, s.precision_bias, s.permanent_at)

    def _train_step(self, q: Quantised, rules: StepRules, rate: float) -> None:
        s, p = self.settings, self.parameters
        frames = self._frames()
        values = values_of(q)
        error, gradients = objective.error_and_gradients(values, p.trajectory, self.target, frames)
        width, height = self.target.size
        self.losses.append(error / (len(frames) * width * height))
        factor = self.target.num_frames / len(frames)
        price = s.lagrangian * rules.allowed_error / factor
        share = s.price_share * price
        prices = (
            s.amplitude_price * price, s.residual_price * price, self.prices.existence * share,
            self.prices.chroma * share, self.prices.residual * share,
        )  # fmt: skip
        cpu_step.charge_bits(
            q.levels.numpy(), q.ratio.numpy(), q.amplitude_step.numpy(), p.values["residual"].numpy(),
            q.residual_levels.numpy(), q.residual_step.numpy(), np.array(prices), gradients["amplitude"].numpy(),
            gradients["residual"].numpy(),
        )  # fmt: skip
        p.adam(_by_parameter(gradients, values), {name: value * rate for name, value in TRAIN_RATES.items()}, factor)
        _confine(p)


def values_of(q: Quantised) -> Values:
    """The fields of a quantised set that rendering needs."""
    names = ("mean", "residual", "log_scale", "angle", "amplitude", "centre", "inverse_duration", "theta")
    return {name: getattr(q, name) for name in names}


def _energy(residual: Float32) -> float:
    """Squared error weighted by channel."""
    sums = [float(np.vdot(c, c)) for c in (residual[:, k] for k in range(3))]
    return sums[0] + objective.CHROMA_WEIGHT * (sums[1] + sums[2])


def _by_parameter(gradients: Values, values: Values) -> Values:
    """Gradients of what is rendered, as those of what is trained."""
    amplitude = gradients.pop("amplitude")
    gradients["luma"], gradients["chroma"] = amplitude[:, :1].contiguous(), amplitude[:, 1:].contiguous()
    gradients["log_duration"] = -gradients.pop("inverse_duration") * values["inverse_duration"]
    return gradients


def _confine(p: Parameters) -> None:
    p.values["log_scale"].clamp_(MIN_LOG_SCALE, MAX_LOG_SCALE)
