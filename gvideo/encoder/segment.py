"""One segment from frames to the payloads of its units. Depends on nothing but its job, so it runs anywhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from gvideo.bitstream import container, headers
from gvideo.bitstream.headers import SegmentHeader
from gvideo.decoder.rendering.segment import SegmentRenderer, frame_times
from gvideo.encoder import tune
from gvideo.encoder.backends.base import Target
from gvideo.encoder.fitting.layers import fit_layers
from gvideo.encoder.gaussians import pack
from gvideo.encoder.gaussians.quantised import Geometry
from gvideo.encoder.grain import GrainStatistics, measure_grain
from gvideo.encoder.motion import trajectories
from gvideo.encoder.motion.flow import Flow
from gvideo.encoder.settings import EncodeSettings
from gvideo.entropy.segment import encode_segment as encode_symbols
from gvideo.entropy.sequence import SequenceState
from gvideo.errors import GVideoError
from gvideo.media import CodeFrame, luma_error
from gvideo.model import motion, quantize
from gvideo.model.steps import StepRules
from gvideo.types import Float32, VideoFormat

#: Changes with every change of what the encoder makes of the same frames: spooled segments of another are not used.
ENCODER_VERSION = 19
#: Cells of positions: 2^CELL_BITS px.
CELL_BITS = 2
#: Frames rendered in one call when the result is measured.
_BATCH = 16

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """Frames (integers, as the source has them) and what to do with them. rules: with the distortion of the whole.
    device: "cpu" or "cuda", which round differently."""

    frames: tuple[CodeFrame, ...]
    format: VideoFormat
    settings: EncodeSettings
    frame_duration: int
    rules: StepRules
    device: str = "cpu"

    def key(self) -> str:
        """A name for the result: a hash of everything it depends on; the crf is in the rules' distortion."""
        s = self.settings
        told: tuple[object, ...] = (
            ENCODER_VERSION, self.format, s.preset, s.seed, s.layers, s.tune, self.frame_duration, self.rules,
            self.device,
        )  # fmt: skip
        told += ("grain",) if s.grain else ()
        digest = hashlib.sha256(repr(told).encode())
        for frame in self.frames:
            digest.update(repr((frame.pts, frame.duration)).encode())
            for plane in frame.planes:
                digest.update(np.ascontiguousarray(plane).data)
        return digest.hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """Payloads (base, then layers), frames, ticks, and the summed squared error of 8-bit-scaled luma codes for every
    prefix of layers. losses: SegmentFit.losses. grain: what was measured of the noise, if it was asked for."""

    payloads: tuple[bytes, ...]
    num_frames: int
    duration: int
    luma_errors: tuple[float, ...]
    num_gaussians: int
    losses: tuple[float, ...]
    grain: GrainStatistics | None = None

    @property
    def luma_error(self) -> float:
        """That of the whole."""
        return self.luma_errors[-1]

    def units(self) -> tuple[bytes, ...]:
        """The units of the stream, one a layer."""
        return container.format_segment(self.payloads)


def num_trajectories(width: int, height: int) -> int:
    """Trajectories to begin with: larger pictures hold more things that move, and more bits to say how."""
    return min(max(round(math.sqrt(width * height) / 20), 8), 16)


def encode_segment(job: SegmentJob, report: Report | None = None) -> SegmentResult:
    """Fits, trains, packs and codes one segment, and measures what a decoder will show. Raises GVideoError if the GPU's
    memory is too small for it."""
    fmt, settings = job.format, job.settings
    fit = settings.fit_at(job.rules.distortion)
    durations = tuple(f.duration for f in job.frames)
    ticks = job.frames[0].pts + np.concatenate([[0], np.cumsum(np.array(durations, np.int64))])
    times = frame_times(ticks)
    num_frames = len(job.frames)
    planes = np.stack([f.to_source_frame(fmt).planes for f in job.frames])
    base, colour = _base(planes)
    flow = Flow(planes[:, 0])
    seen = trajectories.follow_points(flow)
    num_control, refinement = trajectories.control_points(seen, times)
    basis = motion.basis(times, num_frames, headers.refined_count(num_control, refinement))
    weights = tune.pixel_weights(planes[:, 0], tune.TUNES[settings.tune])
    tune.sharpen(planes[:, 0], tune.TUNES[settings.tune])
    planes -= colour[:, None, None].astype(np.float32)
    finer = motion.refinement_matrix(num_control, refinement).astype(np.float32)
    if not fit.residual_motion:
        finer = finer[:, :0]
    target = Target(planes, basis, times.astype(np.float32), weights, finer)
    count = num_trajectories(fmt.width, fmt.height)
    theta = trajectories.fit_trajectories(seen, basis, count, settings.seed)
    rules = job.rules
    geometry = Geometry(fmt.width, fmt.height, times.astype(np.float32), CELL_BITS)
    try:
        fitted = fit_layers(
            target, flow, theta, fit, settings.seed, settings.layers, rules, geometry, report, job.device
        )
    except torch.OutOfMemoryError as error:
        raise GVideoError(
            f"the GPU's memory is too small for segments of {num_frames} frames of {fmt.width}x{fmt.height}: try fewer "
            "--workers, a shorter --segment or a smaller --size"
        ) from error
    base_rules = rules.with_distortion(fitted.distortions[0])
    symbols = pack.pack(
        fitted.quantised, fitted.trajectory.numpy(), base, fmt.width, fmt.height, CELL_BITS, fitted.layer.numpy(),
        fitted.distortions[1:],
    )  # fmt: skip
    header = SegmentHeader(
        num_frames, base_rules.distortion, symbols.num_control, symbols.num_trajectories, CELL_BITS,
        len(symbols.layer_ends), base, symbols.margins,
        () if all(d == job.frame_duration for d in durations) else durations, 0, symbols.distortions,
        symbols.refinement,
    )  # fmt: skip
    payloads = encode_symbols(symbols, header, SequenceState(base_rules), fmt.width, fmt.height)
    errors = []
    for end in symbols.layer_ends:
        part = replace(symbols, table=symbols.table[:end], residual=symbols.residual[:end])
        renderer = SegmentRenderer(part, base_rules, fmt.width, fmt.height, ticks)
        errors.append(_luma_error(renderer, job.frames, fmt))
    grain = measure_grain(renderer, job.frames, fmt, flow) if settings.grain else None
    duration = int(ticks[-1] - ticks[0])
    return SegmentResult(
        tuple(payloads), num_frames, duration, tuple(errors), len(symbols.table), fitted.losses, grain,
    )  # fmt: skip


def _base(planes: Float32) -> tuple[tuple[int, int, int], np.ndarray]:
    """The mean colour as the header holds it, and what a decoder makes of that."""
    mean = planes.mean((0, 2, 3), dtype=np.float64)
    luma, blue, red = np.clip(np.round(mean * 1023 + np.array([0, 512, 512])), 0, 1023).astype(int)
    base = (int(luma), int(blue), int(red))
    return base, quantize.base_planes(base)


def _luma_error(renderer: SegmentRenderer, frames: Sequence[CodeFrame], fmt: VideoFormat) -> float:
    total = 0.0
    for start in range(0, len(frames), _BATCH):
        batch = renderer.planes(renderer.times[start : start + _BATCH])
        total += sum(luma_error(planes, frame, fmt) for planes, frame in zip(batch, frames[start:], strict=False))
    return total
