"""A video file to a .gsv stream: frames to segments, segments to workers, payloads to units.

source -> segmenter -> jobs -> pool (or the spool of an interrupted run) -> spool
       -> codebooks and priors of an even choice of segments -> the same symbols coded anew, if that is shorter
       -> file, renamed when whole
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gvideo.bitstream import headers, units
from gvideo.bitstream.headers import IndexEntry, SequenceHeader
from gvideo.encoder.pool import encode_all
from gvideo.encoder.recode import even_choice, recode, reduce_segments
from gvideo.encoder.scenes import segmenter_of
from gvideo.encoder.segment import SegmentJob, SegmentResult
from gvideo.encoder.settings import EncodeSettings
from gvideo.encoder.spool import Spool
from gvideo.errors import MediaError, OptionError
from gvideo.media import CodeFrame, VideoSource
from gvideo.model.steps import StepRules
from gvideo.types import VideoFormat

#: An index is written for streams of at least so many segments; shorter ones are found by walking over them.
MIN_INDEXED_SEGMENTS = 4
#: Codebooks and corrected start states are trained for streams of at least so many segments; with two there was nothing
#: to win on any clip, and training takes seconds.
MIN_SHARING_SEGMENTS = 3
#: Cores that share one segment at most; more threads than frames in a step have nothing to do.
_MAX_THREADS = 4


@dataclass(frozen=True, slots=True)
class EncodeProgress:
    """How far an encode is. frames_done counts shares of unfinished segments; num_frames None: not known yet."""

    frames_done: float
    num_frames: int | None
    num_bytes: int
    coded_seconds: float
    luma_psnr_db: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What came out. luma_psnr_db over all frames, of what a decoder shows against the source's 8-bit-scaled codes.
    losses: squared error (full scale) per pixel at every step of training, mean of all segments."""

    num_frames: int
    num_segments: int
    num_gaussians: int
    num_bytes: int
    seconds: float
    bitrate_bps: float
    luma_psnr_db: float
    elapsed_s: float
    frames_per_second: float
    num_resumed: int
    losses: tuple[float, ...]


def encode(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    crf: float = 34.0,
    size: tuple[int, int] | None = None,
    first: int = 0,
    last: int | None = None,
    segment_seconds: float = 2.0,
    preset: str = "medium",
    device: str = "auto",
    workers: int | None = None,
    seed: int = 0,
    layers: int = 1,
    segment_frames: Sequence[int] | None = None,
    progress: Callable[[EncodeProgress], None] | None = None,
) -> EncodeReport:
    """Encodes a video file to a .gsv stream.

    crf: lower is better, about x264's quality at the same number. size: (width, height) to resize to. first, last:
    frames to encode, both included. segment_seconds: longest segment. device: "cpu", "cuda" or "auto". workers:
    processes (default: one a core). segment_frames: frames of every segment, instead of cuts found in the picture, so
    that the rungs of a ladder are cut alike. The bytes depend on everything but device and workers.
    Raises MediaError for files, OptionError for options; KeyboardInterrupt leaves what is needed to resume.
    """
    settings = EncodeSettings(crf, preset, segment_seconds, seed, layers)
    _check_device(device)
    target = Path(destination)
    if not target.parent.is_dir():
        raise MediaError(f"{target}: its folder does not exist")
    if target.is_dir():
        raise MediaError(f"{target}: is a folder")
    with VideoSource(source, size=size, first=first, last=last) as video:
        spool = Spool(target)
        try:
            return _Run(video, target, spool, settings, workers, segment_frames, progress).run()
        finally:
            spool.remove_if_empty()


def _check_device(device: str) -> None:
    if device not in ("auto", "cpu", "cuda"):
        raise OptionError(f"--device {device}: auto, cpu or cuda wanted")
    if device == "cuda":
        raise OptionError("--device cuda: this version has no CUDA kernels; use cpu")


