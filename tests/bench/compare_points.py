"""BD-rate of gvideo's curves against gvideo's own, between points of rate_distortion.py: presets, tunes, versions.

    python tests/bench/compare_points.py BASE.tsv OTHER.tsv [OTHER.tsv …] [--crf 32,36,40,44] --output OUT.tsv

A row for each clip, curve and metric, and the mean of the clips. Nothing is encoded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gvideo.evaluate import bd, tables
from gvideo.evaluate.metrics import METRICS

KEYS = ("y_psnr_db", "ssim", "vmaf", "vmaf_neg")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("others", type=Path, nargs="+")
    parser.add_argument("--crf", default="32,36,40,44")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    crfs = {float(crf) for crf in args.crf.split(",")}
    base, metrics = own_points(args.base, crfs), {m.key: m for m in METRICS}
    table: tables.Table = [("clip", "codec", "against", "metric", "bd_rate_percent", "overlap", "warning")]
    for path in args.others:
        other = own_points(path, crfs)
        means: dict[str, list[float]] = {}
        for clip in (c for c in other if c in base):
            for key in KEYS:
                curves = [
                    [(float(r["bytes"]), metrics[key].axis(float(r[key]))) for r in rows]
                    for rows in (base[clip], other[clip])
                ]
                delta = bd.bd_rate(*curves)
                names = other[clip][0]["codec"], base[clip][0]["codec"]
                table.append((
                    clip, *names, key, tables.number(delta.value, 2, sign=True), tables.number(delta.overlap, 2),
                    delta.warning,
                ))  # fmt: skip
                if delta.value is not None:
                    means.setdefault(key, []).append(delta.value)
        for key, values in means.items():
            mean = tables.number(sum(values) / len(values), 2, sign=True)
            table.append((f"mean of {len(values)}", *names, key, mean, "", ""))
            print("\t".join(table[-1]))
    tables.write_tsv(args.output, table)
    return 0


def own_points(path: Path, crfs: set[float]) -> dict[str, list[dict[str, str]]]:
    """Rows of gvideo by clip, of these crfs."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in tables.read_tsv(path):
        if row["codec"].startswith("gvideo") and float(row["quality"]) in crfs:
            found.setdefault(row["clip"], []).append(row)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
