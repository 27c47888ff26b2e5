"""Encoding while the input is still written: segments in order, one after the other, each as soon as it is fitted.

No codebooks or start states are shared between segments, as they would have to be known before the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gvideo.bitstream.headers import SequenceHeader
from gvideo.encoder.encode import sequence_header, usual_duration
from gvideo.encoder.pool import use_threads
from gvideo.encoder.scenes import segmenter_of
from gvideo.encoder.segment import SegmentJob, encode_segment
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


def encode_live(video: VideoSource, settings: EncodeSettings, num_threads: int) -> Iterator[LiveSegment]:
    """The segments of a source that is read once."""
    use_threads(num_threads)
    segmenter = segmenter_of(settings.segment_seconds, video.format.timescale)
    header: SequenceHeader | None = None
    for frames in segmenter.segments(video.code_frames()):
        if header is None:
            header = sequence_header(video.format, usual_duration(frames), frames[0].pts)
        job = SegmentJob(tuple(frames), video.format, settings, header.frame_duration, StepRules(settings.distortion))
        result = encode_segment(job)
        yield LiveSegment(header, frames[0].pts, result.duration, result.num_frames, result.units())
