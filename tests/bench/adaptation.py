"""Rules of adaptation on made networks, on a virtual clock: startup, standing still, quality, changes.

    python tests/bench/adaptation.py [--out docs/results/0.1.0/adaptation.tsv]

The networks of tests/player/test_adaptation.py and random ones of three seeds more; 300 s in segments of 2 s at 300,
600, 1200 and 2400 kbit/s, not layered, a buffer of 20 s. Quality counts doublings of the poorest rate. The same numbers
come out of every run. `lowest` and `best` are no rules: they take no notice of the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "player"))

from serving import write_rows
from test_adaptation import TRACES, Lowest, play, random_trace

from player.adaptation.abr import RULES, Highest

COLUMNS = "trace\trule\tstartup_seconds\tstall_seconds\tstalls\tquality_log2\tswitches"


def main() -> int:
    """Plays every rule over every network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where the table goes (standard output without)")
    arguments = parser.parse_args()
    rows = [COLUMNS]
    for name, trace in (TRACES | {f"random {seed}": random_trace(seed) for seed in (12, 13, 14)}).items():
        for rule, kind in {"lowest": Lowest, **RULES, "best": Highest}.items():
            out = play(kind(), trace)
            values = f"{out.startup_seconds:.2f}\t{out.stall_seconds:.2f}\t{out.num_stalls}\t{out.quality:.3f}"
            rows.append(f"{name}\t{rule}\t{values}\t{out.num_switches}")
    write_rows(rows, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
