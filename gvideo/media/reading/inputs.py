"""Opened sources: whatever kind of file it is, decoded frames with its own times, for one pass.

    name --open_input--> LibavInput (FFmpeg's libraries) or AnimatedWebp (animation.py) --frames()--> AVFrames

Which of several video streams: as ffmpeg chooses, the largest picture, where the default disposition counts as much as
5 000 000 pixels, and the first of equals; cover pictures never. A number picks another one.

Damaged packets are counted and skipped, as players do. Decoders share slices among threads and never frames: with
frames in flight, an error at the end of a file would take those behind it along.

Programmes that are joined in one MPEG file start their clocks anew. A packet whose decoding time is before the last
one's by a frame or more, or more than 10 s after it, is taken for a joint, and everything from it on is moved to begin
where the last frame seen ends. (ffmpeg: more than 0.1 s before, or 10 s after.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import av.container
import av.error
import av.packet
import av.stream
import av.video.frame
import av.video.stream

from gvideo.errors import MediaError, OptionError
from gvideo.media.reading.animation import AnimatedWebp, is_animated_webp, kept_delay
from gvideo.media.reading.beside import Beside
from gvideo.media.reading.delayed import DelayedColour
from gvideo.media.reading.sequence import numbered_pictures
from gvideo.media.timing import JointFinder

_PROTOCOLS = "file,crypto,data"  # a playlist or an SDP file must not make us open network addresses
_TEXT_FORMATS = {"tty", "hls", "concat", "ffmetadata", "sdp", "srt", "webvtt", "ass", "lrc"}
_OPTIONS = {
    "protocol_whitelist": _PROTOCOLS,
    # Delays of APNG, 10 ms or less, are rates of more than 99; they last 100 ms, as in browsers.
    "max_fps": "99",
    "default_fps": "10",
}
#: Formats that may be cut and joined anywhere.
_JOINABLE = {"mpegts", "mpeg"}
_DEFAULT_BONUS_PX = 5_000_000


class Readable(Protocol):
    """What a source that is read once must offer."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        ...


