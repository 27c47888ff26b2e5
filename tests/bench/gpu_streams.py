"""Parts "encode" and "decode" of gpu.py: fits, encodes and decoders on the GPU, beside the CPU's."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from gpu_run import Run, peak_bytes
from kernels import make_splats

import gvideo
from gvideo.decoder.rendering.segment import SegmentRenderer
from gvideo.encoder import settings
from gvideo.encoder.backends.base import Target
from gvideo.encoder.backends.cuda_growth import _TRACK_POINTS
from gvideo.encoder.backends.cuda_objective import CudaObjective
from gvideo.encoder.fitting.fit import TRAIN_RATES, FitSettings, SegmentFit
from gvideo.encoder.gaussians.parameters import RATES
from gvideo.encoder.gaussians.quantised import Geometry, unquantised
from gvideo.encoder.jobs.encode import encode
from gvideo.encoder.jobs.report import EncodeReport
from gvideo.encoder.motion.flow import Flow
from gvideo.evaluate import bd
from gvideo.media import open_sink
from gvideo.model import motion
from gvideo.model.steps import StepRules
from gvideo.raster import Viewport, cuda
from gvideo.types import VideoFormat

SIZES = ((640, 360), (1280, 720), (1920, 1080))
#: Gaussians at these sizes whose steps are timed, as many as fits at middling qualities have.
COUNTS = (4000, 10000, 40000)
SMALL_SIZE = (16, 16)
STEP_FRAMES, MEMORY_FRAMES = 8, 48
SAMPLE = Path("samples/bunny_180p25.mp4")
SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".y4m")
#: Largest difference in rate between the GPU's encodes and the CPU's, percent.
LARGEST_BD = 2.0
GOLDEN = Path(__file__).parent.parent / "golden"


def measure(run: Run, folder: Path | None) -> None:
    """The part that run.part names."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if run.small:
            tiny = FitSettings(max_rounds=2, round_steps=1, last_round=1, train_steps=2, frames_per_step=1)
            settings.PRESETS.update(fast=settings.Preset(tiny), medium=settings.Preset(tiny))
        clips = find_clips(folder, work, run.small)
        run.note("clips", ", ".join(clip.name for clip in clips), len(clips), "")
        (_encode_part if run.part == "encode" else _decode_part)(run, clips, work)


