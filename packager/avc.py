"""The fallback rung: H.264 that every player knows, with key frames at the cuts of the gsv1 rungs.

    frames --libx264--> packets --spool file--> Pieces: the key frame is a chunk of its own, the rest another

No frame is predicted from a later one, so decoding and presentation order are the same and no edit list is needed.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error

from gvideo.errors import InvalidError, MediaError
from gvideo.media.codes import CodePlanes
from gvideo.media.reading.pixels import write_planes
from gvideo.types import VideoFormat
from packager.isobmff.box import Box
from packager.isobmff.entries import AvcConfiguration, Colour, PixelAspect, VisualSampleEntry
from packager.tracks import Chunk, MediaSample, MediaTrack, TrackSegment, shown_width, video_range


@dataclass(frozen=True, slots=True)
class FallbackFrame:
    """A picture in 4:2:0 of 8 bits, its ticks from zero and its duration."""

    planes: CodePlanes
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A coded frame in the spool."""

    offset: int
    num_bytes: int
    duration: int


def encode_avc(
    frames: Iterable[FallbackFrame],
    video_format: VideoFormat,
    cuts: Sequence[Fraction],
    frame_rate: Fraction,
    *,
    crf: float = 26.0,
    preset: str = "medium",
    done: Callable[[int], None] = lambda count: None,
) -> MediaTrack:
    """A track of the frames, in segments that end at the cuts (s). The format's sides are even, its timescale that of
    the frames. done: told how many frames are coded. Raises MediaError if libx264 refuses."""
    timescale = video_format.timescale
    starts = {0, *(round(cut * timescale) for cut in cuts[:-1])}
    encoder = _encoder(video_format, frame_rate, crf, preset)
    spool = tempfile.TemporaryFile(prefix="gvideo-avc-")  # noqa: SIM115  # lives as long as the track
    durations: dict[int, int] = {}
    pieces: list[tuple[int, list[_Place]]] = []

    def take(packets: Iterable[av.Packet[Any]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            if packet.pts in starts:
                pieces.append((packet.pts, []))
                if not packet.is_keyframe:
                    raise InvalidError(f"H.264: no key frame at the cut at {packet.pts / timescale:.3f} s")
            data = _lengths(bytes(packet))
            pieces[-1][1].append(_Place(spool.tell(), len(data), durations.pop(packet.pts)))
            spool.write(data)

    try:
        for count, given in enumerate(frames, 1):
            frame = write_planes(given.planes, "420", 8)
            frame.pts, frame.time_base = given.pts, Fraction(1, timescale)
            frame.pict_type = av.video.frame.PictureType.I if given.pts in starts else av.video.frame.PictureType.NONE
            durations[given.pts] = given.duration
            take(encoder.encode(frame))
            done(count)
        take(encoder.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"the H.264 fallback cannot be encoded ({getattr(error, 'strerror', None) or error})"
        ) from error

    def read() -> Iterator[TrackSegment]:
        for start, places in pieces:
            yield _piece(spool, start, places)

    weakref.finalize(read, spool.close)
    entry, codecs = _sample_entry(video_format, bytes(encoder.extradata or b""))
    colour = video_format.colour
    return MediaTrack(
        "video", timescale, (entry,), codecs, read,
        width=shown_width(video_format.width, video_format.sample_aspect), height=video_format.height,
        rotation=video_format.rotation, frame_rate=frame_rate, video_range=video_range(colour.transfer),
    )  # fmt: skip


def _encoder(video_format: VideoFormat, rate: Fraction, crf: float, preset: str) -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    colour = video_format.colour
    encoder.width, encoder.height, encoder.pix_fmt = video_format.width, video_format.height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, video_format.timescale), rate
    encoder.sample_aspect_ratio = video_format.sample_aspect
    encoder.color_primaries, encoder.color_trc = colour.primaries, colour.transfer
    encoder.colorspace, encoder.color_range = colour.matrix, 2 if colour.full_range else 1
    # parameter sets in the configuration only; key frames where they are asked for and nowhere else
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.options = {
        "crf": f"{crf:g}", "preset": preset, "profile": "high", "forced-idr": "1",
        # The macroblock tree gives other bytes now and then on a busy machine (seen with AVX-512).
        "x264-params": "bframes=0:scenecut=0:keyint=infinite:min-keyint=1:annexb=1:mbtree=0",
    }  # fmt: skip
    try:
        encoder.open()
    except av.error.FFmpegError as error:
        raise MediaError(f"the H.264 fallback cannot be encoded ({error.strerror or error})") from error
    return encoder


def _piece(spool: object, start: int, places: Sequence[_Place]) -> TrackSegment:
    samples = []
    for number, place in enumerate(places):
        spool.seek(place.offset)  # type: ignore[attr-defined]
        data = spool.read(place.num_bytes)  # type: ignore[attr-defined]
        samples.append(MediaSample(data, place.duration, number == 0))
    chunks = [Chunk(tuple(samples[:1]), 0, start)]
    if samples[1:]:
        chunks.append(Chunk(tuple(samples[1:]), 0, start + samples[0].duration))
    return TrackSegment(start, sum(s.duration for s in samples), tuple(chunks))


def nal_units(data: bytes) -> list[bytes]:
    """NAL units of a byte stream with start codes (ISO/IEC 14496-10, annex B)."""
    units, at = [], data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : len(data) if following < 0 else following]
        units.append(unit.rstrip(b"\0") if following >= 0 else unit)
        at = following
    return units


def _lengths(data: bytes) -> bytes:
    """A byte stream with lengths of four bytes in the place of start codes."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in nal_units(data))


def _sample_entry(video_format: VideoFormat, extradata: bytes) -> tuple[VisualSampleEntry, str]:
    units = nal_units(extradata)
    sps = [u for u in units if u[0] & 31 == 7]
    pps = [u for u in units if u[0] & 31 == 8]
    if not sps or not pps:
        raise InvalidError("H.264: the encoder gave no parameter sets")
    profile, compatibility, level = sps[0][1:4]
    # chroma_format 4:2:0 and 8 bits, which profiles from High on say here
    extension = b"\xfd\xf8\xf8\0" if profile >= 100 else b""
    colour = video_format.colour
    children: list[Box] = [
        AvcConfiguration(profile, compatibility, level, 4, sps, pps, extension),
        Colour("nclx", colour.primaries, colour.transfer, colour.matrix, colour.full_range),
    ]
    aspect = video_format.sample_aspect
    if aspect != 1:
        children.append(PixelAspect(aspect.numerator, aspect.denominator))
    entry = VisualSampleEntry("avc1", video_format.width, video_format.height, "", children)
    return entry, f"avc1.{profile:02x}{compatibility:02x}{level:02x}"
