"""Layered against simulcast on six traces and four rules, on a virtual clock: a table and a drawing.

    python tests/bench/layers.py docs/results/0.1.0

Both ladders offer the same four qualities, 300 to 2400 kbit/s in simulcast, segments of 2 s whose sizes vary, 300 s.
Layers cost 0, 10 or 20 % more above the base. Simulcast leaves buffered segments alone or fetches better ones anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from player.adaptation.abr import RULES
from player.adaptation.plan import Ladder
from player.adaptation.simulate import Simulation, SimulationOutcome
from player.adaptation.traces import TRACES

RATES = np.array([300e3, 600e3, 1200e3, 2400e3])
COUNT = 150
MEASURED = ("throughput", "ewma", "bola", "mpc")
KINDS = ("simulcast", "simulcast, replacing", "layered +0 %", "layered +10 %", "layered +20 %")
COLOURS = ("#777777", "#c08a3e", "#2d6cb5", "#5b97d6", "#a3c6ea")


@dataclass(frozen=True)
class Row:
    trace: str
    rule: str
    kind: str
    outcome: SimulationOutcome


def ladder(overhead: float, layered: bool) -> Ladder:
    """Sizes vary from segment to segment alike on all levels."""
    vary = np.exp(0.25 * np.random.default_rng(0).normal(size=(COUNT, 1)))
    rates = np.concatenate([RATES[:1], RATES[1:] * (1 + overhead)])
    bits = 2 * rates * vary / vary.mean()
    return Ladder(bits, np.full(COUNT, 2.0), np.log2(RATES / RATES[0]), layered)


def rows() -> Iterator[Row]:
    for name, trace in TRACES.items():
        for rule in MEASURED:
            for kind in KINDS:
                layered = kind.startswith("layered")
                overhead = float(kind.split("+")[1].split()[0]) / 100 if layered else 0.0
                run = Simulation(ladder(overhead, layered), trace, RULES[rule](), replace="replacing" in kind)
                yield Row(name, rule, kind, run.run())


def table(found: list[Row]) -> str:
    lines = [
        "trace\trule\tladder\tstartup_seconds\trebuffer_ratio\tstalls\tquality_log2\tswitches\tupgrades\tfetched_MB\twasted_MB"
    ]
    for r in found:
        o = r.outcome
        lines.append(
            f"{r.trace}\t{r.rule}\t{r.kind}\t{o.startup_seconds:.2f}\t{o.stall_ratio:.4f}\t{o.num_stalls}\t{o.quality:.3f}"
            f"\t{o.num_switches}\t{o.num_upgrades}\t{o.fetched_bits / 8e6:.1f}\t{o.wasted_bits / 8e6:.2f}"
        )
    return "\n".join(lines) + "\n"


def drawing(found: list[Row]) -> str:
    """Displayed quality and wasted bytes, means over the rules, as groups of bars."""
    panels = (
        ("displayed quality, doublings of the rate above the poorest", lambda o: o.quality, 3.0),
        ("rebuffer ratio, %", lambda o: 100 * o.stall_ratio, 6.0),
        ("bytes wasted, MB", lambda o: o.wasted_bits / 8e6, 12.0),
    )
    height = 190
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{40 + height * len(panels)}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for k, kind in enumerate(KINDS):
        out.append(f'<rect x="{30 + 145 * k}" y="10" width="10" height="10" fill="{COLOURS[k]}"/>')
        out.append(f'<text x="{44 + 145 * k}" y="19">{kind}</text>')
    for p, (title, value, top) in enumerate(panels):
        base = 30 + height * (p + 1) - 40
        out.append(f'<text x="30" y="{base - 130}">{title}</text>')
        out.append(f'<line x1="30" y1="{base}" x2="750" y2="{base}" stroke="black"/>')
        for t, trace in enumerate(TRACES):
            out.append(f'<text x="{35 + 120 * t}" y="{base + 16}">{trace}</text>')
            for k, kind in enumerate(KINDS):
                mean = np.mean([value(r.outcome) for r in found if (r.trace, r.kind) == (trace, kind)])
                size = 110 * min(mean / top, 1.0)
                x = 35 + 120 * t + 20 * k
                out.append(f'<rect x="{x}" y="{base - size:.1f}" width="17" height="{size:.1f}" fill="{COLOURS[k]}"/>')
                out.append(f'<text x="{x - 1}" y="{base - size - 3:.1f}" font-size="9">{mean:.1f}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    measured = list(rows())
    (folder / "layers.tsv").write_text(table(measured))
    (folder / "layers.svg").write_text(drawing(measured))
    for kind in KINDS:
        own = [r.outcome for r in measured if r.kind == kind]
        print(
            kind,
            *(
                f"{name} {np.mean([value(o) for o in own]):.3f}"
                for name, value in (
                    ("quality", lambda o: o.quality),
                    ("rebuffer", lambda o: o.stall_ratio),
                    ("wasted_MB", lambda o: o.wasted_bits / 8e6),
                    ("fetched_MB", lambda o: o.fetched_bits / 8e6),
                    ("switches", lambda o: o.num_switches),
                    ("upgrades", lambda o: o.num_upgrades),
                )
            ),
        )
