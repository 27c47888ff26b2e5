"""The learned start against growth: PSNR before the first step, and after the same seconds, on stills.

    python tests/bench/learned_start.py PICTURE … [--side 96] [--num 120] [-o docs/results/0.1.0/techniques/learned.tsv]

A row for each picture, technique and number of steps, with the seconds of a processor and the luma PSNR. Steps 0: as
placed, before any step (growth: its first generation); "solved": then amplitudes by conjugate gradients. Prints means
over the pictures, at equal steps and at the default's seconds, and how many steps a technique needs to reach what the
default reaches in STEPS. Three of the techniques, which are here alone, take the learned one apart.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np

from gvideo.evaluate.studies.techniques.base import DEFAULT, REGISTRY, Technique, technique
from gvideo.evaluate.studies.techniques.fit import Fit, StudyFitSettings, luma_psnr
from gvideo.evaluate.studies.techniques.learned import Learned
from gvideo.evaluate.studies.techniques.optimisers import solve_amplitudes
from gvideo.evaluate.studies.techniques.scenes import scene
from gvideo.evaluate.studies.techniques.study import run_one
from gvideo.evaluate.tables import Table, write_tsv
from gvideo.types import Float32, Int64

NAMES = (
    DEFAULT,
    "all-at-once",
    "learned",
    "learned-start",
    "learned-places",
    "learned-shapes",
    "root-energy",
    "narrow-start",
)
STEPS, LENGTHS = 300, (38, 75, 150, 300, 600)
Key = tuple[str, str, str]


@technique
class LearnedPlaces(Learned):
    """The network's places with the default's shapes."""

    name = "learned-places"

    def shape(self, residual: Float32, frame: Int64, point: Float32, sigma: float) -> tuple[Float32, Float32]:
        return Technique.shape(self, residual, frame, point, sigma)


@technique
class LearnedShapes(Learned):
    """The default's places with the network's shapes."""

    name = "learned-shapes"

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        super().weigh(fit, energy)
        return energy


@technique
class RootEnergy(Technique):
    """Places by the root of the energy: what the network's places have to beat."""

    name = "root-energy"

    def weigh(self, fit: Fit, energy: Float32) -> Float32:
        return np.sqrt(energy)


def start_of(name: str, picture: str, side: int, num: int) -> tuple[float, float]:
    """(dB as placed, dB after amplitudes are solved) with the Gaussians of the first generation."""
    target = scene(picture, side, 1)
    technique = REGISTRY[name]()
    fit = Fit(target, StudyFitSettings(num, STEPS), technique)
    generations = technique.first_share(4)
    fit.grow(num // generations, num / generations)
    placed = luma_psnr(target.frames, fit.picture())
    solve_amplitudes(fit, 8)
    return placed, luma_psnr(target.frames, fit.picture())


def steps_for(points: list[tuple[float, float]], wanted: float) -> float:
    """Steps after which points (steps, dB) reach `wanted` dB, linear in their logarithm; infinite if they do not."""
    steps, found = zip(*points, strict=True)
    best = np.maximum.accumulate(found)
    if best[-1] < wanted:
        return math.inf
    return math.exp(float(np.interp(wanted, best, np.log(steps))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--num", type=int, default=120)
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES, metavar="NAME")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    names = list(dict.fromkeys([DEFAULT, *args.names]))
    table: Table = [("picture", "technique", "steps", "seconds", "y_psnr_db")]
    found: dict[Key, float] = {}
    timed: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for picture in args.pictures:
        for name in names:
            for label, db in zip(("0", "solved"), start_of(name, picture, args.side, args.num), strict=True):
                found[picture, name, label] = db
                table.append((Path(picture).name, name, label, "–", f"{db:.2f}"))
            for steps in LENGTHS:
                record = run_one(name, picture, args.side, 1, args.num, steps, 0)
                timed[picture, name].append((steps, record["seconds"], record["psnr_db"]))
                found[picture, name, str(steps)] = record["psnr_db"]
                seconds = f"{record['seconds']:.3f}"
                table.append((Path(picture).name, name, str(steps), seconds, f"{record['psnr_db']:.2f}"))
        print(Path(picture).name, flush=True)
    if args.output:
        write_tsv(args.output, table)
    for name in names:
        means = [statistics.mean(found[p, name, s] for p in args.pictures) for s in ("0", "solved", *map(str, LENGTHS))]
        gains, ratios = [], []
        for picture in args.pictures:
            line = timed[picture, DEFAULT]
            times, decibels = [math.log(t) for _, t, _ in line], np.maximum.accumulate([d for *_, d in line])
            here = next(r for r in timed[picture, name] if r[0] == STEPS)
            gains.append(here[2] - float(np.interp(math.log(here[1]), times, decibels)))
            wanted = found[picture, DEFAULT, str(STEPS)]
            ratios.append(steps_for([(s, d) for s, _, d in timed[picture, name]], wanted) / STEPS)
        error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
        print(f"{name:14s} dB at 0, solved, {LENGTHS}: " + " ".join(f"{m:.2f}" for m in means)
              + f"; at equal time {statistics.mean(gains):+.2f} +- {error:.2f} dB; steps for the default's {STEPS}: "
              f"{statistics.median(ratios):.2f} (median)")  # fmt: skip


if __name__ == "__main__":
    main()
