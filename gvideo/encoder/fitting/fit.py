"""Fitting one segment: grow in floats, then train against the quantiser with the bits on the bill (CODEC.md §7, §13).

grow:   rounds of (drop the weakest, propose where it hurts, Adam on everything), cosine in the last round
train:  loss = squared error + 4 D bits, every value quantised as it will be decoded, rates falling to zero;
        Gaussians whose amplitudes round to nothing leave, at prices that rise while there are many of them
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gvideo.encoder.backends.base import Target, open_backend
from gvideo.encoder.backends.steps import BitPrices, GrowthSteps, TrainingSteps, values_of
from gvideo.encoder.gaussians.pack import pack
from gvideo.encoder.gaussians.parameters import RATES, THETA_RATE, empty
from gvideo.encoder.gaussians.prices import SymbolPrices, measure
from gvideo.encoder.gaussians.quantised import Geometry, Quantised, lives, unquantised
from gvideo.encoder.motion import trajectories
from gvideo.encoder.motion.flow import Flow
from gvideo.encoder.motion.parents import choose_parents, difference_matrix
from gvideo.entropy.sequence import SequenceState
from gvideo.model.steps import StepRules
from gvideo.types import Float32, Float64, Int32


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Everything that decides how long and how a segment is fitted. most_effort: pictures below REFERENCE_PIXELS get up
    to so many times the steps. growth_rate, train_rate: factors on RATES and TRAIN_RATES; short fits need faster ones.
    growth_frames: growth looks at that many frames at most, and at more where there are more steps. residual_motion:
    whether Gaussians add motion of their own to their trajectory. least_strength: Gaussians of fewer amplitude steps
    leave while growing. trajectory_price: squared error charged for a bit of a trajectory, over that for a bit.
    first_price, price_ramp: bits cost that share of their price when training begins, all of it from that share of its
    steps on. fall: exponent of the cosine by which rates fall in training."""

    most_effort: float = 3.0
    first_density: float = 0.002
    least_growth: float = 0.3
    most_growth: float = 1.0
    max_rounds: int = 14
    growth_gain: float = 8.0
    growth_frames: int = 4096
    round_steps: int = 45
    last_round: float = 3.0
    growth_rate: float = 1.6
    least_strength: float = 0.4
    train_steps: int = 5000
    train_rate: float = 1.5
    residual_motion: bool = True
    fall: float = 1.5
    frames_per_step: int = 4
    first_life: float = 0.5
    later_life: float = 0.12
    motion_price: float = 0.1
    amplitude_price: float = 1.6
    residual_price: float = 1.6
    trajectory_price: float = 2.0
    price_share: float = 0.2
    price_every: int = 250
    first_price: float = 0.3
    price_ramp: float = 0.4
    lagrangian: float = 4.0
    precision_bias: float = 0.0
    permanent_at: float = 1.0
    prune_every: int = 25


#: Learning rates of quantised training over those of growth.
TRAIN_RATES = {
    "mean": 0.15, "residual": 0.1, "log_scale": 0.015, "angle": 0.015, "luma": 0.005, "chroma": 0.003,
    "centre": 0.1, "log_duration": 0.01, "theta": 0.01,
}  # fmt: skip
#: Steps of residual motion, in smaller sigmas, that its price is counted in while growing.
FLOAT_RESIDUAL_STEP = 0.35

#: Steps of a preset are those of this picture size.
REFERENCE_PIXELS = 352 * 288

Report = Callable[[float], None]