def find_clips(folder: Path | None, work: Path, small: bool) -> list[Path]:
    """Video files of a folder; else the sample; else one that is made: a disc that moves over waves."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES) if folder else []
    if found:
        return found
    if SAMPLE.exists() and not small:
        return [SAMPLE]
    width, height, num_frames = (*SMALL_SIZE, 3) if small else (320, 180, 64)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    ground = 0.4 + 0.1 * np.sin(0.3 * x + 0.1 * y) * np.cos(0.15 * y)
    clip = work / "made.mkv"
    with open_sink(clip, VideoFormat(width, height, timescale=25), frame_rate=25) as sink:
        for k in range(num_frames):
            inside = (x - 0.3 * width - 2 * k) ** 2 + (y - 0.5 * height) ** 2 < (0.2 * height) ** 2
            chroma = np.where(inside, 0.1, 0.0).astype(np.float32)
            sink.write(np.stack([np.where(inside, 0.8, ground), chroma, -chroma]).astype(np.float32), k, 1)
    return [clip]


def _encode_part(run: Run, clips: list[Path], work: Path) -> None:
    run.attempt("growth, memory", "", lambda: _memory(run))
    for size, count in ((SMALL_SIZE, 6),) if run.small else zip(SIZES, COUNTS, strict=True):
        case = f"{size[0]}x{size[1]}, {count} Gaussians"
        run.attempt("steps", case, lambda size=size, count=count, case=case: _steps(run, *size, count, case))
    for clip in clips[:3]:
        run.attempt("BD-rate", clip.name, lambda clip=clip: _compare(run, clip, work))
    run.attempt("one process", "", lambda: _one_process(run, clips[0], work))
    sizes = (SMALL_SIZE,) if run.small else SIZES
    for size in sizes:
        run.attempt("encode", f"{size}, fast", lambda size=size: _encode(run, clips[0], size, "fast", work))
    for size in () if run.small else SIZES:
        run.attempt("encode", f"{size}, medium", lambda size=size: _encode(run, clips[0], size, "medium", work))


def _fit(width: int, height: int, count: int, num_frames: int) -> SegmentFit:
    """A fit of noise under way, with random Gaussians and a flow that is zero."""
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.normal(0, 0.1, (1, 3, height, width)).astype(np.float32), num_frames, 0)
    flow = object.__new__(Flow)
    flow.num_frames, flow.height, flow.width = num_frames, height, width
    flow.forward, flow.backward = (np.zeros((num_frames - 1, height, width, 2), np.float32) for _ in range(2))
    splats = make_splats(width, height, count)
    control = splats.displacements.shape[1]
    times = np.arange(num_frames, dtype=np.float32)
    target = Target(frames, motion.basis(times, num_frames, control), times)
    fit = SegmentFit(target, flow, np.zeros((8, control, 2, 3)), FitSettings(), 0, "cuda")
    new = {
        "mean": splats.means, "residual": splats.displacements, "log_scale": splats.log_scales, "angle": splats.angles,
        "luma": splats.amplitudes[:, :1], "chroma": splats.amplitudes[:, 1:],
        "centre": rng.uniform(0, num_frames, count), "log_duration": np.full(count, np.log(num_frames / 4)),
    }  # fmt: skip
    where = fit.objective.device
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a, np.float32)).to(where) for name, a in new.items()}
    fit.parameters.append(tensors, torch.zeros(count, dtype=torch.long, device=where))
    return fit


def _memory(run: Run) -> None:
    """A residual and a generation of new Gaussians, beside what cuda_objective and cuda_growth tell."""
    width, height, frames, count = (*SMALL_SIZE, 3, 6) if run.small else (1920, 1080, MEMORY_FRAMES, 40000)

    def grow() -> None:
        fit = _fit(width, height, count, frames)
        residual = fit.objective.residual(
            unquantised(fit.parameters), fit.parameters.trajectory, np.arange(frames, dtype=np.int32)
        )
        fit.objective.energy(residual)
        theta = fit.parameters.values["theta"]
        fit.backend.propose(residual, count, 2 * count, frames / 2, theta, np.random.default_rng(0))

    peak = peak_bytes(grow)
    plane, control, trajectories = width * height, 5, 8
    wanted = (24 * frames + 16 * (frames - 1) + 40) * plane + (100 + 8 * control) * count
    wanted += (50 * frames + 60 * control + 24 * trajectories + 150) * min(count, _TRACK_POINTS // frames)
    case = f"{width}x{height}, {frames} frames, {count} Gaussians"
    run.note("growth, memory by formula", case, wanted / 1e9, "GB")
    if peak is not None:
        told = f"{100 * peak / wanted:.0f} % of the formula; at most 120 % wanted"
        run.note("growth, peak memory", case, peak / 1e9, "GB", told)
        run.verdict("growth, memory", case, peak <= 1.2 * wanted, told)


def _steps(run: Run, width: int, height: int, count: int, case: str) -> None:
    """Steps of growing and of training at rates of zero, so that all are alike."""
    fit = _fit(width, height, count, 3 if run.small else STEP_FRAMES)
    rules, still = StepRules(76), dict.fromkeys((*RATES, "theta"), 0.0)
    times = np.arange(fit.target.num_frames, dtype=np.float32)
    geometry = Geometry(width, height, times, 2)
    fit.settings = replace(fit.settings, frames_per_step=1) if run.small else fit.settings
    number = 2 if run.small else fit.objective.window
    assert set(TRAIN_RATES) == set(still)

    def grow() -> None:
        fit._growth_steps([dict(still)])

    def train() -> None:
        fit._training_steps(rules, geometry, [0.0], [1.0])

    run.note("quantise", case, run.median_ms(lambda: fit._quantise(rules, geometry)), "ms")
    for name, step in (("growing", grow), ("training", train)):
        queued: list[float] = []

        def steps(step: Callable[[], None] = step, queued: list[float] = queued) -> None:
            started = time.perf_counter()
            for _ in range(number):
                step()
            queued.append(time.perf_counter() - started)

        counted = run.median_ms(steps, 5, 1) / number
        queued.clear()
        window = run.median_ms(lambda steps=steps: fit.objective.attempt(steps), 5, 2) / number
        host = 1e3 * statistics.median(queued) / number
        run.note(f"step of {name}, pairs counted", case, counted, "ms")
        told = f"{counted / window:.2f} times as fast; the host needs {host:.3g} ms to ask for it"
        run.note(f"step of {name}, in a window", case, window, "ms", told)


def _one_process(run: Run, clip: Path, work: Path) -> None:
    """An encode in this process, where its memory and its windows can be seen."""
    size = SMALL_SIZE if run.small else SIZES[-1]
    verdicts: list[bool] = []
    right = CudaObjective.attempt

    def attempt(self: CudaObjective, steps: Callable[[], None]) -> bool:
        verdicts.append(right(self, steps))
        return verdicts[-1]

    CudaObjective.attempt = attempt  # type: ignore[method-assign]
    try:
        out = work / "one.gsv"
        peak = peak_bytes(
            lambda: encode(clip, out, size=size, crf=36, preset="fast", device="cuda", last=49, workers=1)
        )
    finally:
        CudaObjective.attempt = right  # type: ignore[method-assign]
    case = f"{size[0]}x{size[1]}, fast, crf 36, 50 frames at most"
    run.note("windows repeated", case, verdicts.count(False), "", f"of {len(verdicts)}; repeated for lack of room")
    if peak is not None:
        run.note("encode in one process, peak memory", case, peak / 1e9, "GB")


def _encode(run: Run, clip: Path, size: tuple[int, int], preset: str, work: Path) -> None:
    """Whole encodes, workers' start and flow included: the median of up to three. Kernels are compiled by now."""
    reports: list[EncodeReport] = []
    for attempt in range(1 if run.small else 3):
        if reports and not run.seconds_left():
            break
        out = work / f"{size[1]}-{preset}-{attempt}.gsv"
        reports.append(encode(clip, out, size=size, crf=36, preset=preset, device="cuda", workers=_workers(run)))
    last = reports[-1]
    case = f"{size[0]}x{size[1]}, {preset}, crf 36, {last.num_frames} frames, {last.num_segments} segments"
    speeds = [report.frames_per_second for report in reports]
    rate = 8 * last.num_bytes / (last.num_frames * size[0] * size[1])
    beside = (
        f"{last.luma_psnr_db:.2f} dB at {rate:.4f} bits a pixel, {last.num_gaussians} Gaussians; {len(speeds)} runs"
    )
    run.note("encode", case, statistics.median(speeds), "frames a second", beside)
    same = len({report.num_bytes for report in reports}) == 1
    run.verdict("encode, same bytes every time", case, same, f"{[report.num_bytes for report in reports]}")


