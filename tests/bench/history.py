"""Bytes and speed over the project's history: a row a commit, of a sample that anybody has (`make bench`).

    python tests/bench/history.py [--output docs/results/history.tsv]

24 frames of samples/bunny_180p25.mp4 at `fast`, crf 30, 36 and 42, one thread, beside x264 and x265 in the same run:
bd_rate_percent  of Y-PSNR against x264 medium tuned for it, of whole files
encode           seconds over those of x265 veryslow
decode           seconds over those of FFmpeg's H.264 decoder, its start included
A commit that is there already is replaced; "+" behind it means that files were changed. One clip is no measure of the
codec: the table shows when something got worse.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from gvideo.errors import GVideoError
from gvideo.evaluate import bd, tables
from gvideo.evaluate.anchors import parse_anchors
from gvideo.evaluate.cache import default_root
from gvideo.evaluate.compare import EvalSettings, Evaluation, evaluate
from gvideo.evaluate.own import warm_up

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "samples" / "bunny_180p25.mp4"
HEADER = ("date", "commit", "bd_rate_percent", "encode", "decode")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "history.tsv")
    args = parser.parse_args()
    settings = EvalSettings(
        crfs=(30.0, 36.0, 42.0), anchors=parse_anchors("x264,x265-veryslow"), frames=(0, 23), preset="fast", threads=1
    )
    try:
        warm_up()
        row = (*commit(), *figures(evaluate([CLIP], settings, default_root())))
    except GVideoError as error:
        print(error, file=sys.stderr)
        return 2
    rows = [r for r in earlier(args.output) if r[1].rstrip("+") != row[1].rstrip("+")]
    tables.write_tsv(args.output, [HEADER, *rows, row])
    print("\t".join(HEADER), "\t".join(row), sep="\n")
    return 0


def git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise GVideoError(f"{ROOT}: a checkout wanted, for the commit's name ({error})") from error


def commit() -> tuple[str, str]:
    """(date, short name) of what is checked out."""
    date, name = git("log", "-1", "--format=%cs %h").split()
    return date, name + "+" * bool(git("status", "--porcelain", "gvideo"))


def figures(found: Evaluation) -> tuple[str, str, str]:
    for problem in found.problems:
        raise GVideoError(problem)
    own, x264, slow = (found.curve(CLIP.name, key) for key in ("gvideo", "x264/psnr", "x265-veryslow/psnr"))
    rate = bd.bd_rate(*([(p.num_bytes, p.values["y_psnr_db"]) for p in points] for points in (x264, own)))
    if rate.value is None:
        raise GVideoError("the curves of gvideo and x264 have no quality in common")
    encode = sum(p.encode_s for p in own) / sum(p.encode_s for p in slow)
    decode = sum(p.decode_s for p in own) / sum(p.decode_s for p in x264)
    return f"{rate.value:+.2f}", f"{encode:.2f}", f"{decode:.2f}"


def earlier(path: Path) -> list[tuple[str, ...]]:
    if not path.is_file():
        return []
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


if __name__ == "__main__":
    raise SystemExit(main())
