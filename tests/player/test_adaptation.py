"""BOLA-BASIC and RobustMPC on made networks: no standing still where the network never demands it, and a quality near
the best that it carries."""

from __future__ import annotations

import math

import numpy as np
import pytest

from player.adaptation.abr import RULES, BolaBasic, Highest, Rule, State
from player.adaptation.plan import Ladder
from player.adaptation.simulate import Simulation, SimulationOutcome
from player.adaptation.traces import Trace

RATES = np.array([300e3, 600e3, 1200e3, 2400e3])
SECONDS = 300.0


def random_trace(seed: int) -> Trace:
    """Rates of 0.5 to 4 Mbit/s, each for 1 to 6 s."""
    rng = np.random.default_rng(seed)
    lengths, rates = rng.uniform(1, 6, 100), np.exp(rng.uniform(math.log(0.5e6), math.log(4e6), 100))
    return Trace(f"random {seed}", tuple(zip(lengths.tolist(), rates.tolist(), strict=True)))


TRACES = {
    "steady": Trace("steady", ((SECONDS, 1.5e6),)),
    "step": Trace("step", ((100.0, 3e6), (200.0, 0.7e6))),
    "sawtooth": Trace("sawtooth", tuple((5.0, bps) for bps in (0.5e6, 1e6, 1.5e6, 2e6, 2.5e6, 3e6))),
    "random": random_trace(11),
}
#: Doublings of the poorest rate that the mean rate of each network carries, less what a rule may miss.
WANTED = {"steady": 1.9, "step": 1.6, "sawtooth": 2.0, "random": 2.0}


#: Seconds that a rule may stand still: a rate may fall to an eighth while a segment comes, which nobody can foresee.
ALLOWED = {"steady": 0.0, "step": 0.0, "sawtooth": 0.0, "random": 1.0}


class Lowest(Highest):
    """The poorest level, whatever comes in."""

    def choose(self, state: State) -> int:
        return 0


def play(rule: Rule, trace: Trace) -> SimulationOutcome:
    """What comes of a rule on a network."""
    count = round(SECONDS / 2)
    ladder = Ladder(np.tile(2 * RATES, (count, 1)), np.full(count, 2.0), np.log2(RATES / RATES[0]), False)
    return Simulation(ladder, trace, rule).run()


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("name", ["bola-basic", "mpc"])
def test_rebuffering_and_quality(name: str, trace: str) -> None:
    out = play(RULES[name](), TRACES[trace])
    assert out.stall_seconds <= ALLOWED[trace]
    assert out.quality >= WANTED[trace]
    assert out.startup_seconds < 2


@pytest.mark.parametrize("trace", TRACES)
def test_the_bounds_tell_good_rules_from_bad_ones(trace: str) -> None:
    """Always the best level stands still, always the poorest misses the quality."""
    assert play(Highest(), TRACES[trace]).stall_seconds > 10
    assert play(Lowest(), TRACES[trace]).quality < WANTED[trace]


def test_bola_reckoned_by_hand() -> None:
    """Two rates, 1 to e: utilities 0 and 1; ten segments fit, so V = 9 / 6. The scores are equal where 7.5 - Q is
    (9 - Q) / e, at Q = (7.5 - 9 / e) / (1 - 1 / e) = 6.627."""
    rates = np.array([1e6, math.e * 1e6])
    for filled, level in ((6.6, 0), (6.65, 1), (10.0, 1), (0.0, 0)):
        state = State(rates, np.tile(2 * rates, (5, 1)), 2.0, 2 * filled, 20.0, 0)
        assert BolaBasic().choose(state) == level


def test_mpc_plans_for_the_worst_error_so_far() -> None:
    """Steady rates are trusted; after a rate that came as a quarter of what was expected it asks for less."""
    state = State(RATES, np.tile(2 * RATES, (5, 1)), 2.0, 6.0, 20.0, 3)
    chosen = []
    for last in (2.6e6, 0.65e6):
        rule = RULES["mpc"]()
        for rate in (2.6e6, 2.6e6, 2.6e6, last):
            rule.choose(state)
            rule.transferred(2 * rate, 2.0)
        chosen.append(rule.choose(state))
    assert chosen[0] == 3
    assert chosen[1] < 2
