"""Rules and the virtual clock: examples that can be reckoned by hand, and sums that hold for every rule and trace."""

from __future__ import annotations

import numpy as np
import pytest
from faults import serving

from gvideo.cli import main
from player.adaptation.abr import RULES, State
from player.adaptation.ladder import read_ladder
from player.adaptation.plan import LATENCY_SECONDS, Ladder
from player.adaptation.simulate import Simulation
from player.adaptation.traces import TRACES, Trace
from player.source.fetch import Fetcher

RATES = np.array([300e3, 600e3, 1200e3, 2400e3])


def ladder(*, layered: bool = True, count: int = 60) -> Ladder:
    vary = np.exp(0.25 * np.random.default_rng(0).normal(size=(count, 1)))
    return Ladder(2 * RATES * vary, np.full(count, 2.0), np.arange(4.0), layered)


def state(buffer: float, level: int = 0) -> State:
    return State(RATES, np.tile(2 * RATES, (5, 1)), 2.0, buffer, 20.0, level)


def test_transfers_take_what_the_trace_gives():
    trace = Trace("t", ((2.0, 1000.0), (1.0, 0.0), (1.0, 4000.0)))
    assert trace.finish(0.0, 500) == 0.5
    assert trace.finish(1.0, 1000) == 2.0
    assert trace.finish(1.0, 3000) == pytest.approx(3.5)
    assert trace.finish(7.5, 2000 + 6000 + 1) == pytest.approx(12.0 + 0.001)  # the second round, and the third


def test_one_rung_reckoned_by_hand():
    """Segments of 2 s and 1 Mbit at 400 kbit/s take 2.55 s each: every one but the first comes 0.55 s too late."""
    out = Simulation(
        Ladder(np.full((4, 1), 1e6), np.full(4, 2.0), np.zeros(1), False), Trace("t", ((9.0, 4e5),)), RULES["ewma"]()
    ).run()
    transfer = 2.5 + LATENCY_SECONDS
    assert out.startup_seconds == pytest.approx(transfer)
    assert out.stall_seconds == pytest.approx(3 * (transfer - 2))
    assert (out.num_stalls, out.num_upgrades, out.num_switches, out.wasted_bits) == (3, 0, 0, 0.0)
    assert out.fetched_bits == 4e6
    assert out.shown == [0] * 4
    assert out.total_seconds == pytest.approx(transfer * 4 + 2)


@pytest.mark.parametrize("kind", ["simulcast", "replace", "layered"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("trace", TRACES)
def test_sums(trace, rule, kind):
    """Time is startup, media and stalls; bits are what was shown and what was wasted."""
    rungs = ladder(layered=kind == "layered")
    out = Simulation(rungs, TRACES[trace], RULES[rule](), replace=kind == "replace").run()
    assert len(out.shown) == 60
    assert out.total_seconds == pytest.approx(out.startup_seconds + 120 + out.stall_seconds)
    shown = sum(rungs.bits[n, level] for n, level in enumerate(out.shown))
    assert out.fetched_bits == pytest.approx(shown + out.wasted_bits)
    if kind == "simulcast":
        assert out.num_upgrades == 0
        assert out.wasted_bits == 0
    if trace == "steady":
        assert out.stall_ratio < 0.01


@pytest.mark.parametrize("trace", ["steady", "3g", "lte"])
@pytest.mark.parametrize("rule", ["throughput", "ewma"])
def test_layers_show_more_and_waste_less(trace, rule):
    def run(**kind: bool) -> tuple[float, float]:
        out = Simulation(
            ladder(layered=kind.get("layered", False)),
            TRACES[trace],
            RULES[rule](),
            replace=kind.get("replace", False),
        )
        found = out.run()
        return found.quality, found.wasted_bits

    layered, replaced, plain = run(layered=True), run(replace=True), run()
    assert layered[0] > plain[0]
    assert layered[1] < 0.1 * replaced[1]


@pytest.mark.parametrize("rule", RULES)
def test_rules_follow_the_rate(rule):
    """A network of four times the best rate leads to the best level, one below the poorest to the poorest."""
    for bps, buffer, level in ((10e6, 15.0, 3), (200e3, 2.0, 0)):
        chosen = RULES[rule]()
        for _ in range(20):
            chosen.transferred(2 * bps, 2.0)
        assert chosen.choose(state(buffer, level=level)) == level, bps


def test_hls_like_rule_is_slow_to_climb():
    rule = RULES["ewma"]()
    for _ in range(20):
        rule.transferred(2 * 1.5e6, 2.0)
    assert rule.choose(state(10.0, level=0)) == 1  # 0.7 of 1.5 Mbit/s
    assert rule.choose(state(10.0, level=2)) == 2  # 0.95 of it


def test_bola_does_not_drain_a_small_buffer():
    rule = RULES["bola"]()
    for _ in range(5):
        rule.transferred(2 * 3e6, 2.0)
    assert rule.choose(state(0.5, level=3)) == 0  # 0.7 × 3 Mbit/s × 0.5 s are 525 kbit/s of 2 s
    assert rule.choose(state(18.0, level=3)) == 3


@pytest.mark.parametrize("kind", ["folder", "single"])
def test_ladders_of_published_streams(kind, request):
    folder = request.getfixturevalue(kind)
    found = read_ladder(str(folder), Fetcher())
    assert found.layered
    assert found.bits.shape == (5, 3)
    assert (np.diff(found.bits) > 0).all()
    np.testing.assert_allclose(found.seconds, 7007 / 24000, atol=1e-6)
    with serving(folder) as served:
        again = read_ladder(f"{served.url}/manifest.mpd", Fetcher())
    np.testing.assert_array_equal(again.bits, found.bits)
    rungs = read_ladder(str(folder / "v1.m3u8"), Fetcher())
    assert (rungs.layered, rungs.bits.shape) == (False, (5, 1))


def test_the_command(folder, tmp_path, capsys):
    trace = tmp_path / "slow.txt"
    trace.write_text("# seconds kbit/s\n1 20\n2 60.5\n")
    assert main(["play", str(folder), "--simulate", str(trace), "--rule", "mpc"]) == 0
    rows = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert rows["layers"] == "3"
    assert rows["trace"] == "slow"
    assert float(rows["startup_seconds"]) > 0.05
    assert int(rows["fetched_bytes"]) > 1000


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--simulate", "none"], "steady, step-down"),
        (["--simulate", "steady", "--rule", "best"], "throughput, ewma"),
        (["--simulate", "steady", "--buffer", "0"], "from 1 to 3600"),
        (["--simulate", "steady", "--layers", "9"], "has 3 levels"),
        (["--simulate", "TRACE"], "line 2"),
    ],
)
def test_bad_options(options, reason, folder, tmp_path, capsys):
    (tmp_path / "trace").write_text("1 2\n1 x\n")
    options = [str(tmp_path / "trace") if o == "TRACE" else o for o in options]
    assert main(["play", str(folder), *options]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert len(err.splitlines()) == 1
