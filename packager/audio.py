"""Audio: packets passed through where every player takes them, else coded anew as AAC; cut at the video's cuts.

    file --demux--> packets ------------------------> AudioPackets --cut--> Pieces of a track
               \\-> decode -> resample -> AAC -------/

Zero is the start of the first video frame in the source's time. Packets that end at or before it (among them the
encoder's priming) are dropped; of the first one left, what lies before zero is hidden by an edit list, so that sound
begins at zero to the sample. Packets that begin behind the end of the video are dropped too.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import av.audio.stream
import av.container
import av.error

from gvideo.errors import MediaError
from packager.isobmff.entries import AudioSampleEntry, ElementaryDescriptor, OpusConfiguration
from packager.languages import language_name, short_tag
from packager.tracks import Chunk, MediaSample, MediaTrack, TrackSegment

#: Sound that begins at most so late or ends at most so early against the picture is passed through (s); otherwise it is
#: coded anew with silence at its ends, so that every rendition is as long as the video.
LATE, EARLY = Fraction(1, 10), Fraction(1, 2)
#: Bits per second of AAC for a number of channels.
_BIT_RATES = {1: 96_000, 2: 160_000}
_SURROUND_BIT_RATE = 384_000
_LAYOUTS = {1: "mono", 6: "5.1"}
_OBJECT_AAC, _OBJECT_MP3 = 0x40, 0x6B
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class Packet:
    """Coded sound: tick of its first sample (zero as above), samples, bytes."""

    start: int
    duration: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CodedAudio:
    """An audio stream. codec: "aac", "opus" or "mp3"; specific: AudioSpecificConfig of AAC or the whole OpusHead."""

    codec: str
    sample_rate: int
    channels: int
    specific: bytes
    packets: tuple[Packet, ...]
    language: str
    name: str


def has_audio(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds audio. Raises MediaError for one that cannot be read."""
    with _opened(path) as container:
        return bool(container.streams.audio)


def audio_tracks(
    path: str | os.PathLike[str], zero: Fraction, cuts: Sequence[Fraction], *, language: str = ""
) -> list[MediaTrack]:
    """A track for every audio stream of a file. zero: seconds in the file's time; cuts: seconds from zero at which the
    video's segments end; language: of the first stream, instead of what the file says."""
    with _opened(path) as container:
        indices = [stream.index for stream in container.streams.audio]
    if not indices:
        raise MediaError(f"{path}: holds no audio; give another file or leave --audio out")
    read = [read_audio(path, index, zero, cuts[-1]) for index in indices]
    if len({a.codec for a in read}) > 1:  # one codec for all languages, as players switch between them
        read = [
            audio if audio.codec == "aac" else code_anew(path, index, zero, cuts[-1])
            for audio, index in zip(read, indices, strict=True)
        ]
    if language:
        read[0] = replace(read[0], language=language, name=language_name(language))
    return [track_of(audio, cuts) for audio in read]


def read_audio(path: str | os.PathLike[str], index: int, zero: Fraction, end: Fraction) -> CodedAudio:
    """The packets of stream `index` that sound from zero to `end` seconds behind it; coded anew if they do not fit."""
    with _opened(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, av.audio.stream.AudioStream)
        if container.format.name == "mp3":  # its times count from the encoder's delay, not from the first sound
            zero += (stream.start_time or 0) * (stream.time_base or 0)
        try:
            coded = _passed_through(container, stream, zero, end)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{path}: its audio cannot be read ({_reason(error)})") from error
    return coded or code_anew(path, index, zero, end)


def _passed_through(
    container: av.container.InputContainer, stream: av.audio.stream.AudioStream, zero: Fraction, end: Fraction
) -> CodedAudio | None:
    """The stream's own packets, or None if they do not fit."""
    context = stream.codec_context
    codec = {"aac": "aac", "opus": "opus", "mp3": "mp3", "mp3float": "mp3"}.get(context.name if context else "")
    if codec is None or context.sample_rate >= 1 << 16 or (context.channels > 2 and codec == "opus"):
        return None
    rate = 48000 if codec == "opus" else context.sample_rate
    specific, packets, grid = bytes(context.extradata or b""), [], _Grid(rate)
    for packet in container.demux(stream):
        data = bytes(packet)
        if not data or packet.pts is None or packet.time_base is None:
            continue
        if codec == "aac" and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
            specific, data = _without_adts(data)
        samples = _num_samples(codec, packet, context.frame_size, rate)
        start = grid.place(packet.pts * packet.time_base - zero, samples)
        packets.append(Packet(start, samples, data))
    kept = _within(packets, rate, end)
    if not kept or Fraction(kept[0].start, rate) > LATE:
        return None
    if Fraction(kept[-1].start + kept[-1].duration, rate) < end - EARLY or (codec == "aac" and len(specific) < 2):
        return None
    return CodedAudio(codec, rate, context.channels, specific, tuple(kept), *_language(stream))


