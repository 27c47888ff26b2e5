"""Every technique against its control, at equal seconds and at equal bytes (`gvideo study techniques`).

control at 1/2, 1, 2, 4 times the steps -> dB over seconds (a line)   a technique's dB above it at its own seconds
control, technique at the same steps    -> dB over bits (four qualities)       BD-PSNR, BD-rate of the two curves

Of two fits with as many Gaussians one is often better at every quality of the coder, and BD-rate, which needs qualities
that both reach, has no figure then; BD-PSNR has, and verdicts go by it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gvideo.errors import GVideoError, OptionError
from gvideo.evaluate.bd import bd_quality, bd_rate
from gvideo.evaluate.studies.pictures import MADE
from gvideo.evaluate.studies.runner import Record, Task, Tell, run_all
from gvideo.evaluate.studies.techniques import base, coded, fit, scenes
from gvideo.evaluate.studies.techniques.base import REGISTRY, find

#: Steps of the control over those asked for.
STEP_FACTORS = (0.5, 1.0, 2.0, 4.0)
#: A mean that is this many standard errors from zero is a difference.
SURE = 2.0


@dataclass(frozen=True, slots=True)
class TechniqueSettings:
    """names: of base.REGISTRY, or () for all. clips: names of made pictures, scenes.MOVING, or files; a file is tried
    as a still (its first frame) and, if it has num_frames frames, as a clip. num: Gaussians of each fit."""

    names: tuple[str, ...] = ()
    clips: tuple[str, ...] = ("gradient+checkerboard", "texture", scenes.MOVING)
    steps: int = 400
    seeds: int = 2
    side: int = 96
    num_frames: int = 8
    num: int = 120

    def __post_init__(self) -> None:
        find(self.names)
        if self.seeds < 1:
            raise OptionError(f"{self.seeds} seeds: at least 1 wanted")
        fit.StudyFitSettings(self.num, self.steps)


@dataclass(frozen=True, slots=True)
class TechniqueRun:
    """One fit that came out. factor: of STEP_FACTORS. points: (bits, dB). curve: (steps, loss)."""

    technique: str
    clip: str
    video: bool
    seed: int
    factor: float
    seconds: float
    psnr_db: float
    num: int
    points: tuple[tuple[float, float], ...]
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """A mean over clips and seeds with its standard error (NaN below two)."""

    mean: float
    error: float
    count: int

    def verdict(self, better: int) -> str:
        """better: 1 if larger is better, -1 if smaller."""
        if not self.count or math.isnan(self.error):
            return "–"
        if abs(self.mean) <= SURE * self.error:
            return "no difference"
        return "wins" if self.mean * better > 0 else "loses"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A technique against its control. time: dB at equal seconds; quality: dB at equal bytes; rate: percent of bytes at
    equal dB, over the fits that have a quality in common; seconds: over the control's at equal steps."""

    time: Gain
    quality: Gain
    rate: Gain
    seconds: float


def run_techniques(s: TechniqueSettings, root: Path, workers: int, tell: Tell) -> tuple[list[TechniqueRun], list[str]]:
    """All runs, resumed where they are known, and what went wrong."""
    problems: list[str] = []
    known: list[tuple[str, int, str]] = []
    for clip in s.clips:
        try:
            known += _tried(clip, s)
        except (GVideoError, OSError) as error:
            text = str(error)
            problems.append(text if clip in text else f"{clip}: {text}")
    chosen = []
    for cls in find(s.names):
        try:
            cls()  # one that lacks a file says so here, not once a fit
            chosen.append(cls)
        except GVideoError as error:
            problems.append(f"{cls.name}: {error}")
    wanted = list(dict.fromkeys(
        [(c.control, f) for c in chosen for f in STEP_FACTORS] + [(c.name, 1.0) for c in chosen]
    ))  # fmt: skip
    plan = [
        (name, factor, clip, frames, seed, stamp)
        for clip, frames, stamp in known
        for seed in range(s.seeds)
        for name, factor in wanted
        if not ((REGISTRY[name].video_only and frames == 1) or (REGISTRY[name].still_only and frames > 1))
    ]
    tasks = []
    for name, factor, clip, frames, seed, stamp in plan:
        arguments = (name, clip, s.side, frames, s.num, max(2 * fit.GENERATIONS, round(factor * s.steps)), seed)
        key = (*arguments[:1], stamp, *arguments[2:], _code(name))
        tasks.append(Task(f"{name} {Path(clip).name} seed {seed}", run_one, arguments, key))
    records, failures = run_all(tasks, root, workers, tell)
    runs = [
        TechniqueRun(
            name, Path(clip).name, frames > 1, seed, factor, r["seconds"], r["psnr_db"], r["num"],
            tuple((b, q) for b, q in r["points"]), tuple((int(k), v) for k, v in r["curve"]),
        )
        for (name, factor, clip, frames, seed, _), r in zip(plan, records, strict=True)
        if r
    ]  # fmt: skip
    return runs, problems + failures


