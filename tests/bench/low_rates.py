"""VMAF and SSIM below 0.1 bit a pixel against x264 at equal bytes, from the points of rate_distortion.py.

    python tests/bench/low_rates.py [--limit 0.1] [--results docs/results/VERSION] [--points points.tsv]

Both curves straight in the logarithm of the rate, at eleven rates from the lowest that both reach up to the limit (or
the highest that both reach). A row a clip and metric in low_rates.tsv: the mean of the differences, the smallest one
and its rate. x264 medium with its default tune, which is made for the eye.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from gvideo.evaluate import tables

ANCHOR = "x264 medium, default tune"
METRICS = ("vmaf", "vmaf_neg", "ssim")
NUM_RATES = 11


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=0.1, help="bits a pixel")
    parser.add_argument("--results", type=Path, default=Path("docs/results/0.1.0"))
    parser.add_argument("--points", default="points.tsv")
    args = parser.parse_args()
    rows = tables.read_tsv(args.results / args.points)
    table: tables.Table = [("clip", "metric", "lowest_bpp", "highest_bpp", "mean", "smallest", "at_bpp")]
    for clip in dict.fromkeys(row["clip"] for row in rows):
        for metric in METRICS:
            curves = [
                sorted((math.log(float(r["bits_per_pixel"])), float(r[metric])) for r in rows if chosen(r, clip, own))
                for own in (True, False)
            ]
            low = max(curve[0][0] for curve in curves)
            high = min(math.log(args.limit), *(curve[-1][0] for curve in curves))
            if high <= low:
                table.append((clip, metric, "", "", "", "", ""))
                continue
            rates = np.linspace(low, high, NUM_RATES)
            ours, theirs = (np.interp(rates, *zip(*curve, strict=True)) for curve in curves)
            ahead = ours - theirs
            worst = int(ahead.argmin())
            digits = 4 if metric == "ssim" else 2
            table.append((
                clip, metric, f"{math.exp(low):.3f}", f"{math.exp(high):.3f}",
                tables.number(float(ahead.mean()), digits, sign=True),
                tables.number(float(ahead[worst]), digits, sign=True), f"{math.exp(rates[worst]):.3f}",
            ))  # fmt: skip
    tables.write_tsv(args.results / "low_rates.tsv", table)
    print("\n".join("\t".join(row) for row in table))
    return 0


def chosen(row: dict[str, str], clip: str, own: bool) -> bool:
    return row["clip"] == clip and (row["codec"].startswith("gvideo") if own else row["codec"] == ANCHOR)


if __name__ == "__main__":
    raise SystemExit(main())
