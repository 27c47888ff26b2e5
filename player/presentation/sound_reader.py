"""Sound of a published stream: segments of any codec that FFmpeg knows to samples on the stream's axis.

init + segment ──demux──► packets ──one decoder──► resample ──► (s, f32 [n,2]) at 48 kHz

Packets go through one decoder from segment to segment, as AAC and Opus need what came before.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np

from gvideo.errors import GVideoError, MediaError
from gvideo.types import Float32
from player.presentation.rendition import Rendition
from player.source import boxes
from player.source.cutting import Cutter
from player.source.fetch import Fetcher
from player.source.record import Resource, Segment

RATE = 48000
#: Samples that lie so near to their place follow the ones before.
_TOLERANCE_SECONDS = 0.02
_POLL_SECONDS = 0.02
#: A part that the picture does not open in this time, while it knows a later one, lies behind it.
_PATIENCE_SECONDS = 1.0


class SoundReader:
    """A rendition's sound from any time on."""

    def __init__(self, rendition: Rendition, fetcher: Fetcher) -> None:
        self.rendition, self._fetcher = rendition, fetcher
        self._inits: dict[Resource, bytes] = {}
        self._cutter = Cutter(self._read)

    def samples(self, start: float, is_over: Callable[[], bool]) -> Iterator[tuple[float, Float32]]:
        """(time of the first sample in s, samples f32 [n,2]) from `start` on, one block behind the other. Between
        blocks is_over is asked whether to go on. At the end of a live stream it waits for more, and at a new part until
        the picture has come there. Raises MediaError, which names the file."""
        rendition = self.rendition
        rendition.follow()
        first = rendition.number_at(start)
        number = max(0, first - 1)  # the decoder warms up
        decoder: _Decoder | None = None
        part = None
        waited = 0.0
        while not is_over():
            segment = rendition.segment(number)
            if segment is None and not rendition.is_waiting():
                return
            shift = None if segment is None else rendition.shift(segment.part)
            if segment is None or shift is None:
                is_late = waited >= _PATIENCE_SECONDS
                if segment is not None and (number < first or (is_late and rendition.is_passed(segment.part))):
                    number += 1
                else:
                    time.sleep(_POLL_SECONDS)
                    waited += _POLL_SECONDS
                continue
            waited = 0.0
            if decoder is None or segment.part != part:
                decoder, part = _Decoder(), segment.part
            for heard, block in decoder.blocks(self._data(segment), rendition.track.track_id, segment.media.url):
                at = heard - float(segment.origin) + shift
                skipped = max(0, round((start - at) * RATE))
                if skipped < len(block):
                    yield at + skipped / RATE, block[skipped:]
                if is_over():
                    return
            number += 1

    def _data(self, segment: Segment) -> bytes:
        init, media = segment.init, segment.media
        if init.url and init != media and init not in self._inits:
            self._inits[init] = self._read(init)
        head = self._inits.get(init, b"")
        if segment.cut is not None:
            return head + self._cutter.cut(segment, media, boxes.fragment_places)
        return head + self._read(media)

    def _read(self, place: Resource) -> bytes:
        return self._fetcher.read(place.url, place.offset, place.size)

    def close(self) -> None:
        """Waits for nothing more."""
        self.rendition.close()


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
