"""Encoding while the input is still written: segments in order, one after the other, each as soon as it is fitted.

With a rate to meet, each segment's distortion follows from those before it (one_pass.py). No codebooks or start states
are shared between segments, as they would have to be known before the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gvideo.bitstream.headers import SequenceHeader
from gvideo.encoder.jobs.encode import sequence_header, usual_duration
from gvideo.encoder.jobs.executor import SegmentExecutor
from gvideo.encoder.rate.model import RateTarget
from gvideo.encoder.rate.one_pass import OnePass
from gvideo.encoder.scenes.segmenter import segmenter_of
from gvideo.encoder.segment import SegmentJob
from gvideo.encoder.settings import EncodeSettings
from gvideo.media import VideoSource
from gvideo.model.steps import StepRules


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """A segment: the header of its stream, ticks of its start and duration, frames, and the units of its layers."""

    header: SequenceHeader
    start: int
    duration: int
    num_frames: int
    layers: tuple[bytes, ...]


def encode_live(
    video: VideoSource,
    settings: EncodeSettings,
    executor: SegmentExecutor,
    rate: RateTarget | None = None,
    device: str = "cpu",
) -> Iterator[LiveSegment]:
    """The segments of a source that is read once. executor: is given one at a time, since the next is not there yet.
    device: "cpu" or "cuda", where they are fitted. Raises OptionError if a segment cannot fit the rate's buffer."""
    fmt = video.format
    segmenter = segmenter_of(settings.segment_seconds, fmt.timescale)
    header: SequenceHeader | None = None
    control: OnePass | None = None
    for number, frames in enumerate(segmenter.segments(video.code_frames())):
        if header is None:
            header = sequence_header(fmt, usual_duration(frames), frames[0].pts)
            pixel_rate = fmt.width * fmt.height * fmt.timescale / header.frame_duration
            control = None if rate is None else OnePass(rate, pixel_rate, settings.distortion)
        seconds = sum(f.duration for f in frames) / fmt.timescale
        distortion: int | None = settings.distortion if control is None else control.distortion(seconds)
        while distortion is not None:
            job = SegmentJob(tuple(frames), fmt, settings, header.frame_duration, StepRules(distortion), device)
            (fitted,) = executor.run([(number, job)], lambda *_: None, f"{video.name} live")
            result = fitted.result
            num_bits = 8 * sum(len(u) for u in result.units())
            distortion = None if control is None else control.take(num_bits, seconds, distortion)
        yield LiveSegment(header, frames[0].pts, result.duration, result.num_frames, result.units())