def _workers(run: Run) -> int | None:
    return 1 if run.small else None


def _compare(run: Run, clip: Path, work: Path) -> None:
    """BD-rate of the GPU's encodes against the CPU's."""
    curves: dict[str, list[tuple[float, float]]] = {"cpu": [], "cuda": []}
    size = SMALL_SIZE if run.small else (320, 180)
    for device, points in curves.items():
        for crf in (30,) if run.small else (30, 34, 38, 42):
            report = encode(
                clip, work / f"{clip.stem}-{device}-{crf}.gsv", size=size, crf=crf, preset="fast", device=device,
                last=49, workers=_workers(run),
            )  # fmt: skip
            points.append((report.num_bytes, report.luma_psnr_db))
            told = f"{report.num_bytes} bytes, {report.frames_per_second:.3g} frames a second"
            run.note("quality", f"{clip.name}, {device}, fast, crf {crf}", report.luma_psnr_db, "dB", told)
    if run.small:
        return
    delta = bd.bd_rate(curves["cpu"], curves["cuda"], "pchip")
    case = f"{clip.name}, cuda against cpu"
    run.note("BD-rate", case, np.nan if delta.value is None else delta.value, "%", delta.warning)
    good = delta.value is not None and abs(delta.value) <= LARGEST_BD
    run.verdict("BD-rate", case, good, f"within {LARGEST_BD:g} % wanted")


