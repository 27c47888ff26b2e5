"""BD-rate by Y-PSNR over a range of qualities, from the points of rate_distortion.py: nothing is encoded.

    python tests/bench/psnr_range.py [--low 26] [--high 34] [--results docs/results/VERSION]

The mean over all that both curves reach (bd_rate.tsv) depends on where curves end: a codec that reaches higher
qualities at the same crf is compared where it is weakest. A fixed range compares all clips and versions alike.
Writes psnr_26_34.tsv, a row a clip and anchor (anchors tuned for PSNR).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gvideo.evaluate import bd, tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=26.0, help="dB")
    parser.add_argument("--high", type=float, default=34.0, help="dB")
    parser.add_argument("--results", type=Path, default=Path("docs/results/0.1.0"))
    args = parser.parse_args()
    curves = tables.psnr_curves(args.results / "points.tsv")
    table: tables.Table = [("clip", "anchor", "bd_rate_percent", "overlap", "warning")]
    means: dict[str, list[float]] = {}
    for clip, (own, anchors) in curves.items():
        for anchor, curve in anchors.items():
            delta = bd.bd_rate(curve, own, within=(args.low, args.high))
            table.append((
                clip, anchor, tables.number(delta.value, 2, sign=True), tables.number(delta.overlap, 2), delta.warning
            ))  # fmt: skip
            if delta.value is not None:
                means.setdefault(anchor, []).append(delta.value)
    for anchor, values in means.items():
        mean = tables.number(sum(values) / len(values), 2, sign=True)
        table.append((f"mean of {len(values)} of {len(curves)}", anchor, mean, "", ""))
        print(f"{anchor}: {mean} %, worst {max(values):+.1f} %")
    tables.write_tsv(args.results / f"psnr_{args.low:g}_{args.high:g}.tsv", table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
