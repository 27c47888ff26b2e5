"""Rates of a network over time: six made ones, or a file of lines `seconds kbit/s`. At its end a trace begins anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gvideo.errors import MediaError, OptionError


@dataclass(frozen=True, slots=True)
class Trace:
    """Pieces (seconds, bits/s) that follow one another."""

    name: str
    pieces: tuple[tuple[float, float], ...]

    def finish(self, start: float, bits: float) -> float:
        """When a transfer of so many bits that starts at a time is over, seconds."""
        period = sum(seconds for seconds, _ in self.pieces)
        number, at = 0, start % period
        while at >= self.pieces[number][0]:
            at -= self.pieces[number][0]
            number = (number + 1) % len(self.pieces)
        now = start
        while True:
            seconds, bps = self.pieces[number]
            left = seconds - at
            if bps * left >= bits:
                return now + bits / bps
            bits -= bps * left
            now += left
            number, at = (number + 1) % len(self.pieces), 0.0


def _walk(seed: int, mean: float, spread: float, count: int = 150) -> tuple[tuple[float, float], ...]:
    """A rate that wanders: the logarithm is an autoregressive process, a new value every two seconds."""
    rng = np.random.default_rng(seed)
    value, pieces = 0.0, []
    for _ in range(count):
        value = 0.85 * value + spread * float(rng.normal())
        pieces.append((2.0, mean * math.exp(value)))
    return tuple(pieces)


TRACES = {
    "steady": Trace("steady", ((300.0, 1.5e6),)),
    "step-down": Trace("step-down", ((120.0, 3e6), (180.0, 0.6e6))),
    "step-up": Trace("step-up", ((120.0, 0.6e6), (180.0, 3e6))),
    "3g": Trace("3g", _walk(1, 0.8e6, 0.35)),
    "lte": Trace("lte", _walk(2, 3e6, 0.45)),
    "outage": Trace("outage", ((60.0, 2e6), (20.0, 0.02e6), (70.0, 2e6))),
}


def read_trace(name: str) -> Trace:
    """A made trace by name, or one of a file. Raises OptionError and MediaError."""
    if name in TRACES:
        return TRACES[name]
    if not Path(name).is_file():
        raise OptionError(f"--simulate {name}: {', '.join(TRACES)} or a file of lines `seconds kbit/s` wanted")
    pieces = []
    try:
        for number, line in enumerate(Path(name).read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                seconds, kbps = (float(x) for x in line.split())
            except ValueError:
                raise MediaError(f"{name}: line {number}: `seconds kbit/s` wanted") from None
            if not (0 < seconds < 1e6 and 0 <= kbps < 1e9):
                raise MediaError(f"{name}: line {number}: a duration above 0 and a rate of at least 0 wanted")
            pieces.append((seconds, 1000 * kbps))
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{name}: cannot be read ({error})") from error
    if not any(bps > 0 for _, bps in pieces):
        raise MediaError(f"{name}: no rate is above 0, nothing would ever arrive")
    return Trace(Path(name).stem, tuple(pieces))