def _decode_part(run: Run, clips: list[Path], work: Path) -> None:
    streams = [] if run.small else sorted(GOLDEN.glob("*.gsv"))
    size = SMALL_SIZE if run.small else SIZES[-1]

    def made() -> Path:
        out = work / "large.gsv"
        encode(clips[0], out, size=size, crf=36, preset="fast", device="cuda", last=49, workers=_workers(run))
        return out

    large = run.attempt("encode for decoding", f"{size}", made)
    for stream in (*streams, *([large] if large else [])):
        run.attempt("decode", stream.name, lambda stream=stream: _same_frames(run, stream))
    if large:
        run.attempt("decode", "times", lambda: _time_decoding(run, large))


def _same_frames(run: Run, stream: Path) -> None:
    """The CPU's decoder and the GPU's: symbols, and R'G'B' of up to 16 frames."""
    with gvideo.VideoDecoder(stream) as host, gvideo.VideoDecoder(stream, device="cuda") as device:
        same = True
        for number in range(len(host.stream.segments)):
            one, other = (decoder.stream.decode_segment(number).symbols for decoder in (host, device))
            same &= all(
                np.array_equal(getattr(one, name), getattr(other, name)) for name in ("table", "residual", "control")
            )
        run.verdict("decode, symbols", stream.name, same, f"{len(host.stream.segments)} segments")
        chosen = np.unique(np.linspace(0, len(host) - 1, 16).astype(int))
        most = max(int(np.abs(host[int(k)].astype(int) - device[int(k)].astype(int)).max()) for k in chosen)
        run.verdict("decode, frames", stream.name, most <= 1, f"{len(chosen)} frames, largest difference {most}")


def _time_decoding(run: Run, stream: Path) -> None:
    """Entropy decoding of all segments, drawing on the device, and frames in the host's memory."""
    with gvideo.VideoDecoder(stream) as decoder:
        coded = decoder.stream
        width, height, number = coded.header.width, coded.header.height, len(coded.segments)
        first = coded.decode_segment(0)
        case = f"{width}x{height}, {len(decoder)} frames, {len(first.symbols.table)} Gaussians in the first segment"
        ms = run.median_ms(lambda: [coded.decode_segment(n) for n in range(number)], 5, 1)
        run.note("entropy decoding", case, 1e3 * len(decoder) / ms, "frames a second", "one thread of the CPU")
    ticks = np.arange(first.header.num_frames + 1, dtype=np.int64)
    renderer = SegmentRenderer(first.symbols, first.rules, width, height, ticks)
    basis = motion.basis(renderer.times, renderer.num_frames, renderer.num_control)
    view = Viewport(width, height)
    some = slice(0, cuda.frames_a_launch(view))
    batch = cuda._batch(renderer.splats, basis[some], renderer.times[some].astype(np.float32))
    ms = run.median_ms(lambda: cuda.draw(batch, view), 5)
    told = f"pictures stay there; {len(batch.times)} at a time"
    run.note("drawing on the device", case, len(batch.times) / ms * 1e3, "frames a second", told)
    for device in ("cpu", "cuda"):
        with gvideo.VideoDecoder(stream, device=device) as decoder:

            def play(decoder: gvideo.VideoDecoder = decoder) -> None:
                for data in decoder:
                    assert data.shape == (3, height, width)

            peak = peak_bytes(play)
            ms = run.median_ms(play, 3, 0)
            run.note(f"VideoDecoder, {device}", case, 1e3 * len(decoder) / ms, "frames a second", "R'G'B' on the host")
            if peak and device == "cuda":
                run.note("VideoDecoder, peak memory", case, peak / 1e6, "MB")
