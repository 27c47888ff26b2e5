"""How many Gaussians does a picture want? (`gvideo study density`)

The first experiments found, on one 64x64 picture, one seed and a constant rate, that 1.46 to 1.59 % of the pixels are
the best count, that 40 and 70 Gaussians do worse than 35 and 65, and that every run diverges. This repeats them with
several seeds, sizes, contents, schedules, optimisers and starts, and answers their open questions with figures.

    table      N, ratio, best loss, improvement, speed, benefit per Gaussian; constant rate, first seed, as published
    anomalies  how often N+5 is worse than N, over seeds           divergence  final loss over best loss, by schedule
    count      N at which one more Gaussian saves less than its price in squared error, over sizes and contents
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gvideo.evaluate.studies.pictures import picture
from gvideo.evaluate.studies.runner import Record, Task, Tell, run_all
from gvideo.evaluate.studies.still import StillSettings, fit

#: The first experiments' counts, and two beyond.
PUBLISHED_COUNTS = (20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 80, 100)
#: Best losses that were published for these counts (another loss: only their ratios compare).
PUBLISHED_LOSSES = (
    0.106773, 0.101892, 0.091960, 0.082583, 0.085110, 0.084198, 0.071194, 0.068072, 0.061415, 0.057100, 0.058726,
    0.044080, 0.029795,
)  # fmt: skip
#: Shares of the pixels that are tried on other sizes and contents.
RATIOS = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08)
#: Prices of a Gaussian in summed squared error of values in 0..1, three channels: what the encoder's growth asks for
#: (20 D) at about crf 24, 34 and 44.
PRICES = (0.1, 0.4, 1.6)
FIRST = "gradient+checkerboard"


@dataclass(frozen=True, slots=True)
class DensitySettings:
    """How much to run. steps: of every fit; seeds: how many; pictures: names of studies.pictures or files."""

    steps: int = 4000
    seeds: int = 5
    pictures: tuple[str, ...] = (FIRST, "gradient", "checkerboard", "texture")
    sides: tuple[int, ...] = (32, 64, 128)
    counts: tuple[int, ...] = (*PUBLISHED_COUNTS, 140, 200)
    ratios: tuple[float, ...] = RATIOS


@dataclass(frozen=True, slots=True)
class Run:
    """One fit: what was asked and what came out (None: it failed)."""

    group: str
    picture: str
    side: int
    settings: StillSettings
    record: Record | None

    @property
    def ratio(self) -> float:
        """Gaussians by pixels."""
        return self.settings.num / (self.record["pixels"] if self.record else self.side**2)

    def value(self, key: str) -> float:
        """A figure of the record; NaN where the run failed."""
        return float(self.record[key]) if self.record else math.nan


def fit_picture(name: str, side: int, settings: StillSettings) -> Record:
    """One run, in any process."""
    target = picture(name, side)
    result = fit(target, settings)
    return {**asdict(result), "pixels": target.shape[1] * target.shape[2]}


def run_density(settings: DensitySettings, root: Path, workers: int, tell: Tell) -> tuple[list[Run], list[str]]:
    """All runs of the study, resumed where they are known, and what went wrong."""
    wanted = list(dict.fromkeys(_plan(settings)))
    tasks = [
        Task(f"{group} {Path(name).name} {side} N={s.num} seed {s.seed}", fit_picture, (name, side, s), (name, side, s))
        for group, name, side, s in wanted
    ]
    records, problems = run_all(tasks, root, workers, tell)
    runs = [Run(*plan, record) for plan, record in zip(wanted, records, strict=True)]
    return runs, problems


def _plan(s: DensitySettings) -> list[tuple[str, str, int, StillSettings]]:
    """(group, picture, side, settings) of every run."""
    plan: list[tuple[str, str, int, StillSettings]] = []
    base = StillSettings(steps=s.steps)
    schedules = {
        "constant": replace(base, rate=0.001),
        "decayed": replace(base, rate=0.001, schedule="cosine"),
        "constant x10": replace(base, rate=0.01),
        "decayed x10": replace(base, rate=0.01, schedule="cosine"),
        "decayed x10, 1/sqrt N": replace(base, rate=0.01, schedule="cosine", inverse_root=True),
    }
    for name, how in schedules.items():
        plan += [(name, FIRST, 64, replace(how, num=n, seed=seed)) for n in s.counts for seed in range(s.seeds)]
    good = replace(base, rate=0.01, schedule="cosine")
    others = {
        "beta2 0.99": replace(good, beta_2=0.99),
        "rmsprop": replace(good, optimiser="rmsprop"),
        "sgd": replace(good, optimiser="sgd"),
        "lbfgs": replace(good, optimiser="lbfgs"),
        "grid start": replace(good, initialisation="grid"),
        "kmeans start": replace(good, initialisation="kmeans"),
    }
    few = [n for n in s.counts if n in (35, 40, 65, 70)] or list(s.counts[:2])
    for name, how in others.items():
        plan += [(name, FIRST, 64, replace(how, num=n, seed=seed)) for n in few for seed in range(s.seeds)]
    for name in s.pictures:
        for side in s.sides:
            counts = dict.fromkeys(max(2, round(r * side**2)) for r in s.ratios)
            plan += [("sizes", name, side, replace(good, num=n)) for n in counts]
    return plan


def of_group(runs: Sequence[Run], group: str) -> list[Run]:
    """Runs of a group that came out."""
    return [r for r in runs if r.group == group and r.record]


def by_count(runs: Sequence[Run], key: str) -> dict[int, list[float]]:
    """N -> values over seeds."""
    found: dict[int, list[float]] = {}
    for run in sorted(runs, key=lambda r: (r.settings.num, r.settings.seed)):
        found.setdefault(run.settings.num, []).append(run.value(key))
    return found


def reversals(runs: Sequence[Run]) -> list[tuple[int, int, int, int]]:
    """(N, next N, seeds for which the next N is worse, seeds) of all neighbouring counts."""
    losses = by_count(runs, "best_loss")
    counts = list(losses)
    return [
        (a, b, sum(y > x for x, y in zip(losses[a], losses[b], strict=False)), min(len(losses[a]), len(losses[b])))
        for a, b in itertools.pairwise(counts)
    ]


def divergence(runs: Sequence[Run]) -> float:
    """Median over runs of final loss by best loss: 1 is no divergence."""
    ratios = [r.value("final_loss") / max(r.value("best_loss"), 1e-12) for r in runs]
    return statistics.median(ratios) if ratios else math.nan


def wanted_count(runs: Sequence[Run], price: float) -> tuple[float, bool]:
    """(ratio of Gaussians to pixels beyond which one more saves less squared error than `price`, whether the sweep
    reached it). Along the lower convex hull of squared error over N, so that a bad run moves nothing."""
    points = []
    for count, losses in by_count(runs, "best_loss").items():
        pixels = next(r.value("pixels") for r in runs if r.settings.num == count)
        points.append((float(count), statistics.median(losses) * 3 * pixels, pixels))
    hull: list[tuple[float, float, float]] = []
    for p in points:
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (p[0] - hull[-1][0]) >= (p[1] - hull[-1][1]) * (
            hull[-1][0] - hull[-2][0]
        ):
            hull.pop()
        hull.append(p)
    best = hull[0]
    for a, b in itertools.pairwise(hull):
        if (a[1] - b[1]) / (b[0] - a[0]) < price:
            return best[0] / best[2], True
        best = b
    return best[0] / best[2], False