def _tried(clip: str, s: TechniqueSettings) -> list[tuple[str, int, str]]:
    """(clip, frames, stamp) of the scenes that a clip is good for. Raises for one that cannot be read."""
    if clip in MADE or clip == scenes.MOVING:
        return [(clip, s.num_frames if clip == scenes.MOVING else 1, clip)]
    stamp = hashlib.sha256(Path(clip).read_bytes()).hexdigest()
    scenes.scene(clip, s.side, 1)
    found = [(clip, 1, stamp)]
    try:
        scenes.scene(clip, s.side, s.num_frames)
    except GVideoError:
        return found  # a picture, or a clip that is too short
    return [*found, (clip, s.num_frames, stamp)]


@functools.cache
def _code(name: str) -> str:
    """A hash of the code, and of the file of weights, that a technique's result depends on, the codec aside."""
    own = inspect.getmodule(REGISTRY[name])
    code = "".join(inspect.getsource(m) for m in (base, fit, scenes, coded, own) if m).encode()
    weights: Path | None = getattr(own, "WEIGHTS", None)
    return hashlib.sha256(code + (weights.read_bytes() if weights and weights.is_file() else b"")).hexdigest()[:16]


@functools.cache
def _warm(name: str, video: bool) -> None:
    """Has everything that compiles or loads do so before the clock runs."""
    small = scenes.scene(scenes.MOVING if video else "texture", 32, 4 if video else 1)
    fit.Fit(small, fit.StudyFitSettings(8, 60), REGISTRY[name]()).run()


def run_one(name: str, clip: str, side: int, frames: int, num: int, steps: int, seed: int) -> Record:
    """One fit, in any process."""
    _warm(name, frames > 1)
    target = scenes.scene(clip, side, frames)
    run = fit.Fit(target, fit.StudyFitSettings(num, steps, seed), REGISTRY[name]())
    run.run()
    return {
        "seconds": run.seconds, "psnr_db": fit.luma_psnr(target.frames, run.picture()), "num": len(run),
        "points": coded.curve_of(run), "curve": run.curve,
    }  # fmt: skip


def compare(runs: Sequence[TechniqueRun], name: str, video: bool) -> Comparison:
    """A technique against its control, over stills or clips."""
    found = {(r.technique, r.clip, r.video, r.seed, r.factor): r for r in runs if r.video == video}
    decibels, times = [], []
    qualities: list[float] = []
    rates: list[float] = []
    control = REGISTRY[name].control
    for (technique, clip, _, seed, factor), run in found.items():
        if technique != name or factor != 1.0:
            continue
        line = [found[key] for f in STEP_FACTORS if (key := (control, clip, video, seed, f)) in found]
        if len(line) < len(STEP_FACTORS):
            continue
        decibels.append(run.psnr_db - at_seconds(line, run.seconds))
        same = line[STEP_FACTORS.index(1.0)]
        times.append(run.seconds / same.seconds)
        curves = rising(same.points), rising(run.points)
        for values, delta in ((qualities, bd_quality(*curves, "pchip")), (rates, bd_rate(*curves, "pchip"))):
            if delta.value is not None:
                values.append(delta.value)
    seconds = statistics.mean(times) if times else math.nan
    return Comparison(_gain(decibels), _gain(qualities), _gain(rates), seconds)


def at_seconds(line: Sequence[TechniqueRun], seconds: float) -> float:
    """PSNR in dB of a control after so many seconds: linear in their logarithm, level beyond the ends."""
    by_time = sorted((math.log(r.seconds), r.psnr_db) for r in line)
    times, decibels = zip(*by_time, strict=True)
    return float(np.interp(math.log(seconds), times, np.maximum.accumulate(decibels)))


def rising(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points (bits, dB) less those that another one reaches with fewer bits."""
    kept: list[tuple[float, float]] = []
    for point in sorted(points):
        if not kept or (point[1] > kept[-1][1] and point[0] > kept[-1][0]):
            kept.append(point)
    return kept


def _gain(values: Sequence[float]) -> Gain:
    if not values:
        return Gain(math.nan, math.nan, 0)
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Gain(statistics.mean(values), error, len(values))
