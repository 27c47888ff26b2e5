"""BD-rate by Y-PSNR over a range of qualities, from the points of rate_distortion.py: nothing is encoded.

    python tests/bench/psnr_range.py [--low 26] [--high 34] [--set real] [--results docs/results/VERSION] [--more DIR]

The mean over all that both curves reach (bd_rate.tsv) depends on where curves end: a codec that reaches higher
qualities at the same crf is compared where it is weakest. A fixed range compares all clips and versions alike. Where
the standing points do not reach it, --more names a folder with points at other crf (`rate_distortion.py --output`).
Writes psnr_26_34.tsv (of a set, psnr_26_34_real.tsv), a row a clip and anchor (anchors tuned for PSNR).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gvideo.evaluate import bd, tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=26.0, help="dB")
    parser.add_argument("--high", type=float, default=34.0, help="dB")
    parser.add_argument("--set", default="", help="which points: real for points_real.tsv; without it points.tsv")
    parser.add_argument("--results", type=Path, default=Path("docs/results/0.1.0"))
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="folders with points at other qualities")
    args = parser.parse_args()
    of_set = f"_{args.set}" if args.set else ""
    curves = tables.psnr_curves(*(folder / f"points{of_set}.tsv" for folder in (args.results, *args.more)))
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
    tables.write_tsv(args.results / f"psnr_{args.low:g}_{args.high:g}{of_set}.tsv", table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