class Input(Protocol):
    """One pass over a source. num_frames: what its header promises, None where it does not say; promised_end: where it
    says that the pictures end, in seconds of the source's time, or None. num_damaged: packets
    skipped so far; num_patched: frames so far that the decoder completed by guessing. losses: lines on frames that will
    be missing for other reasons; remarks: lines on what else is unusual, as far as it is known yet."""

    codec_name: str
    time_base: Fraction
    rate: Fraction | None
    sample_aspect: Fraction
    num_frames: int | None
    promised_end: Fraction | None
    num_damaged: int
    num_patched: int
    losses: list[str]
    remarks: list[str]

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decoded frames in presentation order, pts and duration in units of the time base. Raises MediaError."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_input(path: Path, name: str, number: int | None = None) -> Input:
    """Opens a file, or the pictures that a pattern means. name: of the source, for messages; number: of the stream as
    ffmpeg counts, or None. Raises MediaError for what cannot be read, OptionError for a stream that is not there."""
    if path.is_dir():
        raise MediaError(f"{name}: is a folder; give a video file or a pattern such as {name}/%05d.png")
    options, losses = dict(_OPTIONS), []
    if not path.exists():
        if "%" not in path.name:
            raise MediaError(f"{name}: no such file")
        pictures = numbered_pictures(path)
        options["start_number"] = str(pictures.first)
        if pictures.missing is not None:
            losses.append(
                f"{pictures.missing} is missing; the {pictures.count} picture(s) before it were read, "
                f"the {pictures.num_behind} behind it were not"
            )
    elif is_animated_webp(path):
        if number not in (None, 0):
            raise OptionError(f"--stream {number}: {name} has one video stream, 0")
        return AnimatedWebp(path, name)
    try:
        # An absolute name holds no "protocol:" at its start, whatever the file is called.
        container = av.open(os.path.abspath(path), options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{name}: cannot be read as video ({reason_of(error)}); is it a video file?") from error
    opened = LibavInput(container, name, number)
    opened.losses += losses
    return opened


def open_stream(file: Readable, name: str, number: int | None = None) -> LibavInput:
    """Opens a file object that is read once, from start to end, for all that it holds; the rest as open_input."""
    options = {**_OPTIONS, "probesize": "200000"}
    try:
        container = av.open(file, "r", metadata_errors="ignore", options=options)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{name}: cannot be read as video ({reason_of(error)})") from error
    return with_all(container, name, number)


def with_all(container: av.container.InputContainer, name: str, number: int | None = None) -> LibavInput:
    """A container that is read once, for all that it holds; the rest as open_input."""
    opened = LibavInput(container, name, number)
    opened.beside = Beside(container)
    opened.remarks += [*opened.beside.lost, *opened.other_pictures()]
    return opened


class LibavInput:
    """A container that FFmpeg's libraries have opened, and the video stream chosen from it. Closes it on failure.
    beside: takes its sound and text, where somebody wants them."""

    beside: Beside | None = None

    def __init__(self, container: av.container.InputContainer, name: str, number: int | None) -> None:
        self._container, self._name = container, name
        try:
            if container.format.name in _TEXT_FORMATS:
                raise MediaError(f"{name}: is text or a list, not a video file")
            self._stream = _chosen(container, name, number)
            if self._stream.codec_context is None:
                raise MediaError(f"{name}: no decoder for its video; convert it to another codec first")
        except BaseException:
            container.close()
            raise
        stream, context = self._stream, self._stream.codec_context
        stream.thread_type = "SLICE"
        self.codec_name = context.name
        self.time_base = stream.time_base or Fraction(1, 90000)
        self.rate = stream.guessed_rate or stream.average_rate
        aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
        self.sample_aspect = Fraction(aspect) if aspect and aspect > 0 else Fraction(1)
        self.num_frames = self._promised()
        self.promised_end = self._tagged_end()
        self.num_damaged = self.num_patched = 0
        self._gif_end = 0
        self._joints: JointFinder | None = None
        self._shift, self._colour = Fraction(0), DelayedColour(context)
        self.losses: list[str] = []
        self.remarks: list[str] = []
        if {k.lower(): v for k, v in stream.metadata.items()}.get("alpha_mode") == "1":
            self.remarks.append(ALPHA_DROPPED)

    def frames(self) -> Iterator[av.VideoFrame]:
        """See Input."""
        for packet in self.packets():
            yield from self.decoded(packet)

    def packets(self) -> Iterator[Any]:
        """The packets of one pass, of the pictures and what is taken beside them. Raises MediaError."""
        joinable = self._container.format.name in _JOINABLE
        self._joints = JointFinder(self.time_base, self.rate) if joinable else None
        self._shift = Fraction(0)
        self._colour = DelayedColour(self._stream.codec_context)
        others = [] if self.beside is None else self.beside.opened
        try:
            yield from self._container.demux(self._stream, *others)
        except av.error.EOFError:
            return
        except av.error.ExitError as error:
            raise MediaError(f"{self._name}: nothing came any more") from error
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{self._name}: reading stopped ({reason_of(error)})") from error

    def decoded(self, packet: Any) -> list[av.VideoFrame]:
        """The pictures that a packet completes, in presentation order. Raises MediaError."""
        if self.beside is not None and packet.stream_index != self._stream.index:
            self.beside.take(packet, self._shift)
            return []
        if self._joints is not None and packet.dts is not None:
            self._shift = self._place(packet, self._joints) * self.time_base
        try:
            frames: list[av.VideoFrame] = packet.decode()
        except av.error.InvalidDataError:
            self.num_damaged += 1
            return []
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"{self._name}: reading stopped ({reason_of(error)})") from error
        self._colour.note(packet)
        for frame in frames:
            self._colour.restore(frame)
            self._retime(frame)
            self.num_patched += frame.is_corrupt
        return frames

    def leave_out(self, packets: Sequence[Any]) -> None:
        """Packets whose pictures nobody wants. Only those from the last keyframe on are decoded, so that the pictures
        behind them are whole. Raises MediaError."""
        keys = [n for n, p in enumerate(packets) if p.stream_index == self._stream.index and p.is_keyframe]
        start = keys[-1] if keys else 0
        for packet in packets[:start]:
            if self._joints is not None and packet.stream_index == self._stream.index and packet.dts is not None:
                self._shift = self._place(packet, self._joints) * self.time_base
        if start:
            self._stream.codec_context.flush_buffers()
        for packet in packets[start:]:
            self.decoded(packet)

    def close(self) -> None:
        """See Input."""
        self._container.close()

    def _place(self, packet: av.packet.Packet[av.video.stream.VideoStream], joints: JointFinder) -> int:
        """Moves a packet to where the frames before it end. Returns by how much."""
        before = joints.end
        assert packet.dts is not None
        pts = packet.dts if packet.pts is None else packet.pts
        shift, is_joint = joints.shift_of(packet.dts, pts, packet.duration or 0)
        if is_joint:
            at, own = float(before * self.time_base), float(pts * self.time_base)
            self.remarks.append(
                f"its clock jumps to {own:.3f} s at {at:.3f} s, as where programmes are joined; the rest goes on there"
            )
        packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift
        return shift

    def other_pictures(self) -> list[str]:
        """A line on video streams that are not the chosen one, if there are any."""
        covers = av.stream.Disposition.attached_pic
        found = [
            s for s in self._container.streams.video if s.index != self._stream.index and not s.disposition & covers
        ]
        if not found:
            return []
        return [f"stream {self._stream.index} is shown; left out: video stream(s) {', '.join(map(_described, found))}"]

    def _tagged_end(self) -> Fraction | None:
        """What FFmpeg's Matroska muxer says of each stream at the front of the file."""
        if "matroska" not in self._container.format.name.split(","):
            return None
        return _seconds_of(self._stream.metadata.get("DURATION", ""))

    def _retime(self, frame: av.VideoFrame) -> None:
        """Times that a format does not hold, or that browsers read otherwise."""
        if self._container.format.name == "avi":
            frame.pts = frame.dts  # AVI knows no presentation times; what pts holds is a guess
        elif self._container.format.name == "gif":
            frame.pts, frame.duration = self._gif_end, int(kept_delay(frame.duration * self.time_base) / self.time_base)
            self._gif_end += frame.duration

    def _promised(self) -> int | None:
        """Frames of a still picture, or those that MP4's index lists less those that an edit list hides."""
        container, stream = self._container.format.name, self._stream
        if container.endswith("_pipe") or (
            container == "image2" and "%" not in Path(self._name).name and self.codec_name != "gif"
        ):
            return 1
        if "mp4" in container.split(",") and stream.frames:
            return sum(not entry.is_discard for entry in stream.index_entries)
        return None


