"""Any grid of parameters over clips (`gvideo study sweep SPEC.yaml`): every combination, every clip, every seed.

    kind: still                          # fits of first frames (studies/still.py), or "encode": whole encodes
    clips: [a.mp4, b.png]                # relative to the file; names of studies.pictures too, for still
    size: 64                             # still: longer side, px; encode: [width, height]
    frames: 16                           # encode only
    seeds: [0, 1]
    parameters:                          # the grid: fields of StillSettings, or of FitSettings and EncodeSettings
      offset_magnitude: [0.05, 0.1, 0.2, 0.5]
      offset_start_step: [1, 10, 200, 500]
    fixed: {num: 200, steps: 1500, rate: 0.01, schedule: cosine}

What is compared, lower is better: the training loss, and the loss against a ground truth that the fit has not seen,
the same picture at twice the size, which the Gaussians can be rendered at. For encodes the training loss is what the
encoder minimises: squared error of luma plus lagrangian x D x bits, per pixel, in squared grey levels.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from gvideo.errors import GVideoError, OptionError
from gvideo.evaluate.studies.pictures import MADE, picture
from gvideo.evaluate.studies.runner import Record, Task, Tell, run_all
from gvideo.evaluate.studies.still import StillSettings, fit

_KEYS = {"kind", "clips", "size", "frames", "seeds", "parameters", "fixed"}


@dataclass(frozen=True, slots=True)
class Spec:
    """A checked specification. size: (longer side,) or (width, height)."""

    kind: str
    clips: tuple[str, ...]
    size: tuple[int, ...]
    num_frames: int
    seeds: tuple[int, ...]
    parameters: Mapping[str, tuple[Any, ...]]
    fixed: Mapping[str, Any]

    def combinations(self) -> list[tuple[Any, ...]]:
        """Values of the parameters, in their order, of all combinations."""
        return list(itertools.product(*self.parameters.values()))


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run that came out. values: figures, lower is better for all of COMPARED."""

    clip: str
    seed: int
    combination: tuple[Any, ...]
    values: Mapping[str, float]
    curve: tuple[tuple[int, float], ...]


#: Figures that the combined score is made of, by kind.
COMPARED = {"still": ("best_loss", "final_loss", "truth_loss"), "encode": ("train_loss", "num_bytes", "truth_loss")}


def read_spec(path: Path) -> Spec:
    """Reads a .yaml or .json file. Raises OptionError for one that makes no sense, naming the field."""
    try:
        text = path.read_text()
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror or error})") from error
    if path.suffix == ".json":
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise OptionError(f"{path}: not JSON ({error})") from error
    else:
        import yaml

        try:
            raw = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise OptionError(f"{path}: not YAML ({error})") from error
    if not isinstance(raw, dict) or not raw.keys() <= _KEYS:
        unknown = sorted(raw.keys() - _KEYS) if isinstance(raw, dict) else "no mapping"
        raise OptionError(f"{path}: {unknown}: of {', '.join(sorted(_KEYS))} wanted")
    kind = raw.get("kind", "still")
    if kind not in COMPARED:
        raise OptionError(f"{path}: kind {kind}: still or encode wanted")
    parameters = raw.get("parameters")
    if not isinstance(parameters, dict) or not all(isinstance(v, list) and v for v in parameters.values()):
        raise OptionError(f"{path}: parameters: a mapping of names to lists of values wanted")
    fixed = raw.get("fixed") or {}
    for name in (*parameters, *fixed):
        if name not in known_parameters(kind):
            raise OptionError(f"{path}: {name}: of {', '.join(sorted(known_parameters(kind)))} wanted")
    clips = tuple(c if c in MADE else str(path.parent / c) for c in raw.get("clips") or ())
    if not clips:
        raise OptionError(f"{path}: clips: at least one wanted")
    size = raw.get("size", 64 if kind == "still" else [176, 144])
    sizes = tuple(int(s) for s in (size if isinstance(size, list) else [size]))
    if len(sizes) != (1 if kind == "still" else 2):
        raise OptionError(f"{path}: size {size}: a side for still, [width, height] for encode wanted")
    lists = {name: tuple(values) for name, values in parameters.items()}
    return Spec(kind, clips, sizes, int(raw.get("frames", 16)), tuple(raw.get("seeds", [0])), lists, fixed)


def known_parameters(kind: str) -> set[str]:
    """Names that a grid of this kind may have."""
    if kind == "still":
        return {f.name for f in fields(StillSettings)} - {"seed"}
    from gvideo.encoder.fitting.fit import FitSettings
    from gvideo.encoder.settings import EncodeSettings

    return {f.name for f in (*fields(FitSettings), *fields(EncodeSettings))} - {"seed"}


