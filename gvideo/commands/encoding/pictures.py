"""Pictures of a stream for the packager: frames of the H.264 fallback, poster and thumbnails.

All of them without grain: another codec would spend its bits on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.media import VideoSource, planes_to_code_values
from gvideo.types import UInt8, VideoFormat

if TYPE_CHECKING:
    from packager.avc import FallbackFrame
    from packager.gsv import GsvFile
    from packager.pictures import PreviewPictures
    from packager.tracks import MediaTrack


def fallback_track(rung: GsvFile, source: Path | None, crf: float, number: int | None = None) -> MediaTrack:
    """H.264 of the rung's size and cuts: of the source where its frames have the stream's times, else of the stream.
    number: of the source's stream."""
    from gvideo.media.timing import frame_rate_of
    from packager.avc import encode_avc

    with VideoDecoder(rung.path) as decoder:
        size = (max(2, decoder.metadata.width // 2 * 2), max(2, decoder.metadata.height // 2 * 2))
        timescale, start = decoder.timescale, int(decoder.pts[0])
        pts = [int(t) - start for t in decoder.pts]
        ends = [*pts[1:], pts[-1] + int(decoder.durations[-1])]
        durations = [b - a for a, b in zip(pts, ends, strict=True)]
        stream_format = decoder.metadata.format
    rate = frame_rate_of(len(pts), ends[-1], timescale)
    frames = _source_frames(source, number, size, timescale, start, pts, durations) if source else None
    aspect = stream_format.sample_aspect * Fraction(stream_format.width * size[1], stream_format.height * size[0])
    video_format = replace(
        stream_format, width=size[0], height=size[1], chroma_format="420", bit_depth=8, timescale=timescale,
        sample_aspect=aspect.limit_denominator(1000),
    )  # fmt: skip
    return encode_avc(
        frames or _stream_frames(rung.path, video_format, pts, durations), video_format, rung.cuts, rate, crf=crf
    )


def _stream_frames(
    path: Path, video_format: VideoFormat, pts: list[int], durations: list[int]
) -> Iterator[FallbackFrame]:
    from packager.avc import FallbackFrame

    with VideoDecoder(path, size=(video_format.width, video_format.height), grain=False) as decoder:
        batch = decoder.batch_size
        for first in range(0, len(pts), batch):
            numbers = range(first, min(first + batch, len(pts)))
            for n, planes in zip(numbers, decoder.planes_at(list(numbers)), strict=True):
                yield FallbackFrame(planes_to_code_values(planes, video_format), pts[n], durations[n])


def _source_frames(
    source: Path,
    number: int | None,
    size: tuple[int, int],
    timescale: int,
    start: int,
    pts: list[int],
    durations: list[int],
) -> Iterator[FallbackFrame] | None:
    """The source's frames, or None if it has another clock than the stream."""
    with VideoSource(source, size=size, chroma_format="420", stream=number) as video:
        if video.format.timescale != timescale:
            return None

    def frames() -> Iterator[FallbackFrame]:
        from packager.avc import FallbackFrame

        wanted = dict(zip(pts, durations, strict=True))
        with VideoSource(source, size=size, chroma_format="420", stream=number) as video:
            eight = replace(video.format, bit_depth=8)
            for frame in video.code_frames():
                duration = wanted.get(frame.pts - start)
                if duration is not None:
                    planes = frame.planes
                    if video.format.bit_depth > 8:
                        planes = planes_to_code_values(frame.to_source_frame(video.format).planes, eight)
                    yield FallbackFrame(planes, frame.pts - start, duration)

    return frames()


def pictures_of(rung: GsvFile) -> PreviewPictures:
    """Pictures of a stream as viewers see them: in square pixels, turned as its rotation says."""
    from packager.pictures import PreviewPictures

    rotation = rung.header.rotation
    width, height = rung.track().shown_size
    decoders: dict[tuple[int, int], VideoDecoder] = {}

    def render(moment: Fraction, size: tuple[int, int]) -> UInt8:
        coded = size[::-1] if rotation in (90, 270) else size
        if coded not in decoders:
            decoders[coded] = VideoDecoder(rung.path, size=coded, grain=False)
        decoder = decoders[coded]
        ticks = (moment + Fraction(rung.start, decoder.timescale)) * decoder.timescale
        number = int(np.searchsorted(decoder.pts, int(ticks), side="right")) - 1
        return np.ascontiguousarray(np.rot90(decoder[number].transpose(1, 2, 0), -rotation // 90))

    return PreviewPictures(render, width, height, rung.cuts[-1])
