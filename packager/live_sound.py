"""Sound of a source that is read once: coded as AAC while it comes, cut where the picture's segments end.

    decoded sound ──► one behind the other from zero ──► AAC packets of 1024 samples ──cut──► Pieces
                      silence in gaps, overlaps dropped

It is always coded anew: whether packets could be passed through to the end is not known at the beginning, and what a
source lacks becomes silence. Segments end at the packet boundary nearest to the picture's cut, and each has a packet
at least, so that both have the same numbers.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import av
import numpy as np

from gvideo.media.reading.beside import StreamBeside, Written
from packager.audio import CodedAudio, Filled, Packet, open_encoder, track_of
from packager.languages import language_name, short_tag
from packager.subtitles import Cue, cue_of
from packager.tracks import Chunk, MediaSample, MediaTrack, TrackSegment

_PACKET = 1024
#: Sound that begins so much before or after what came before it goes on there (s): times of containers are coarse.
_TOLERANCE = Fraction(1, 20)
#: A time further off than this is that of another clock, and the sound goes on (s).
_OTHER_CLOCK = 10
#: Later than any broadcast, s.
_NEVER = Fraction(1 << 40)
#: Packets that the encoder may hold back.
_HELD = 3


class LiveSound:
    """The sound of one stream, or silence in the place of one that an input lacks. language, name: for menus."""

    def __init__(self, sample_rate: int, channels: int, language: str, name: str) -> None:
        self._encoder, self._rate, self._layout = open_encoder(sample_rate, channels)
        self._filled = Filled(self._layout, self._rate, _NEVER)
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._packets: deque[Packet] = deque()
        self._taken = 0  # packets that segments have
        self.language = short_tag(language)
        self.name = name or language_name(self.language)

    @classmethod
    def of(cls, stream: StreamBeside, number: int) -> LiveSound:
        """For a stream of a source, the number-th; names must differ, since players list them."""
        tag = short_tag(stream.language)
        name = stream.title or language_name(tag)
        return cls(stream.sample_rate, stream.channels, tag, f"{name} {number + 1}" if number else name)

    @property
    def track(self) -> MediaTrack:
        """What the segments are of; it has none itself."""
        specific = bytes(self._encoder.extradata or b"")
        channels = self._encoder.layout.nb_channels
        zero = (Packet(0, _PACKET, b""),)
        return track_of(
            CodedAudio("aac", self._rate, channels, specific, zero, self.language, self.name), [Fraction(1)]
        )

    @property
    def margin(self) -> Fraction:
        """Seconds that the sound must be ahead of a cut for it to be made without silence."""
        return Fraction((_HELD + 1) * _PACKET, self._rate)

    @property
    def reached(self) -> Fraction:
        """Seconds of sound so far."""
        return Fraction(self._filled.written, self._rate)

    def take(self, frame: av.AudioFrame, start: Fraction | None) -> None:
        """Decoded sound that begins `start` seconds from zero; None: right behind what came before."""
        for whole in self._resampled(frame):
            samples = whole.to_ndarray()
            at = self._filled.written if start is None else round(start * self._rate)
            if abs(at - self._filled.written) > _OTHER_CLOCK * self._rate:
                at = self._filled.written
            start = None
            tolerance = 0 if self._filled.written == 0 else _TOLERANCE * self._rate
            late = at - self._filled.written
            if late > tolerance:
                self._silence(late)
            elif late < -tolerance:
                samples = samples[:, -late:]
            if samples.shape[1]:
                self._filled.put(np.ascontiguousarray(samples))
        self._encode()

    def _resampled(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except ValueError:  # its rate or its channels change midway
            self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
            return self._resampler.resample(frame)

    def cut(self, end: Fraction) -> TrackSegment:
        """The segment up to `end` seconds; silence stands for what has not come."""
        bound = max(self._taken + 1, round(end * self._rate / _PACKET))
        while self._taken + len(self._packets) < bound:
            self._silence(max(_PACKET, bound * _PACKET - self._filled.written))
            self._encode()
        samples = tuple(MediaSample(self._packets.popleft().data, _PACKET) for _ in range(bound - self._taken))
        start, self._taken = self._taken * _PACKET, bound
        return TrackSegment(start, len(samples) * _PACKET, (Chunk(samples, 0, start),))

    def _silence(self, samples: int) -> None:
        self._filled.silence(samples)

    def _encode(self) -> None:
        for whole in self._filled.whole(_PACKET):
            for packet in self._encoder.encode(whole):
                if packet.pts is not None and packet.pts >= 0:  # before zero lies what the encoder starts up with
                    self._packets.append(Packet(packet.pts, _PACKET, bytes(packet)))


class LiveText:
    """The cues of one stream, while they come. Keeps those that a segment to come may show."""

    def __init__(self, language: str, name: str) -> None:
        self.language = short_tag(language)
        self.name = name or language_name(self.language)
        self._cues: list[Cue] = []

    def take(self, written: Written, zero: Fraction) -> None:
        """A cue; zero: seconds of the source at which the pictures begin."""
        cue = cue_of(written.lines, written.start - zero, written.seconds)
        if cue is not None:
            self._cues.append(cue)

    def cut(self, start: Fraction, end: Fraction) -> list[Cue]:
        """The cues on screen between two moments; those that are over are forgotten."""
        self._cues = [c for c in self._cues if c.end > start]
        return sorted((c for c in self._cues if c.start < end), key=lambda c: (c.start, c.end))
