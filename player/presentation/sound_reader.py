"""Sound of a published stream: segments of any codec that FFmpeg knows to samples on the stream's axis.

init + segment ──demux──► packets ──one decoder──► resample ──► (s, f32 [n,2]) at 48 kHz

Packets go through one decoder from segment to segment, as AAC and Opus need what came before.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

import av
import av.error
import numpy as np

from gvideo.errors import GVideoError, MediaError
from gvideo.types import Float32
from player.source.fetch import Fetcher
from player.source.record import Resource, Segment, Track

RATE = 48000
#: Samples that lie so near to their place follow the ones before.
_TOLERANCE_SECONDS = 0.02


class SoundReader:
    """A track of sound. shift: from a part's media times to the axis, s; None while it is not known."""

    def __init__(self, track: Track, fetcher: Fetcher, shift: Callable[[int], float | None]) -> None:
        self.track, self._fetcher, self._shift = track, fetcher, shift
        self._inits: dict[Resource, bytes] = {}

    def samples(self, start: float, is_over: Callable[[], bool]) -> Iterator[tuple[float, Float32]]:
        """(time of the first sample in s, samples f32 [n,2]) from `start` on, one block behind the other. Between
        blocks is_over is asked whether to go on. Raises MediaError, which names the file."""
        segments = self.track.segments
        starts = [0.0, *accumulate(float(s.seconds) for s in segments)]
        number = max(0, min(bisect_right(starts, start) - 1, len(segments) - 1) - 1)  # the decoder warms up
        decoder: _Decoder | None = None
        part = None
        while not is_over() and number < len(self.track.segments):
            segment = self.track.segments[number]
            if decoder is None or segment.part != part:
                decoder, part = _Decoder(), segment.part
            shift = self._shift(segment.part)
            for time, block in decoder.blocks(self._data(segment), self.track.track_id, segment.media.url):
                at = time - float(segment.origin) + (shift or 0.0)
                skipped = max(0, round((start - at) * RATE))
                if skipped < len(block):
                    yield at + skipped / RATE, block[skipped:]
                if is_over():
                    return
            number += 1

    def _data(self, segment: Segment) -> bytes:
        init, media = segment.init, segment.media
        if init.url and init != media and init not in self._inits:
            self._inits[init] = self._fetcher.read(init.url, init.offset, init.size)
        head = self._inits.get(init, b"")
        return head + self._fetcher.read(media.url, media.offset, media.size)


class _Decoder:
    """Blocks of one part, continuous from segment to segment."""

    def __init__(self) -> None:
        self._context: Any = None
        self._resampler = av.AudioResampler(format="flt", layout="stereo", rate=RATE)
        self._next: float | None = None

    def blocks(self, data: bytes, track_id: int, url: str) -> Iterator[tuple[float, Float32]]:
        """(media time in s, samples) of a segment."""
        try:
            with av.open(io.BytesIO(data), "r", metadata_errors="ignore") as container:
                stream = _stream(container.streams.audio, track_id, url)
                context = stream.codec_context
                if self._context is None:
                    self._context = av.CodecContext.create(context.name, "r")
                    self._context.extradata = context.extradata
                    self._context.sample_rate, self._context.layout = context.sample_rate, context.layout
                for packet in container.demux(stream):
                    if packet.size and packet.pts is not None:
                        yield from self._decode(packet)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{url}: its sound cannot be read ({getattr(error, 'strerror', None) or error})"
            ) from error

    def _decode(self, packet: Any) -> Iterator[tuple[float, Float32]]:
        try:
            frames = self._context.decode(packet)
        except av.error.InvalidDataError:
            return  # silence instead
        for frame in frames:
            time = float(packet.pts * Fraction(packet.time_base))
            if self._next is None and packet.duration:  # what a decoder swallows of its first packet is at its start
                swallowed = float(packet.duration * packet.time_base) - frame.samples / frame.sample_rate
                time += max(0.0, swallowed)
            frame.pts = None
            for out in self._resampler.resample(frame):
                block = out.to_ndarray().reshape(-1, 2).astype(np.float32)
                if self._next is None or abs(time - self._next) > _TOLERANCE_SECONDS:
                    self._next = time
                at, self._next = self._next, self._next + len(block) / RATE
                yield at, block


def _stream(streams: Sequence[Any], track_id: int, url: str) -> Any:
    for stream in streams:
        if track_id in (0, stream.id):
            return stream
    raise GVideoError(f"{url}: holds no sound")
