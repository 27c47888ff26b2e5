"""The plan of an evaluation and its results: every clip through every codec, then the curves against each other.

    EvalSettings + clips -> [ReferenceFrames] -> points (Bench, cached) -> BdRow per clip, anchor, metric -> Evaluation

What cannot be done is named in `problems`, and the rest goes on.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gvideo.errors import GVideoError
from gvideo.evaluate import anchors, bd, own
from gvideo.evaluate import ffmpeg as program
from gvideo.evaluate.anchors import DEFAULT, PSNR, AnchorSettings
from gvideo.evaluate.cache import key_of
from gvideo.evaluate.frames import ReferenceFrames, prepare
from gvideo.evaluate.metrics import METRICS
from gvideo.evaluate.own import OwnSettings
from gvideo.evaluate.points import Bench, Point, Settings
from gvideo.processors import num_processors

DEFAULT_CRFS = (28.0, 32.0, 36.0, 40.0, 44.0)
#: Points added at each end of an anchor's curve, at most.
_MOST_EXTENSIONS = 5

#: (what is being done, share of the whole)
Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """What to compare. crfs: gvideo's; the anchors' qualities follow from them. tunes: the
    anchors'; tune: gvideo's. frames: the first and the last, included; stream, strict: how clips are read. threads: of
    every codec."""

    crfs: tuple[float, ...] = DEFAULT_CRFS
    anchors: tuple[str, ...] = anchors.DEFAULT_ANCHORS
    tunes: tuple[str, ...] = (PSNR, DEFAULT)
    size: tuple[int, int] | None = None
    frames: tuple[int, int | None] = (0, None)
    stream: int | None = None
    strict: bool = False
    segment_seconds: float = 2.0
    preset: str = "medium"
    threads: int = field(default_factory=num_processors)
    seed: int = 0
    tune: str = "psnr"


@dataclass(frozen=True, slots=True)
class BdRow:
    """gvideo against one anchor on one clip by one metric. rate in percent, quality in the metric's axis unit."""

    clip: str
    anchor: str
    tune: str
    metric: str
    rate: dict[str, bd.Delta]
    quality: bd.Delta


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything a report needs. problems: what was left out and why. environment: versions, threads, machine."""

    settings: EvalSettings
    references: tuple[ReferenceFrames, ...]
    points: tuple[Point, ...]
    rows: tuple[BdRow, ...]
    problems: tuple[str, ...]
    environment: dict[str, str]

    def curve(self, clip: str, curve: str) -> list[Point]:
        """Points of one curve by rising bytes."""
        return sorted((p for p in self.points if p.clip == clip and p.curve == curve), key=lambda p: p.num_bytes)

    def curves(self) -> list[str]:
        """Keys of all curves that have points, in order of first appearance."""
        return list(dict.fromkeys(p.curve for p in self.points))


def interval_frames(reference: ReferenceFrames, segment_seconds: float) -> int:
    """Longest keyframe interval in frames: the frames that one segment of gvideo may have."""
    return max(1, math.floor(segment_seconds * float(reference.rate) + 1e-6))


def plan(reference: ReferenceFrames, settings: EvalSettings, available: Sequence[str]) -> list[Settings]:
    """All streams to make of one clip, without repeats (qualities are limited, so two crfs can give one stream)."""
    jobs: list[Settings] = [
        OwnSettings(crf, settings.preset, settings.segment_seconds, settings.seed, settings.tune)
        for crf in settings.crfs
    ]
    interval = interval_frames(reference, settings.segment_seconds)
    jobs += [
        AnchorSettings(name, tune, anchors.quality_of(name, crf), interval, settings.threads)
        for name in available
        for tune in settings.tunes
        for crf in settings.crfs
    ]
    return list(dict.fromkeys(jobs))


def unique_names(clips: Sequence[Path]) -> dict[str, Path]:
    """Clips by a name that tells them apart: the file's, with its folder where two files share it."""
    names = [c.name for c in clips]
    return {c.name if names.count(c.name) == 1 else f"{c.parent.name}/{c.name}": c for c in dict.fromkeys(clips)}


def evaluate(clips: Sequence[Path], settings: EvalSettings, root: Path, tell: Tell | None = None) -> Evaluation:
    """Runs an evaluation; nothing but a bug of ours or the user's interrupt stops it. root: the cache's folder."""
    say = tell or (lambda _what, _share: None)
    problems: list[str] = []
    available = []
    for name in settings.anchors:
        reason = anchors.missing_reason(name)
        problems += [reason] if reason else []
        available += [] if reason else [name]
    references = []
    for name, clip in unique_names(clips).items():
        folder = (
            root
            / "frames"
            / key_of(str(clip.absolute()), _stamp(clip), settings.size, settings.frames, settings.stream)
        )
        say(f"{name}: reading", 0.0)
        try:
            reference = prepare(
                clip, folder, settings.size, settings.frames, stream=settings.stream, strict=settings.strict
            )
        except GVideoError as error:
            problems.append(f"{name}: left out ({error})")
            continue
        references.append(replace(reference, name=name))
        problems += [f"{name}: {note}" for note in reference.notes]
    run = _Run(root, settings, available, len(references), say)
    for reference in references:
        run.clip(reference)
    points = run.points
    problems += run.problems
    rows = compare_all(points, [r.name for r in references], available, settings.tunes)
    return Evaluation(
        settings, tuple(references), tuple(points), tuple(rows), tuple(dict.fromkeys(problems)), environment(settings)
    )