class _Grid:
    """Times of packets in samples: one behind the other as long as the source's coarser times agree with that."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: int | None = None

    def place(self, seconds: Fraction, samples: int) -> int:
        """Tick of the next packet, which the source says begins at `seconds`."""
        start = round(seconds * self._rate)
        if self._next is not None and (abs(start - self._next) < samples or start < self._next):
            start = self._next
        self._next = start + samples
        return start


def _num_samples(codec: str, packet: av.Packet[av.audio.stream.AudioStream], frame_size: int, rate: int) -> int:
    """Samples of a packet."""
    told = round((packet.duration or 0) * (packet.time_base or 0) * rate)
    if codec == "opus":
        return max(120, round(told / 120) * 120)  # 2.5 ms steps
    return frame_size or told or 1024


def _within(packets: Sequence[Packet], rate: int, end: Fraction) -> list[Packet]:
    """Packets that sound between zero and end; each lasts until the next one starts."""
    kept = [p for p in packets if p.start + p.duration > 0 and p.start < end * rate]
    durations = [b.start - a.start for a, b in itertools.pairwise(kept)]
    return [*(replace(p, duration=d) for p, d in zip(kept, durations, strict=False)), *kept[-1:]]


def _without_adts(data: bytes) -> tuple[bytes, bytes]:
    """(AudioSpecificConfig, raw frame) of an AAC frame with an ADTS header (ISO/IEC 13818-7)."""
    profile, rate, channels = (data[2] >> 6) + 1, data[2] >> 2 & 15, (data[2] & 1) << 2 | data[3] >> 6
    specific = (profile << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
    return specific, data[7 if data[1] & 1 else 9 :]


def code_anew(path: str | os.PathLike[str], index: int, zero: Fraction, end: Fraction) -> CodedAudio:
    """The stream as AAC, with silence where it begins late or ends early."""
    with _opened(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, av.audio.stream.AudioStream)
        if stream.codec_context is None:
            raise MediaError(f"{path}: no decoder for its audio; leave it out or convert it first")
        try:
            coded = _encode(container, stream, zero, end)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{path}: its audio cannot be decoded ({_reason(error)})") from error
    if not coded.packets:
        raise MediaError(f"{path}: its audio holds nothing that sounds while the video plays")
    return coded


def open_encoder(sample_rate: int, channels: int) -> tuple[av.AudioCodecContext, int, str]:
    """(AAC encoder, its samples per second, its layout) for sound of a rate and so many channels."""
    rate = sample_rate if sample_rate in (44100, 48000) else 48000
    layout = _LAYOUTS.get(channels, "stereo")  # by number: some files name no layout
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.time_base = Fraction(1, rate)
    encoder.bit_rate = _BIT_RATES.get(encoder.layout.nb_channels, _SURROUND_BIT_RATE)
    encoder.open()
    return encoder, rate, layout


def _encode(
    container: av.container.InputContainer, stream: av.audio.stream.AudioStream, zero: Fraction, end: Fraction
) -> CodedAudio:
    encoder, rate, layout = open_encoder(stream.codec_context.sample_rate, stream.codec_context.layout.nb_channels)
    channels = encoder.layout.nb_channels
    frames = Filled(layout, rate, end)
    packets: list[Packet] = []

    def take(coded: Iterable[av.Packet[Any]]) -> None:
        for packet in coded:
            assert packet.pts is not None
            packets.append(Packet(packet.pts, encoder.frame_size or 1024, bytes(packet)))

    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    for frame in _decoded(container, stream):
        start = (frame.pts or 0) * (frame.time_base or Fraction(1, rate)) - zero
        for part in resampler.resample(frame):
            for whole in frames.add(part, start):
                take(encoder.encode(whole))
    for part in resampler.resample(None):
        for whole in frames.add(part, None):
            take(encoder.encode(whole))
    for whole in frames.finish():
        take(encoder.encode(whole))
    take(encoder.encode(None))
    specific = bytes(encoder.extradata or b"")
    if not frames.heard:
        packets = []
    return CodedAudio("aac", rate, channels, specific, tuple(_within(packets, rate, end)), *_language(stream))


class Filled:
    """Decoded sound in frames of 1024 samples that begin at zero: silence fills what is missing, at the start, between
    and at the end; what lies before zero is cut off. written: samples so far."""

    def __init__(self, layout: str, rate: int, end: Fraction) -> None:
        self._fifo = av.AudioFifo()
        self._layout, self._rate, self._end = layout, rate, int(end * rate)
        self.written = 0
        self._read = 0
        self.heard = False

    def add(self, frame: av.AudioFrame, start: Fraction | None) -> Iterator[av.AudioFrame]:
        """Takes sound that begins at `start` seconds (None: right behind the last)."""
        at = self.written if start is None else round(start * self._rate)
        samples = frame.to_ndarray()
        skip = max(0, -at) if self.written == 0 else 0
        if at < self._end and skip < samples.shape[1]:
            if at > self.written + (self._rate // 20 if self.written else 0):  # later on, times may be coarse
                self.silence(at - self.written)
            self.put(samples[:, skip:])
            self.heard = True
        yield from self.whole(1024)

    def finish(self) -> Iterator[av.AudioFrame]:
        """Silence to the end, and what is left."""
        self.silence(max(0, self._end - self.written))
        yield from self.whole(1024)
        rest = self._fifo.read(0, partial=True)
        if rest is not None:
            yield self._timed(rest)

    def silence(self, samples: int) -> None:
        """So many samples of it."""
        import numpy as np

        channels = av.AudioLayout(self._layout).nb_channels
        while samples > 0:
            step = min(samples, 1 << 16)
            self.put(np.zeros((channels, step), np.float32))
            samples -= step

    def put(self, samples: object) -> None:
        """Samples f32 [channels,n] behind what is there."""
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)  # type: ignore[arg-type]
        frame.sample_rate = self._rate
        frame.pts = None
        self._fifo.write(frame)
        self.written += frame.samples

    def whole(self, size: int) -> Iterator[av.AudioFrame]:
        """The frames of that many samples that are full."""
        while (frame := self._fifo.read(size)) is not None:
            yield self._timed(frame)

    def _timed(self, frame: av.AudioFrame) -> av.AudioFrame:
        frame.pts, frame.time_base, frame.sample_rate = self._read, Fraction(1, self._rate), self._rate
        self._read += frame.samples
        return frame


def _decoded(container: av.container.InputContainer, stream: av.audio.stream.AudioStream) -> Iterator[av.AudioFrame]:
    """Decoded sound; damaged packets are skipped, and become silence."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def track_of(audio: CodedAudio, cuts: Sequence[Fraction]) -> MediaTrack:
    """The track of coded sound, cut at the packet boundaries nearest to the video's cuts."""
    hidden = max(0, -audio.packets[0].start)
    pieces = _pieces(audio, cuts, hidden)
    return MediaTrack(
        "audio",
        audio.sample_rate,
        (_sample_entry(audio),),
        _codecs(audio),
        lambda: iter(pieces),
        language=short_tag(audio.language),
        name=audio.name,
        channels=audio.channels,
        sample_rate=audio.sample_rate,
        media_time=hidden,
    )


