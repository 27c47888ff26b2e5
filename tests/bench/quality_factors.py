"""gvideo's bytes over those of other codecs at equal Y-PSNR, quality by quality; from points, nothing is encoded.

    python tests/bench/quality_factors.py docs/results/VERSION/points_real.tsv [MORE_POINTS] [--psnr 28,31,34,37,40]

A mean over a curve hides where it crosses another. Writes factors*.tsv beside the first points: a row a clip, codec and
quality, the worst first; a quality that a curve does not reach is left out. Rates between points are interpolated in
their logarithm (PCHIP), anchors are those tuned for PSNR.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from gvideo.evaluate import bd, tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path, nargs="+", help="others: the same clips at other qualities")
    parser.add_argument("--psnr", default="28,31,34,37,40", help="dB")
    args = parser.parse_args()
    rows = []
    for clip, (own, anchors) in tables.psnr_curves(*args.points).items():
        for codec, curve in anchors.items():
            for psnr in map(float, args.psnr.split(",")):
                ours, theirs = bd.rate_at(own, psnr), bd.rate_at(curve, psnr)
                if ours is not None and theirs is not None:
                    rows.append((ours / theirs, clip, codec, psnr))
    table: tables.Table = [("factor", "clip", "anchor", "y_psnr_db")]
    table += [(f"{factor:.3f}", clip, codec, f"{psnr:g}") for factor, clip, codec, psnr in sorted(rows, reverse=True)]
    name = args.points[0].name.replace("points", "factors")
    tables.write_tsv(args.points[0].with_name(name), table)
    for codec in dict.fromkeys(codec for _, _, codec, _ in rows):
        for psnr in map(float, args.psnr.split(",")):
            found = [factor for factor, _, c, q in rows if (c, q) == (codec, psnr)]
            if found:
                mean = math.exp(sum(map(math.log, found)) / len(found))
                spread = f"{min(found):.2f} to {max(found):.2f}, {len(found)} clips"
                print(f"{codec} at {psnr:g} dB: {mean:.2f} of its bytes, {spread}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