def _seconds_of(clock: str) -> Fraction | None:
    """Seconds of "00:01:02.500000000", None of anything else."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", clock)
    return None if match is None else 3600 * int(match[1]) + 60 * int(match[2]) + Fraction(match[3])


def _chosen(container: av.container.InputContainer, name: str, number: int | None) -> av.video.stream.VideoStream:
    kinds = av.stream.Disposition
    streams = [s for s in container.streams.video if not s.disposition & kinds.attached_pic]
    if not streams:
        found = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise MediaError(f"{name}: holds no video stream (only {found}); give a file with pictures")
    if number is not None:
        for stream in streams:
            if stream.index == number:
                return stream
        raise OptionError(f"--stream {number}: {name} has the video stream(s) {', '.join(map(_described, streams))}")
    return max(streams, key=_score)  # the first of equals


def _sides(stream: av.video.stream.VideoStream) -> tuple[int, int]:
    context = stream.codec_context
    return (0, 0) if context is None else (context.width, context.height)


def _is_default(stream: av.video.stream.VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.default)


def _score(stream: av.video.stream.VideoStream) -> int:
    width, height = _sides(stream)
    return width * height + _DEFAULT_BONUS_PX * _is_default(stream)


def _described(stream: av.video.stream.VideoStream) -> str:
    width, height = _sides(stream)
    return f"{stream.index} ({width}x{height}{', default' if _is_default(stream) else ''})"


def reason_of(error: Exception) -> str:
    """What an error of FFmpeg or the system says."""
    return getattr(error, "strerror", None) or str(error)


ALPHA_DROPPED = "transparency is dropped; what lies under it is shown"