def _pieces(audio: CodedAudio, cuts: Sequence[Fraction], hidden: int) -> list[TrackSegment]:
    packets = audio.packets
    starts = [p.start for p in packets]
    half = packets[0].duration // 2
    bounds = [0, *(bisect_left(starts, int(cut * audio.sample_rate) - half) for cut in cuts[:-1]), len(packets)]
    pieces = []
    for first, stop in itertools.pairwise(bounds):
        own = packets[first:stop]
        if not own:  # no packet begins in this segment: the one before lasts through it
            continue
        start = own[0].start + hidden
        samples = tuple(MediaSample(p.data, p.duration) for p in own)
        pieces.append(TrackSegment(start, sum(p.duration for p in own), (Chunk(samples, 0, start),)))
    return pieces


def _sample_entry(audio: CodedAudio) -> AudioSampleEntry:
    if audio.codec == "opus":
        head = audio.specific
        pre_skip = int.from_bytes(head[10:12], "little") if len(head) >= 19 else 312
        rate = int.from_bytes(head[12:16], "little") if len(head) >= 19 else 48000
        return AudioSampleEntry("Opus", audio.channels, 48000, [OpusConfiguration(audio.channels, pre_skip, rate)])
    kind, specific = (_OBJECT_AAC, audio.specific) if audio.codec == "aac" else (_OBJECT_MP3, b"")
    config = ElementaryDescriptor(object_type=kind, specific=specific)
    return AudioSampleEntry("mp4a", audio.channels, audio.sample_rate, [config])


def _codecs(audio: CodedAudio) -> str:
    if audio.codec == "opus":
        return "opus"
    if audio.codec == "mp3":
        return "mp4a.40.34"
    object_type = audio.specific[0] >> 3
    if object_type == 31:
        object_type = 32 + ((audio.specific[0] & 7) << 3 | audio.specific[1] >> 5)
    return f"mp4a.40.{object_type}"


def _language(stream: av.audio.stream.AudioStream) -> tuple[str, str]:
    """(tag, name for menus) of a stream."""
    tag = short_tag(stream.metadata.get("language"))
    return tag, stream.metadata.get("title") or language_name(tag)


def _opened(path: str | os.PathLike[str]) -> av.container.InputContainer:
    try:
        return av.open(
            os.path.abspath(path), metadata_errors="ignore", options={"protocol_whitelist": "file,crypto,data"}
        )
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: cannot be read as audio ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