class _Run:
    """The streams of an evaluation, one after the other."""

    def __init__(self, root: Path, settings: EvalSettings, available: Sequence[str], num_clips: int, say: Tell) -> None:
        self.settings, self.available, self.num_clips, self.say = settings, available, num_clips, say
        self.bench = Bench(root, settings.threads, self._progress)
        self.points: list[Point] = []
        self.problems: list[str] = []
        self.failed: set[tuple[str, str]] = set()
        self.clips_done = self.done = self.planned = 0
        self.what = ""

    def clip(self, reference: ReferenceFrames) -> None:
        """Everything of one clip."""
        jobs = plan(reference, self.settings, self.available)
        self.done, self.planned = 0, len(jobs)
        for job in jobs:
            self._one(reference, job)
        for name in self.available:
            for tune in self.settings.tunes:
                self._extend(reference, name, tune)
        self.clips_done += 1

    def _one(self, reference: ReferenceFrames, job: Settings) -> bool:
        quality = job.crf if isinstance(job, OwnSettings) else job.quality
        self.what = f"{reference.name}: {job.label} {quality:g}"
        self._progress("", 0.0)
        try:
            point = self.bench.point(reference, job)
        except GVideoError as error:
            if (reference.name, job.label) not in self.failed:  # one line a curve is enough
                self.problems.append(f"{self.what}: failed ({error})")
            self.failed.add((reference.name, job.label))
            return False
        finally:
            self.done += 1
        self.points.append(point)
        self.problems += [f"{reference.name}: {job.label}: {w}" for w in point.warnings]
        return True

    def _extend(self, reference: ReferenceFrames, name: str, tune: str) -> None:
        """More points of an anchor until its curve reaches past gvideo's at both ends, as far as it goes at all."""
        curve = f"{name}/{tune}"
        ours = [p.values["y_psnr_db"] for p in self.points if p.clip == reference.name and p.curve == "gvideo"]
        interval = interval_frames(reference, self.settings.segment_seconds)
        for better in (True, False):
            for _ in range(_MOST_EXTENSIONS):
                theirs = [p for p in self.points if p.clip == reference.name and p.curve == curve]
                if not ours or not theirs:
                    return
                values = [p.values["y_psnr_db"] for p in theirs]
                reached = max(values) >= max(ours) if better else min(values) <= min(ours)
                quality = anchors.beyond(name, [p.quality for p in theirs], better=better)
                if reached or quality is None:
                    break
                self.planned += 1
                if not self._one(reference, AnchorSettings(name, tune, quality, interval, self.settings.threads)):
                    break

    def _progress(self, stage: str, share: float) -> None:
        inside = min(1.0, (self.done + share) / max(1, self.planned))
        self.say(f"{self.what} {stage}", (self.clips_done + inside) / self.num_clips)


def _stamp(clip: Path) -> tuple[int, int]:
    try:
        stat = clip.stat()
    except OSError:
        return (0, 0)
    return stat.st_size, stat.st_mtime_ns


def compare_all(
    points: Sequence[Point], clips: Sequence[str], names: Sequence[str], tunes: Sequence[str]
) -> list[BdRow]:
    """Gvideo against every anchor with every tune, by every metric that both have."""
    rows = []
    for clip in clips:
        for name in names:
            for tune in tunes:
                for metric in METRICS:
                    ours = _axis_points(points, clip, "gvideo", metric.key)
                    theirs = _axis_points(points, clip, f"{name}/{tune}", metric.key)
                    if not ours or not theirs:
                        continue
                    rates = {method: bd.bd_rate(theirs, ours, method) for method in bd.METHODS}
                    rows.append(BdRow(clip, name, tune, metric.key, rates, bd.bd_quality(theirs, ours)))
    return rows


def _axis_points(points: Sequence[Point], clip: str, curve: str, key: str) -> list[tuple[float, float]]:
    metric = next(m for m in METRICS if m.key == key)
    mine = [p for p in points if p.clip == clip and p.curve == curve and key in p.values]
    return [(float(p.num_bytes), metric.axis(p.values[key])) for p in mine if not math.isnan(p.values[key])]


def environment(settings: EvalSettings) -> dict[str, str]:
    """What a reader needs to repeat the figures."""
    return {
        "gvideo": own.code_version(),
        "ffmpeg": program.version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "threads": f"{settings.threads} for every codec",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