class SegmentFit:
    """The state of fitting one segment."""

    def __init__(
        self, target: Target, flow: Flow, theta: Float64, settings: FitSettings, seed: int, device: str = "cpu"
    ) -> None:
        """device: "cpu" or "cuda". Raises OptionError if that is not there."""
        self.target = target
        self.settings = settings
        self.backend = open_backend(device, target, flow)
        self.objective = self.backend.objective
        self.rng = np.random.default_rng(seed)
        width, height = target.size
        # small pictures cost little a step and deserve more of them
        self.effort = min(max(REFERENCE_PIXELS / (width * height), 1.0), settings.most_effort)
        self.prices = SymbolPrices()
        #: Squared error per pixel and frame of every step of training, over that step's frames.
        self.losses: list[float | Tensor] = []
        #: Whether trajectories are trained; the upper layers of a segment follow those of its base.
        self.train_trajectories = True
        #: Gaussians of the layers below, whose picture the frames are less.
        self.below = 0
        start = torch.from_numpy(theta.astype(np.float32)).to(self.objective.device)
        self.parameters = empty(target.num_control, start)
        #: Trajectories less what they are predicted from, f32 [M,M], and control points less those before, f32 [K,K].
        self.differences = torch.eye(len(theta), device=self.objective.device)
        in_time = np.eye(theta.shape[1], dtype=np.float32) - np.eye(theta.shape[1], k=-1, dtype=np.float32)
        self.in_time = torch.from_numpy(in_time).to(self.objective.device)

    def grow(self, rules: StepRules, report: Report | None = None) -> None:
        """Places Gaussians round by round where the residual is, fitting without quantisation, until two rounds
        running lower the squared error by less than `growth_gain` D for each Gaussian they add. The larger the last
        gain, the larger the next generation."""
        s, target = self.settings, self.target
        width, height = target.size
        total = math.inf
        number = max(8, round(s.first_density * width * height * math.sqrt(target.num_frames / 32)))
        poor = 0
        for index in range(s.max_rounds):
            life = target.num_frames * (s.first_life if index < 2 and not self.below else s.later_life)
            frames = _frames_of_round(target.num_frames, round(self.effort * s.growth_frames), index)
            residual = self.objective.residual(unquantised(self.parameters), self.parameters.trajectory, frames)
            error = self.objective.energy(residual) * target.num_frames / len(frames)
            gain = (total - error) / (max(number, 1) * s.growth_gain * rules.allowed_error) if index else math.inf
            poor = poor + 1 if gain < 1 else 0
            total = error
            if index:
                share = s.least_growth * math.sqrt(max(gain, 1.0))
                number = round(min(share, s.most_growth) * len(self.parameters))
                self._drop_weak(rules)
            last = index == s.max_rounds - 1 or (index > 3 and poor > 1)
            theta = self.parameters.values["theta"]
            generation = self.backend.propose(
                residual, number, self.below + len(self.parameters) + number, max(life, 0.5), theta, self.rng
            )
            self.parameters.append(generation.values, generation.trajectory)
            self._settle(generation.sigma, self.effort * s.round_steps * (s.last_round if last else 1), last)
            if report:
                report(1.0 if last else (index + 1) / s.max_rounds)
            if last:
                break

    def _drop_weak(self, rules: StepRules) -> None:
        """Drops what training would round to nothing at once: it costs time, and others cannot take its place."""
        v = self.parameters.values
        times = torch.from_numpy(self.target.times).to(self.objective.device)
        life = lives(v["centre"], (-v["log_duration"]).exp(), times)
        colour = v["luma"].square().sum(1) + (v["chroma"] * (16 / rules.chroma)).square().sum(1)
        step = 12 * rules.allowed_error / (math.pi * v["log_scale"].sum(1).exp() * life)
        self.parameters.keep(colour >= self.settings.least_strength**2 * step)

    def _settle(self, sigma: float, steps: float, last: bool) -> None:
        """Adam on everything after a generation of that sigma; in the last round the rates fall to zero."""
        wide = max(1.0, sigma / 6)
        self.objective.coarsen(0.0 if last else sigma)

        def rates_at(step: int) -> dict[str, float]:
            falling = 0.5 * (1 + math.cos(math.pi * step / steps)) if last else 1.0
            faster = falling * self.settings.growth_rate
            rates = {name: rate * faster for name, rate in RATES.items()}
            rates["mean"] *= wide
            rates["residual"] *= wide
            return rates | {"theta": THETA_RATE * falling * self.train_trajectories}

        self._run(int(steps), lambda window: self._growth_steps([rates_at(step) for step in window]))

    def _run(self, count: int, steps: Callable[[range], None]) -> None:
        """steps(window) for 0 … count-1, in windows after which the objective says whether its gradients were right;
        the others are put back and repeated (see Objective.attempt)."""
        size = self.objective.window
        for first in range(0, count, size):
            window = range(first, min(first + size, count))
            put_back = self._remember()
            while not self.objective.attempt(lambda window=window: steps(window)):  # type: ignore[misc]
                put_back()

    def _remember(self) -> Callable[[], None]:
        """What makes the state of the fit what it is now, any number of times."""
        parameters, prices, num_losses = self.parameters.copy(), self.prices, len(self.losses)
        chance = self.rng.bit_generator.state

        def put_back() -> None:
            self.parameters.restore(parameters)
            self.prices = prices
            del self.losses[num_losses:]
            self.rng.bit_generator.state = chance

        return put_back

    def _frames(self) -> Int32:
        """Frames of one step, evenly spread over the segment from a random start."""
        num = self.target.num_frames
        count = min(self.settings.frames_per_step, num)
        start = int(self.rng.integers(num))
        return np.array([(start + j * num // count) % num for j in range(count)], np.int32)

    def _growth_steps(self, rates: list[dict[str, float]]) -> None:
        """Steps without quantisation, at these rates of theirs."""
        s = self.settings
        frames = np.stack([self._frames() for _ in rates])
        # gradients are those of a step's frames, prices are paid once for all
        factor = self.target.num_frames / frames.shape[1]
        price = s.motion_price * s.amplitude_price / factor
        self.backend.run_steps(self.parameters, GrowthSteps(frames, rates, factor, FLOAT_RESIDUAL_STEP, price))

    def train(self, rules: StepRules, geometry: Geometry, report: Report | None = None) -> Quantised:
        """Trains against the quantiser; returns the final quantised set (the parameters match it row by row)."""
        s, p = self.settings, self.parameters
        self.objective.coarsen(0.0)
        self._reassign(rules)
        steps = round(self.effort * s.train_steps)

        def train(window: range) -> None:
            first = window.start
            while first < window.stop:
                self._between_steps(first, first < 0.9 * steps, rules, geometry)
                last = first + 1
                while last < window.stop and not any(self._due(last)):
                    last += 1
                ratio = [step / steps for step in range(first, last)]
                rates = [s.train_rate * (0.5 * (1 + math.cos(math.pi * x))) ** s.fall for x in ratio]
                weights = [min(1.0, s.first_price + (1 - s.first_price) * x / s.price_ramp) for x in ratio]
                self._training_steps(rules, geometry, rates, weights)
                if report and last // 50 > first // 50:
                    report(last / steps)
                first = last

        self._run(steps, train)
        q = self._quantise(rules, geometry)
        p.keep(q.levels.abs().sum(1) > 0)
        return self._quantise(rules, geometry).cpu()

    def loss_values(self) -> tuple[float, ...]:
        """The losses as numbers, fetched from the device at once."""
        if not self.losses:
            return ()
        return tuple(torch.stack([torch.as_tensor(loss, dtype=torch.float64) for loss in self.losses]).tolist())

    def left(self, q: Quantised) -> Float32:
        """Frames less picture f32 [T,3,H,W] of the final set, in the host's memory."""
        values = {name: value.to(self.objective.device) for name, value in values_of(q).items()}
        frames = np.arange(self.target.num_frames, dtype=np.int32)
        residual = self.objective.residual(values, self.parameters.trajectory, frames).values
        return residual.cpu().numpy() if isinstance(residual, Tensor) else residual

    def _measure_prices(self, q: Quantised, rules: StepRules, geometry: Geometry) -> None:
        width, height = self.target.size
        trajectory = self.parameters.trajectory.cpu().numpy()
        symbols = pack(q.cpu(), trajectory, (0, 512, 512), width, height, geometry.cell_bits)
        self.prices = measure(symbols, SequenceState(rules), width, height, geometry.num_frames)

    def _choose_parents(self, q: Quantised) -> None:
        """Which trajectory each one is charged its difference to, as they stand now."""
        control = q.control[1:].cpu().numpy()
        followed, parents = choose_parents(control.reshape(*control.shape[:2], 6))
        of_all = np.zeros(len(q.control), np.int64)
        of_all[followed + 1] = np.concatenate([[0], followed + 1])[parents]
        self.differences = torch.from_numpy(difference_matrix(of_all)).to(self.objective.device)

    def _reassign(self, rules: StepRules) -> None:
        p = self.parameters
        width, height = self.target.size
        device = self.objective.device
        v = {name: value.cpu() for name, value in unquantised(p).items()}
        sigma = v["log_scale"].min(1)[0].exp().double().numpy()
        chosen, means, residual = trajectories.reassign(
            v["theta"].double().numpy(), self.target.basis, self.target.refinement, v["mean"].double().numpy(),
            v["residual"].double().numpy(),
            p.trajectory.cpu().numpy(), v["centre"].double().numpy(), 1 / v["inverse_duration"].double().numpy(),
            FLOAT_RESIDUAL_STEP * sigma, width, height, 2.0**rules.trajectory,
        )  # fmt: skip
        p.trajectory = torch.from_numpy(chosen).to(device)
        p.values["mean"] = torch.from_numpy(means).float().to(device)
        p.values["residual"] = torch.from_numpy(residual).float().to(device)

    def _quantise(self, rules: StepRules, geometry: Geometry) -> Quantised:
        s = self.settings
        return self.backend.quantise(self.parameters, rules, geometry, s.precision_bias, s.permanent_at)

    def _due(self, step: int) -> tuple[bool, bool, bool]:
        """Whether it is time before a step of training for Gaussians to leave, for parents to be chosen, for prices to
        be measured."""
        prune_every, price_every = self.settings.prune_every, self.settings.price_every
        return (
            step % prune_every == prune_every - 1, step % price_every == 0, step % price_every == price_every - 1
        )  # fmt: skip

    def _between_steps(self, step: int, may_leave: bool, rules: StepRules, geometry: Geometry) -> None:
        """What is due before a step of training; Gaussians leave only if they may."""
        p = self.parameters
        prune, choose, measure = self._due(step)
        prune = prune and may_leave
        if not (prune or choose or measure):
            return
        q = self._quantise(rules, geometry)
        if prune and p.keep(q.levels.abs().sum(1) > 0):
            q = self._quantise(rules, geometry)
        if choose:
            self._choose_parents(q)
        if measure:
            self._measure_prices(q, rules, geometry)

    def _training_steps(
        self, rules: StepRules, geometry: Geometry, rates: list[float], price_shares: list[float]
    ) -> None:
        """Steps against the quantiser. rates: on TRAIN_RATES, by step. price_shares: shares of their price that bits
        cost."""
        s = self.settings
        frames = np.stack([self._frames() for _ in rates])
        factor = self.target.num_frames / frames.shape[1]
        prices: list[BitPrices] = []
        for price_share in price_shares:
            price = price_share * s.lagrangian * rules.allowed_error / factor
            share = s.price_share * price
            prices.append((
                s.amplitude_price * price, s.residual_price * price, self.prices.existence * share,
                self.prices.chroma * share, self.prices.residual * share,
                s.trajectory_price * price * self.train_trajectories,
            ))  # fmt: skip
        of_attributes = [{name: value * rate for name, value in TRAIN_RATES.items()} for rate in rates]
        for row in of_attributes:
            row["theta"] *= self.train_trajectories
        errors = self.backend.run_steps(
            self.parameters,
            TrainingSteps(
                frames, of_attributes, factor, prices, rules, geometry, s.precision_bias, s.permanent_at,
                self.differences, self.in_time,
            ),
        )  # fmt: skip
        width, height = self.target.size
        self.losses += [error / (frames.shape[1] * width * height) for error in errors]


def _frames_of_round(num_frames: int, most: int, index: int) -> Int32:
    """Numbers i32 [F] of at most so many frames, one in each of equal parts of a segment. Which ones differs from round
    to round of growth, since new Gaussians have the centres of their lives there."""
    count = min(num_frames, most)
    within = (0.5 + index * (math.sqrt(5) - 1) / 2) % 1
    return ((np.arange(count) + within) * num_frames / count).astype(np.int32)