def run_sweep(spec: Spec, root: Path, workers: int, tell: Tell) -> tuple[list[SweepRun], list[str]]:
    """All runs, resumed where they are known, and what went wrong."""
    function = _still_run if spec.kind == "still" else _encode_run
    plan = list(itertools.product(spec.clips, spec.seeds, spec.combinations()))
    tasks, problems, stamps = [], [], {}
    for clip in spec.clips:
        try:
            stamps[clip] = "" if clip in MADE else hashlib.sha256(Path(clip).read_bytes()).hexdigest()
        except OSError as error:
            problems.append(f"{clip}: cannot be read ({error.strerror or error})")
    plan = [p for p in plan if p[0] in stamps]
    for clip, seed, combination in plan:
        settings = {**spec.fixed, **dict(zip(spec.parameters, combination, strict=True))}
        key = (spec.kind, stamps[clip] or clip, spec.size, spec.num_frames, seed, sorted(settings.items()))
        name = f"{Path(clip).name} {combination} seed {seed}"
        tasks.append(Task(name, function, (clip, spec.size, spec.num_frames, seed, settings), key))
    records, failures = run_all(tasks, root, workers, tell)
    runs = [
        SweepRun(Path(clip).name, seed, combination, record["values"], tuple((int(s), v) for s, v in record["curve"]))
        for (clip, seed, combination), record in zip(plan, records, strict=True)
        if record
    ]
    return runs, problems + failures


def _still_run(clip: str, size: tuple[int, ...], _frames: int, seed: int, settings: Mapping[str, Any]) -> Record:
    target, truth = picture(clip, size[0]), picture(clip, 2 * size[0])
    wanted = tuple(2 * s for s in target.shape[1:])
    if truth.shape[1:] != wanted:  # rounding of the shorter side: bring the truth to exactly twice
        import cv2

        truth = np.stack([cv2.resize(c, (wanted[1], wanted[0]), interpolation=cv2.INTER_AREA) for c in truth])
    result = fit(target, StillSettings(**{**settings, "seed": seed}), np.asarray(truth, np.float32))
    record = asdict(result)
    curve = record.pop("curve")
    return {"values": record, "curve": curve}


def _encode_run(clip: str, size: tuple[int, ...], frames: int, seed: int, settings: Mapping[str, Any]) -> Record:
    """A whole encode with fields of FitSettings replaced, through a preset that exists in this process only."""
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.encoder import settings as presets
    from gvideo.encoder.fitting.fit import FitSettings
    from gvideo.encoder.jobs.encode import encode
    from gvideo.encoder.settings import EncodeSettings
    from gvideo.evaluate.frames import prepare
    from gvideo.media import planes_to_code_values
    from gvideo.model.steps import StepRules

    of_encode = {k: v for k, v in settings.items() if k in {f.name for f in fields(EncodeSettings)}}
    of_fit = {k: v for k, v in settings.items() if k in {f.name for f in fields(FitSettings)}}
    base = of_encode.pop("preset", "medium")
    if base not in presets.PRESETS:
        raise OptionError(f"preset {base}: of {', '.join(presets.PRESETS)} wanted")
    preset = presets.PRESETS[base]
    fine = {name: value for name, value in preset.fine.items() if name not in of_fit}
    studied = replace(preset, fit=replace(preset.fit, **of_fit), fine=fine)
    presets.PRESETS["study"] = studied
    crf, seconds = float(of_encode.get("crf", 34.0)), float(of_encode.get("segment_seconds", 2.0))
    with tempfile.TemporaryDirectory(prefix="gvideo-study-") as name:
        folder = Path(name)
        reference = prepare(Path(clip), folder / "small", (size[0], size[1]), (0, frames - 1))
        truth = prepare(Path(clip), folder / "large", (2 * size[0], 2 * size[1]), (0, frames - 1))
        stream = folder / "s.gsv"
        report = encode(
            reference.path, stream, crf=crf, preset="study", segment_seconds=seconds, seed=seed, workers=1, device="cpu"
        )
        large = VideoDecoder(stream, size=(2 * size[0], 2 * size[1]), grain=False)
        luma = truth.planes().y
        error = 0.0
        for k in range(truth.num_frames):
            shown = planes_to_code_values(large.planes_at([k])[0], truth.format)[0]
            error += float(np.square(shown.astype(np.float64) - luma[k]).mean())
        large.close()
    if not math.isfinite(report.luma_psnr_db):
        raise GVideoError(f"{clip}: a lossless encode has no training loss")
    mean_squared = 255**2 / 10 ** (report.luma_psnr_db / 10)
    allowed = StepRules(0).with_distortion(EncodeSettings(crf).distortion).allowed_error
    price = studied.fit.lagrangian * allowed * 255**2 * 8 * report.num_bytes / reference.pixels
    values = {
        "train_loss": mean_squared + price, "mse": mean_squared, "num_bytes": float(report.num_bytes),
        "truth_loss": error / truth.num_frames, "seconds": report.elapsed_s,
        "num_gaussians": float(report.num_gaussians),
    }  # fmt: skip
    curve = [(step + 1, 255**2 * loss) for step, loss in enumerate(report.losses)]
    return {"values": values, "curve": curve[9::10]}
