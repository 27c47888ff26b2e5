"""Rules that choose the level of the next segment: rates and buffer in, a level out. Nothing is fetched here.

| rule | source |
|---|---|
| throughput | 0.9 of the harmonic mean of the last five rates |
| ewma | as hls.js: the lesser of two moving averages (half-lives 3 s and 9 s of transfer), 0.95 of it, 0.7 to go up |
| bola | BOLA-E: Spiteri et al., From Theory to Practice, MMSys 2018 (BOLA with a placeholder buffer, insufficient-buffer rule) |
| bola-basic | BOLA-BASIC: Spiteri et al., BOLA, INFOCOM 2016, as published: the buffer alone decides |
| mpc | RobustMPC: Yin et al., A Control-Theoretic Approach, SIGCOMM 2015 (five segments ahead, the rate's error as a margin) |

`bola-basic` and `mpc` are in the browser too (player/web/playback/abr.js), with the same constants.
"""  # noqa: E501 (a table)

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

import numpy as np

from gvideo.types import Float64

_DEFAULT_BPS = 500e3
_MEMORY = 5
#: γp of BOLA, as published.
_BOLA_GAMMA_P = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """What a rule knows.

    rates_bps f64 [L]: mean rate of every level, rising. next_bits f64 [≤5,L]: of the next segments. segment_seconds: of
    the next one. buffer_seconds, target_seconds: what is there and what is wanted. level: of the last segment.
    """

    rates_bps: Float64
    next_bits: Float64
    segment_seconds: float
    buffer_seconds: float
    target_seconds: float
    level: int


class Rule(ABC):
    """Chooses levels; told of every transfer."""

    def __init__(self) -> None:
        self._rates: deque[float] = deque(maxlen=_MEMORY)

    def transferred(self, bits: float, seconds: float) -> None:
        """A transfer is over."""
        self._rates.append(bits / max(seconds, 1e-3))

    def estimate_bps(self) -> float:
        """The harmonic mean of the last rates."""
        return len(self._rates) / sum(1 / r for r in self._rates) if self._rates else _DEFAULT_BPS

    @abstractmethod
    def choose(self, state: State) -> int:
        """The level of the next segment."""


def highest(rates: Float64, bps: float) -> int:
    """The highest level whose rate is at most bps, or 0."""
    return max(int(np.searchsorted(rates, bps, side="right")) - 1, 0)


class Throughput(Rule):
    """A share of the mean rate."""

    def choose(self, state: State) -> int:
        return highest(state.rates_bps, 0.9 * self.estimate_bps())


class Ewma(Rule):
    """Two moving averages, weighted by the time of the transfer."""

    def __init__(self) -> None:
        super().__init__()
        self._averages = [(3.0, 0.0, 0.0), (9.0, 0.0, 0.0)]  # half-life s, mean, weight

    def transferred(self, bits: float, seconds: float) -> None:
        rate = bits / max(seconds, 1e-3)
        averages = []
        for half, mean, weight in self._averages:
            keep = 0.5 ** (seconds / half)
            averages.append((half, keep * mean + (1 - keep) * rate, keep * weight + (1 - keep)))
        self._averages = averages

    def estimate_bps(self) -> float:
        known = [mean / weight for _, mean, weight in self._averages if weight > 0]
        return min(known, default=_DEFAULT_BPS)

    def choose(self, state: State) -> int:
        bps = self.estimate_bps()
        level = highest(state.rates_bps, 0.95 * bps)
        return level if level <= state.level else max(highest(state.rates_bps, 0.7 * bps), state.level)


class BolaE(Rule):
    """Buffer and utility; a placeholder makes up for a buffer that is smaller than the rate deserves.

    Simpler than the original: the placeholder follows the estimated rate and has no memory.
    """

    _MIN_BUFFER, _PER_LEVEL = 10.0, 2.0

    def choose(self, state: State) -> int:
        rates = state.rates_bps
        utility = np.log(rates / rates[0]) + 1
        span = max(state.target_seconds, self._MIN_BUFFER + self._PER_LEVEL * len(rates))
        gain = (utility[-1] - 1) / (span / self._MIN_BUFFER - 1) if len(rates) > 1 else 1.0
        weight = self._MIN_BUFFER / gain
        safe = highest(rates, 0.9 * self.estimate_bps())
        # the buffer at which BOLA would choose what the rate allows
        wanted = weight * (utility[safe] + gain - 1) * 0.5 if safe else 0.0
        placeholder = max(wanted - state.buffer_seconds, 0.0)
        score = (weight * (utility + gain - 1) - state.buffer_seconds - placeholder) / rates
        level = int(np.argmax(score))
        if level > state.level and level > safe:
            level = max(state.level, safe)
        # insufficient buffer: what comes in while the buffer lasts
        room = 0.7 * self.estimate_bps() * state.buffer_seconds / state.segment_seconds
        return min(level, highest(rates, max(room, float(rates[0]))))


class BolaBasic(Rule):
    """The level m with the largest (V (v_m + γp) - Q) / S_m, Q segments in the buffer; V such that the best level is
    chosen where all but one of the segments that the buffer holds are there."""

    def choose(self, state: State) -> int:
        rates = state.rates_bps
        utility = np.log(rates / rates[0])
        most = max(state.target_seconds / state.segment_seconds, 2.0)
        weight = (most - 1) / (utility[-1] + _BOLA_GAMMA_P)
        filled = state.buffer_seconds / state.segment_seconds
        return int(np.argmax((weight * (utility + _BOLA_GAMMA_P) - filled) / rates))


class RobustMpc(Rule):
    """The best plan for the next segments at the rate that is to be expected at worst."""

    _HORIZON, _STALL, _SWITCH = 5, 4.3, 1.0

    def __init__(self) -> None:
        super().__init__()
        self._errors: deque[float] = deque(maxlen=_MEMORY)
        self._predicted = 0.0

    def transferred(self, bits: float, seconds: float) -> None:
        rate = bits / max(seconds, 1e-3)
        if self._predicted:
            self._errors.append(abs(self._predicted - rate) / rate)
        super().transferred(bits, seconds)

    def choose(self, state: State) -> int:
        self._predicted = self.estimate_bps()
        bps = self._predicted / (1 + max(self._errors, default=0.0))
        steps, levels = min(self._HORIZON, len(state.next_bits)), len(state.rates_bps)
        plans = np.array(list(itertools.product(range(levels), repeat=steps)))
        quality = np.log2(state.rates_bps / state.rates_bps[0])
        buffer, gain = np.full(len(plans), state.buffer_seconds), np.zeros(len(plans))
        before = np.full(len(plans), max(state.level, 0))
        for k in range(steps):
            seconds = state.next_bits[k][plans[:, k]] / bps
            stall = np.maximum(seconds - buffer, 0)
            buffer = np.minimum(np.maximum(buffer - seconds, 0) + state.segment_seconds, state.target_seconds)
            change = np.abs(quality[plans[:, k]] - quality[before])
            gain += quality[plans[:, k]] - self._STALL * stall - self._SWITCH * change
            before = plans[:, k]
        return int(plans[int(np.argmax(gain)), 0])


class Highest(Rule):
    """The best level, whatever comes in: for files, and for who would rather wait."""

    def choose(self, state: State) -> int:
        return len(state.rates_bps) - 1


RULES: dict[str, type[Rule]] = {
    "throughput": Throughput,
    "ewma": Ewma,
    "bola": BolaE,
    "bola-basic": BolaBasic,
    "mpc": RobustMpc,
}