class _Run:
    """One encode under way."""

    def __init__(
        self,
        video: VideoSource,
        target: Path,
        spool: Spool,
        settings: EncodeSettings,
        workers: int | None,
        segment_frames: Sequence[int] | None,
        progress: Callable[[EncodeProgress], None] | None,
    ) -> None:
        self.video, self.target, self.spool, self.settings = video, target, spool, settings
        self.segment_frames = segment_frames
        cores = os.cpu_count() or 1
        self.workers = cores if workers is None else workers
        if self.workers < 1:
            raise OptionError(f"--workers {self.workers}: at least 1 wanted")
        self.threads = min(max(1, cores // self.workers), _MAX_THREADS)
        self.report_to = progress
        self.started = time.monotonic()
        self.frame_duration = 0
        self.start = 0
        self.rules = StepRules(settings.distortion)
        self.keys: list[str] = []
        self.counts: list[int] = []
        self.shares: dict[int, float] = {}
        self.resumed: set[int] = set()
        self.num_bytes = self.num_frames = self.num_gaussians = 0
        self.coded_ticks = 0
        self.luma_errors: list[float] = []
        self.losses: list[tuple[float, ...]] = []

    def run(self) -> EncodeReport:
        """Encodes everything and puts the stream together."""
        for number, result in encode_all(self._jobs(), self.workers, self.threads, self._share):
            self._account(number, result)
            self.spool.store(self.keys[number], result)
        if not self.keys:
            raise OptionError(f"{self.video.path}: no frame of it is in the range asked for")
        header, keys = self._shared()
        size = self._write(header, keys)
        self.spool.remove()
        return self._report(size)

    def _shared(self) -> tuple[SequenceHeader, list[str]]:
        """(the header, the spooled results to write): with codebooks and priors if they make the stream smaller."""
        plain = sequence_header(self.video.format, self.frame_duration, self.start)
        if len(self.keys) < MIN_SHARING_SEGMENTS:
            return plain, self.keys
        plan = reduce_segments(
            (self._stored(self.keys[k]).payloads for k in even_choice(len(self.keys), self.num_gaussians)), plain,
            len(self.keys),
        )  # fmt: skip
        header = plan.header(plain)
        if header == plain:
            return plain, self.keys
        saved, keys = len(headers.format_sequence(plain)) - len(headers.format_sequence(header)), []
        for key in self.keys:
            result = self._stored(key)
            coded = replace(result, payloads=tuple(recode(result.payloads, plain, header, plan)))
            saved += _size(result) - _size(coded)
            keys.append(key + ".shared")
            self.spool.store(keys[-1], coded)
        return (header, keys) if saved > 0 else (plain, self.keys)

    def _jobs(self) -> Iterator[tuple[int, SegmentJob]]:
        """Jobs that no earlier run has finished; those that one has are accounted for at once."""
        for number, frames in enumerate(self._segments()):
            if number == 0:
                self.start = frames[0].pts
                self.frame_duration = usual_duration(frames)
            job = SegmentJob(tuple(frames), self.video.format, self.settings, self.frame_duration, self.rules)
            self.keys.append(job.key())
            self.counts.append(len(frames))
            finished = self.spool.load(self.keys[-1])
            if finished is not None:
                self.resumed.add(number)
                self._account(number, finished)
            else:
                yield number, job

    def _segments(self) -> Iterator[list[CodeFrame]]:
        if self.segment_frames is not None:
            frames = self.video.code_frames()
            yield from (s for n in self.segment_frames if (s := list(itertools.islice(frames, n))))
            return
        segmenter = segmenter_of(self.settings.segment_seconds, self.video.format.timescale)
        yield from segmenter.segments(self.video.code_frames())

    def _stored(self, key: str) -> SegmentResult:
        result = self.spool.load(key)
        if result is None:
            raise MediaError(f"{self.spool.folder}: a finished segment has disappeared")
        return result

    def _account(self, number: int, result: SegmentResult) -> None:
        self.shares[number] = 1.0
        self.num_frames += result.num_frames
        self.num_gaussians += result.num_gaussians
        self.num_bytes += _size(result)
        self.coded_ticks += result.duration
        self.luma_errors.append(result.luma_error)
        self.losses.append(result.losses)
        self._tell()

    def _share(self, number: int, share: float) -> None:
        self.shares[number] = min(max(self.shares.get(number, 0.0), share), 1.0)
        self._tell()

    def _tell(self) -> None:
        if self.report_to is None:
            return
        done = sum(share * self.counts[n] for n, share in self.shares.items() if n < len(self.counts))
        seconds = self.coded_ticks / self.video.format.timescale
        elapsed = time.monotonic() - self.started
        self.report_to(EncodeProgress(done, self.video.num_frames, self.num_bytes, seconds, self._psnr(), elapsed))

    def _psnr(self) -> float:
        pixels = self.num_frames * self.video.format.width * self.video.format.height
        return psnr_db(math.fsum(self.luma_errors) / pixels) if pixels else math.nan

    def _write(self, header: SequenceHeader, keys: list[str]) -> int:
        results = (self._stored(key) for key in keys)
        entries = [IndexEntry(_size(r), r.num_frames, r.duration, 0) for r in results]
        partial = self.target.with_name(self.target.name + ".partial")
        try:
            with partial.open("wb") as out:
                out.write(units.SIGNATURE)
                out.write(units.format_unit(units.SEQUENCE, headers.format_sequence(header)))
                if len(entries) >= MIN_INDEXED_SEGMENTS:
                    index = headers.format_index(headers.Index(tuple(entries)))
                    out.write(units.format_unit(units.INDEX, index))
                for key in keys:
                    for unit in self._stored(key).units():
                        out.write(unit)
                size = out.tell()
            os.replace(partial, self.target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise MediaError(f"{self.target}: cannot be written ({error.strerror or error})") from error
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return size

    def _report(self, size: int) -> EncodeReport:
        seconds = self.coded_ticks / self.video.format.timescale
        elapsed = time.monotonic() - self.started
        return EncodeReport(
            self.num_frames, len(self.keys), self.num_gaussians, size, seconds, 8 * size / seconds, self._psnr(),
            elapsed, self.num_frames / max(elapsed, 1e-9), len(self.resumed),
            tuple(math.fsum(step) / len(step) for step in zip(*self.losses, strict=True)),
        )  # fmt: skip


def sequence_header(fmt: VideoFormat, frame_duration: int, start: int) -> SequenceHeader:
    """The header of a stream of that format."""
    c = fmt.colour
    return SequenceHeader(
        fmt.width, fmt.height, fmt.timescale, frame_duration, start, fmt.chroma_format, fmt.bit_depth, c.primaries,
        c.transfer, c.matrix, c.full_range, fmt.sample_aspect, fmt.rotation,
    )  # fmt: skip


def psnr_db(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio of 8-bit codes in dB."""
    return 10 * math.log10(255**2 / mean_squared_error) if mean_squared_error > 0 else math.inf


def _size(result: SegmentResult) -> int:
    return sum(len(u) for u in result.units())


def usual_duration(frames: list[CodeFrame]) -> int:
    """The most frequent frame duration, ticks."""
    durations = sorted(f.duration for f in frames)
    return max(1, max(durations, key=durations.count))
