"""The standing benchmarks: rate and distortion of clips, and of Kodak's pictures, against the anchors.

    GVIDEO_CLIPS=… python tests/bench/rate_distortion.py [--clips carphone,foreman] [--crf 28,36,44] [--report DIR]
    GVIDEO_CLIPS=… python tests/bench/rate_distortion.py --set real [--crf 18,24,30,36,42]
    GVIDEO_KODAK=… python tests/bench/rate_distortion.py --images [--pictures 4]

The sets: "small", eight clips of up to 384x288, 64 frames; "real", eight of 640x360 (or as many pixels in their own
shape), 48 frames; "hd", three of 1280x720, 48 frames. Writes docs/results/VERSION/points.tsv and bd_rate.tsv, with the
set's name behind for others than the small one (images.tsv and images_bd_rate.tsv). Everything is cached: an
interrupted or extended run does only what is new. Segments of 2 s, whole files as bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from gvideo.errors import GVideoError
from gvideo.evaluate import tables
from gvideo.evaluate.anchors import parse_anchors
from gvideo.evaluate.cache import default_root
from gvideo.evaluate.compare import DEFAULT_CRFS, EvalSettings, Evaluation, evaluate
from gvideo.evaluate.images import IMAGE_METRICS, compare_images, image_codecs, image_point
from gvideo.evaluate.report import write_report

Clips = dict[str, tuple[str, tuple[int, int]]]
CLIPS: Clips = {
    "carphone": ("carphone_qcif.mp4", (176, 144)),
    "foreman": ("foreman_cif_300.mp4", (352, 288)),
    "bikes": ("bikes_272p25.mp4", (320, 136)),
    "bunny": ("bunny_720p25.mp4", (320, 180)),
    "city": ("city_405p25.mpg", (360, 202)),
    "vtest": ("vtest_576p10_long.avi", (384, 288)),
    "selfie": ("selfie_1280p30.mp4", (180, 320)),
    "cups": ("cups_720p2997.mp4", (320, 180)),
}
REAL: Clips = {
    "bunny": ("bunny_720p25.mp4", (640, 360)),
    "cups": ("cups_720p2997.mp4", (640, 360)),
    "bbb": ("bbb_540p60.mp4", (640, 360)),
    "friday": ("friday_480p30.mp4", (480, 360)),
    "road": ("road_540p25.mp4", (640, 360)),
    "juggle": ("juggle_720p24.mp4", (640, 360)),
    "selfie": ("selfie_1280p30.mp4", (360, 640)),
    "tennis": ("davis_tennis_480p24.mkv", (640, 360)),
}
HD: Clips = {
    "bunny": ("bunny_720p25.mp4", (1280, 720)),
    "cups": ("cups_720p2997.mp4", (1280, 720)),
    "street": ("street_1080p30.mp4", (1280, 720)),
}
#: name -> (clips, frames, end of the files' names)
SETS: dict[str, tuple[Clips, int, str]] = {
    "small": (CLIPS, 64, ""), "real": (REAL, 48, "_real"), "hd": (HD, 48, "_hd"),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="small", choices=SETS, help="which clips, at which size")
    parser.add_argument("--clips", help="some of the set's")
    parser.add_argument("--crf", default=",".join(f"{c:g}" for c in DEFAULT_CRFS))
    parser.add_argument("--anchors", default="x264,x265,x265-veryslow,svtav1")
    parser.add_argument("--frames", type=int, help="default: the set's")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--tune", default="psnr", help="the measure that gvideo serves")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--images", action="store_true", help="Kodak's pictures instead of clips")
    parser.add_argument("--pictures", type=int, default=24, help="how many of them")
    parser.add_argument("--output", type=Path, default=Path("docs/results/0.1.0"))
    parser.add_argument("--report", type=Path, help="write the HTML report there")
    args = parser.parse_args()
    try:
        return run_images(args) if args.images else run_clips(args)
    except GVideoError as error:
        print(error, file=sys.stderr)
        return 2


def folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value or not Path(value).is_dir():
        raise GVideoError(f"{variable} must name the folder of the benchmark's files")
    return Path(value)


def run_clips(args: argparse.Namespace) -> int:
    root, clips = default_root(), folder("GVIDEO_CLIPS")
    known, num_frames, end = SETS[args.set]
    end += f"_{args.preset}" * (args.preset != "medium")
    settings = EvalSettings(
        crfs=tuple(float(c) for c in args.crf.split(",")), anchors=parse_anchors(args.anchors),
        frames=(0, (args.frames or num_frames) - 1), preset=args.preset, threads=args.threads, tune=args.tune,
    )  # fmt: skip
    parts: list[Evaluation] = []
    last = 0.0
    for name in (args.clips or ",".join(known)).split(","):
        if name not in known:
            raise GVideoError(f"--clips {name}: of {', '.join(known)} wanted")
        file, size = known[name]

        def tell(what: str, share: float) -> None:
            nonlocal last
            if time.monotonic() - last > 10:
                last = time.monotonic()
                print(f"{100 * share:3.0f} %  {what}", file=sys.stderr, flush=True)

        parts.append(evaluate([clips / file], replace(settings, size=size), root, tell))
    evaluation = replace(
        parts[0],
        references=tuple(r for p in parts for r in p.references), points=tuple(x for p in parts for x in p.points),
        rows=tuple(r for p in parts for r in p.rows),
        problems=tuple(dict.fromkeys(x for p in parts for x in p.problems)),
    )  # fmt: skip
    for problem in evaluation.problems:
        print(problem, file=sys.stderr)
    if not evaluation.points:
        return 2
    tables.write_tsv(args.output / f"points{end}.tsv", tables.points_table(evaluation))
    tables.write_tsv(args.output / f"bd_rate{end}.tsv", tables.bd_table(evaluation.rows))
    if args.report:
        write_report(evaluation, args.report, root)
    for (anchor, tune, metric), (mean, used, total) in tables.mean_rates(evaluation.rows).items():
        print(f"{anchor}\t{tune}\t{metric}\t{tables.number(mean, 1, sign=True)} %\t{used} of {total} clips")
    return 0


def run_images(args: argparse.Namespace) -> int:
    root, pictures = default_root(), sorted(folder("GVIDEO_KODAK").glob("*.png"))[: args.pictures]
    crfs = tuple(float(c) for c in args.crf.split(","))
    points = []
    codecs = image_codecs(args.preset, crfs)
    for picture in pictures:
        points += [image_point(picture, codec, q, root) for codec in codecs for q in codec.qualities]
        print(f"{picture.name}: {len(codecs)} codecs", file=sys.stderr, flush=True)
    head = ("image", "codec", "quality", "bytes", "bits_per_pixel", *IMAGE_METRICS, "encode_s")
    rows = [
        (
            p.image, p.codec, f"{p.quality:g}", str(p.num_bytes), f"{p.bits_per_pixel:.5f}",
            *(tables.number(p.values[m], 4) for m in IMAGE_METRICS), f"{p.encode_s:.3f}",
        )
        for p in points
    ]  # fmt: skip
    tables.write_tsv(args.output / "images.tsv", [head, *rows])
    compared = compare_images(points, codecs[0].label)
    table = [("image", "anchor", "metric", "bd_rate_percent", "overlap", "warning")]
    table += [
        (image, anchor, metric, tables.number(d.value, 2, sign=True), f"{d.overlap:.2f}", d.warning)
        for image, anchor, metric, d in compared
    ]
    for anchor, metric in dict.fromkeys((a, m) for _, a, m, _ in compared):
        values = [d.value for _, a, m, d in compared if (a, m) == (anchor, metric)]
        known = [v for v in values if v is not None]
        mean = tables.number(sum(known) / len(known) if known else None, 2, sign=True)
        table.append((f"mean of {len(known)} of {len(values)}", anchor, metric, mean, "", ""))
        print("\t".join(table[-1]))
    tables.write_tsv(args.output / "images_bd_rate.tsv", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
