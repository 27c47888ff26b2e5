"""A video file to a .gsv stream: frames to segments, segments to workers, payloads to units.

source -> segmenter -> jobs -> executor (or the spool of an interrupted run) -> spool  one pass, or with a rate to
                                                                                       meet as many as search.py wants
       -> codebooks and priors of an even choice of segments -> the same symbols coded anew, if that is shorter
       -> file, renamed when whole
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gvideo.bitstream import container, headers
from gvideo.bitstream.headers import IndexEntry, SequenceHeader
from gvideo.encoder.grain import grain_of
from gvideo.encoder.jobs.executor import SegmentExecutor
from gvideo.encoder.jobs.pool import ProcessExecutor
from gvideo.encoder.jobs.progress import PassProgress
from gvideo.encoder.jobs.report import EncodeProgress, EncodeReport, PrefixReport
from gvideo.encoder.jobs.spool import Spool, open_spool
from gvideo.encoder.rate.model import RateTarget
from gvideo.encoder.rate.search import TOLERANCE, RateSearch, Size, first_guess
from gvideo.encoder.scenes.segmenter import segmenter_of
from gvideo.encoder.segment import SegmentJob, SegmentResult
from gvideo.encoder.settings import DEFAULT_CRF, FASTEST, EncodeSettings
from gvideo.encoder.sharing.recode import even_choice, recode, reduce_segments
from gvideo.errors import MediaError, OptionError
from gvideo.media import CodeFrame, VideoSource, psnr_db
from gvideo.media.reading.pipe import PipeCopy
from gvideo.model.steps import StepRules
from gvideo.types import VideoFormat

#: Codebooks and corrected start states are trained for streams of at least so many segments; with two there was nothing
#: to win on any clip, and training takes seconds.
MIN_SHARING_SEGMENTS = 3
#: Searches at most that follow what codebooks and start states take from the file.
MAX_ADJUSTMENTS = 3


def encode(
    source: str | os.PathLike[str] | PipeCopy,
    destination: str | os.PathLike[str],
    *,
    crf: float | None = None,
    bitrate: float | None = None,
    maxrate: float | None = None,
    bufsize: float | None = None,
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
    grain: bool = False,
    tune: str = "psnr",
    stream: int | None = None,
    strict: bool = False,
    executor: SegmentExecutor | None = None,
    spool: str | os.PathLike[str] | Spool | None = None,
    progress: Callable[[EncodeProgress], None] | None = None,
) -> EncodeReport:
    """Encodes a video file, numbered pictures, a pipe, standard input ("-") or an object of a store to a .gsv stream.

    The bytes depend on everything but the workers and the executor; devices, and processors of different kinds, round
    differently. An encode that was interrupted goes on where it stopped when it is called again in the same way.

    Args:
        source: a path, a pattern such as frames/%05d.png, "-", or an object's URL (s3://, gs://, az://).
        destination: the path of the stream; it appears when it is whole.
        crf: 0 to 63, lower is better, about x264's quality at the same number; 34 if neither it nor bitrate is given.
        bitrate: bits a second of the whole file, met within 5 % in two passes.
        maxrate: bits a second that fill the decoder's buffer, which every segment fits; with crf it lowers the quality
            where it must.
        bufsize: bits of that buffer (default: maxrate for two segments).
        size: (width, height) in px to resize to.
        first: number of the first frame to encode, from 0.
        last: number of the last frame to encode, itself included; None for the end.
        segment_seconds: longest segment, 0.1 to 60 s.
        preset: "veryfast", "fast", "medium" or "slow": time spent.
        device: "cpu", "cuda" or "auto".
        workers: processes (default: one a core, or up to four a GPU).
        seed: of the random choices.
        layers: 1 to 8 of every segment, each prefix of them a picture.
        segment_frames: frames of every segment, instead of cuts found in the picture, so that the rungs of a ladder are
            cut alike.
        grain: measure the noise that the pictures lack and describe it for decoders to draw, in 18 bytes; it takes no
            part in the PSNR that is reported.
        tune: "psnr", "ssim" or "vmaf", the measure to serve; the others cost PSNR.
        stream: its number in the source, as ffmpeg counts; None for the one that ffmpeg chooses.
        strict: refuse a source of which frames are missing or damaged.
        executor: where segments are fitted (default: ProcessExecutor(workers)); it is not closed.
        spool: a folder, or the URL of one in a store, where finished segments wait until the stream is whole (default:
            OUT.resume beside the destination); a Spool stays for whoever gave it.
        progress: called with an EncodeProgress several times a second.

    Returns:
        An EncodeReport: sizes, rates, quality, time, and what was unusual about the source.

    Raises:
        MediaError: the source cannot be read or the destination not be written.
        GVideoError: segments cannot be fitted, since workers or machines are lost again and again.
        OptionError: an option makes no sense.
        KeyboardInterrupt: leaves what is needed to resume.

    Example:
        >>> report = gvideo.encode("clip.mp4", "out.gsv", crf=50, preset="veryfast", last=3)
        >>> report.num_frames, report.num_segments
        (4, 1)
    """
    settings = EncodeSettings(DEFAULT_CRF if crf is None else crf, preset, segment_seconds, seed, layers, grain, tune)
    rate = RateTarget.of(bitrate, maxrate, bufsize, segment_seconds, crf)
    if executor is not None and workers is not None:
        raise OptionError("workers: the executor that is given has its own; leave one of the two out")
    fits = ProcessExecutor(workers) if executor is None else executor
    where = fits.choose_device(device)
    target = Path(destination)
    if not target.parent.is_dir():
        raise MediaError(f"{target}: its folder does not exist")
    if target.is_dir():
        raise MediaError(f"{target}: is a folder")
    with VideoSource(source, size=size, first=first, last=last, stream=stream, strict=strict) as video:
        kept = spool if isinstance(spool, Spool) else open_spool(str(target), None if spool is None else str(spool))
        try:
            report = _Run(video, target, kept, settings, rate, where, fits, segment_frames, progress).run()
            if kept is not spool:
                kept.remove()
            return report
        finally:
            if kept is not spool:
                kept.remove_if_empty()


class _Run:
    """One encode under way."""

    def __init__(
        self,
        video: VideoSource,
        target: Path,
        spool: Spool,
        settings: EncodeSettings,
        rate: RateTarget | None,
        device: str,
        executor: SegmentExecutor,
        segment_frames: Sequence[int] | None,
        progress: Callable[[EncodeProgress], None] | None,
    ) -> None:
        self.video, self.target, self.spool, self.settings, self.rate = video, target, spool, settings, rate
        self.segment_frames, self.device, self.executor = segment_frames, device, executor
        self.report_to = progress
        self.started = time.monotonic()
        self.frame_duration = 0
        self.start = 0
        self.resumed: set[str] = set()
        self.finished: set[str] = set()
        self.current_pass = PassProgress()
        self.made: dict[tuple[int, int], str] = {}
        self.search: RateSearch | None = None

    def run(self) -> EncodeReport:
        """Encodes everything and puts the stream together."""
        keys = [self.made[n, d] for n, d in enumerate(self._distortions())]
        if not keys:
            known = "".join(f"; {note}" for note in self.video.notes)
            raise OptionError(f"{self.video.name}: no frame of it is in the range asked for{known}")
        header, written = self._shared(keys)
        for _ in range(MAX_ADJUSTMENTS if self.search is not None else 0):
            # what segments share has made the file smaller than the search knew
            assert self.search is not None
            miss = self.search.miss_of(8 * self._file_size(header, written))
            if abs(miss) <= TOLERANCE:
                break
            before, keys = keys, [self.made[n, d] for n, d in enumerate(self.search.moved(1 / (1 + miss)))]
            if keys == before:
                break
            header, written = self._shared(keys)
        size = self._write(header, written)
        return self._report(size, keys, written)

    @property
    def _frame_rate(self) -> float:
        """Frames a second, a guess where the file does not tell."""
        return float(self.video.average_rate or 25)

    def _distortions(self) -> list[int]:
        """Fits all segments; the distortion at which each is wanted."""
        distortion = self.settings.distortion
        if self.rate is None:
            return [distortion] * len(self._encode(lambda _: distortion, False, ""))
        if self.rate.bitrate is not None:
            fmt = self.video.format
            distortion = first_guess(self.rate.bitrate / self._frame_rate / fmt.width / fmt.height)
        probing = self.settings.preset != FASTEST
        self.search = RateSearch(self._encode, self.rate, distortion, self._overhead_bits, probing)
        return self.search.run()

    def _encode(self, wish: Callable[[int], int | None], fast: bool, stage: str) -> dict[int, Size]:
        """A pass over the source. wish: a segment's distortion, or None to leave it out. fast: by the fastest preset,
        one layer. The sizes by number; results are in the spool, those that are no probes under `made`."""
        settings = replace(self.settings, preset=FASTEST, layers=1, grain=False) if fast else self.settings
        counts = self.current_pass.counts
        wanted = sum(n for k, n in enumerate(counts) if wish(k) is not None) if counts else None
        self.current_pass = PassProgress(stage, wanted, counts)
        sizes: dict[int, Size] = {}
        keys: dict[int, tuple[int, str]] = {}

        def finish(number: int, result: SegmentResult) -> None:
            self.finished.add(keys[number][1])
            sizes[number] = Size(8 * _size(result), result.duration / self.video.format.timescale)
            if not fast:
                self.made[number, keys[number][0]] = keys[number][1]
            self.current_pass.account(number, result)
            self._tell()

        def jobs() -> Iterator[tuple[int, SegmentJob]]:
            for number, frames in enumerate(self._segments()):
                if number == len(self.current_pass.counts):
                    self.current_pass.counts.append(len(frames))
                distortion = wish(number)
                if distortion is None:
                    continue
                if self.frame_duration == 0:
                    self.start, self.frame_duration = frames[0].pts, usual_duration(frames)
                rules = StepRules(distortion)
                job = SegmentJob(tuple(frames), self.video.format, settings, self.frame_duration, rules, self.device)
                keys[number] = distortion, job.key()
                result = self.spool.load(keys[number][1])
                if result is not None:
                    if keys[number][1] not in self.finished:
                        self.resumed.add(keys[number][1])
                    finish(number, result)
                else:
                    yield number, job

        label = f"{os.path.basename(self.video.name)} {stage}".rstrip()
        for fitted in self.executor.run(jobs(), self._share, label):
            self.spool.store(keys[fitted.number][1], fitted.result)
            finish(fitted.number, fitted.result)
        if self.segment_frames is None:
            self.segment_frames = tuple(self.current_pass.counts)  # cuts are looked for once
        return sizes

    def _shared(self, keys: list[str]) -> tuple[SequenceHeader, list[str]]:
        """(the header, the spooled results to write): with codebooks and priors if they make the stream smaller."""
        plain = sequence_header(self.video.format, self.frame_duration, self.start)
        if self.settings.grain:
            measured = (self._stored(key).grain for key in keys)
            plain = replace(plain, grain=grain_of((g for g in measured if g is not None), self.settings.seed))
        if len(keys) < MIN_SHARING_SEGMENTS:
            return plain, keys
        num_gaussians = sum(self._stored(key).num_gaussians for key in keys)
        plan = reduce_segments(
            (self._stored(keys[k]).payloads for k in even_choice(len(keys), num_gaussians)), plain, len(keys)
        )
        header = plan.header(plain)
        if header == plain:
            return plain, keys
        saved, shared = len(headers.format_sequence(plain)) - len(headers.format_sequence(header)), []
        for key in keys:
            result = self._stored(key)
            coded = replace(result, payloads=tuple(recode(result.payloads, plain, header, plan)), grain=None)
            saved += _size(result) - _size(coded)
            shared.append(key + ".shared")
            self.spool.store(shared[-1], coded)
        return (header, shared) if saved > 0 and self._held(header, shared) else (plain, keys)

    def _held(self, header: SequenceHeader, keys: list[str]) -> bool:
        """Whether results coded anew still keep the buffer: their sum is smaller, one of them need not be."""
        if self.search is None:
            return True
        bits = [8.0 * _size(self._stored(key)) for key in keys]
        return self.search.holds(bits, 8.0 * len(self._front(header, keys)))

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

    def _share(self, number: int, share: float) -> None:
        self.current_pass.share(number, share)
        self._tell()

    def _tell(self) -> None:
        if self.report_to is None:
            return
        p, fmt = self.current_pass, self.video.format
        total = self.video.num_frames if p.num_frames is None else p.num_frames
        seconds, elapsed = p.ticks / fmt.timescale, time.monotonic() - self.started
        psnr = _psnr(p.luma_errors, p.frames_coded, fmt)
        self.report_to(EncodeProgress(p.frames_done, total, p.num_bytes, seconds, psnr, elapsed, p.stage))

    def _overhead_bits(self, num_segments: int) -> float:
        """Bits of a stream of so many segments beside them; an index entry takes six bytes or so."""
        header = sequence_header(self.video.format, self.frame_duration, self.start)
        index = 8 + 6 * num_segments if num_segments >= container.MIN_INDEXED_SEGMENTS else 0
        grain = headers.GRAIN_BYTES if self.settings.grain else 0
        return 8.0 * (len(container.format_front(header, ())) + grain + index)

    def _front(self, header: SequenceHeader, keys: list[str]) -> bytes:
        """What stands in front of the segments."""
        results = (self._stored(key) for key in keys)
        entries = [IndexEntry(_size(r), r.num_frames, r.duration, 0) for r in results]
        return container.format_front(header, entries)

    def _file_size(self, header: SequenceHeader, keys: list[str]) -> int:
        return len(self._front(header, keys)) + sum(_size(self._stored(key)) for key in keys)

    def _write(self, header: SequenceHeader, keys: list[str]) -> int:
        partial = self.target.with_name(self.target.name + ".partial")
        try:
            with partial.open("wb") as out:
                out.write(self._front(header, keys))
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

    def _report(self, size: int, keys: list[str], written: list[str]) -> EncodeReport:
        results = [replace(self._stored(key), payloads=()) for key in keys]
        fmt, elapsed = self.video.format, time.monotonic() - self.started
        num_frames = sum(r.num_frames for r in results)
        seconds = sum(r.duration for r in results) / fmt.timescale
        layer_bytes = [[len(u) for u in self._stored(key).units()] for key in written]
        beside = size - sum(map(sum, layer_bytes))
        prefixes = tuple(
            PrefixReport(
                beside + sum(sum(sizes[: k + 1]) for sizes in layer_bytes),
                _psnr([r.luma_errors[k] for r in results], num_frames, fmt),
            )
            for k in range(self.settings.layers)
        )
        losses = tuple(math.fsum(step) / len(step) for step in zip(*(r.losses for r in results), strict=True))
        return EncodeReport(
            num_frames, len(keys), sum(r.num_gaussians for r in results), size, seconds, 8 * size / seconds,
            _psnr([r.luma_error for r in results], num_frames, fmt), elapsed, num_frames / max(elapsed, 1e-9),
            len(self.resumed), losses, prefixes, self.video.notes,
        )  # fmt: skip


def sequence_header(fmt: VideoFormat, frame_duration: int, start: int) -> SequenceHeader:
    """The header of a stream of that format."""
    c = fmt.colour
    return SequenceHeader(
        fmt.width, fmt.height, fmt.timescale, frame_duration, start, fmt.chroma_format, fmt.bit_depth, c.primaries,
        c.transfer, c.matrix, c.full_range, fmt.sample_aspect, fmt.rotation,
    )  # fmt: skip


def _psnr(luma_errors: Sequence[float], num_frames: int, fmt: VideoFormat) -> float:
    pixels = num_frames * fmt.width * fmt.height
    return psnr_db(math.fsum(luma_errors) / pixels) if pixels else math.nan


def _size(result: SegmentResult) -> int:
    return sum(len(u) for u in result.units())


def usual_duration(frames: list[CodeFrame]) -> int:
    """The most frequent frame duration, ticks."""
    durations = sorted(f.duration for f in frames)
    return max(1, max(durations, key=durations.count))
