"""What lies beside the pictures of a source that is read once: sound and text, from the demultiplexer of the pictures.

    packets of the pictures ──► frames
    packets of sound ──decode──► Heard ──┐  kept until somebody takes them
    packets of text  ──decode──► Written ┘

A source that cannot be read twice has one reader, so whoever wants the sound of a moment reads pictures up to there.
Times are seconds of the source's clock, moved with the pictures where its clock starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.audio.frame
import av.audio.stream
import av.container
import av.error

#: Subtitles that are text; all others are pictures.
TEXT_CODECS = frozenset({"subrip", "srt", "mov_text", "webvtt", "text", "ass", "ssa"})


@dataclass(frozen=True, slots=True)
class StreamBeside:
    """A stream of sound or text. kind: "audio" or "subtitles". language, title: as the file says, "" where it does not.
    sample_rate: per second; channels: 0 of text."""

    index: int
    kind: str
    language: str
    title: str
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """Decoded sound. start: seconds of the source, None: right behind what came before."""

    frame: av.AudioFrame
    start: Fraction | None


@dataclass(frozen=True, slots=True)
class Written:
    """A cue: what the decoder gave, its first second in the source, and how long it is shown."""

    lines: tuple[object, ...]
    start: Fraction
    seconds: Fraction


class Beside:
    """Sound and text of a container. lost: lines on streams that cannot be carried."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self.streams: list[StreamBeside] = []
        self.lost: list[str] = []
        self._opened: dict[int, Any] = {}
        self._heard: dict[int, list[Heard]] = {}
        self._written: dict[int, list[Written]] = {}
        for stream in container.streams:
            if stream.type == "audio":
                self._add_sound(stream)
            elif stream.type == "subtitle":
                self._add_text(stream)

    def _add_sound(self, stream: Any) -> None:
        context = stream.codec_context
        if context is None or not context.sample_rate:
            self.lost.append(f"its sound in stream {stream.index} is left out: no decoder for it")
            return
        self._opened[stream.index], self._heard[stream.index] = stream, []
        self.streams.append(
            StreamBeside(stream.index, "audio", *_names(stream), context.sample_rate, context.layout.nb_channels)
        )

    def _add_text(self, stream: Any) -> None:
        if stream.codec_context is None or stream.codec_context.name not in TEXT_CODECS:
            self.lost.append(f"its subtitles in stream {stream.index} are left out: they are pictures, not text")
            return
        self._opened[stream.index], self._written[stream.index] = stream, []
        self.streams.append(StreamBeside(stream.index, "subtitles", *_names(stream)))

    @property
    def opened(self) -> list[Any]:
        """The streams to demultiplex along with the pictures."""
        return list(self._opened.values())

    def take(self, packet: Any, shift: Fraction) -> None:
        """A packet of one of the streams. shift: seconds by which the pictures' times are moved now. Damaged ones are
        skipped, and become silence."""
        heard = self._heard.get(packet.stream_index)
        try:
            if heard is not None:
                for frame in packet.decode():
                    known = frame.pts is not None and frame.time_base is not None
                    heard.append(Heard(frame, frame.pts * frame.time_base + shift if known else None))
            elif packet.pts is not None and packet.size:
                start = packet.pts * packet.time_base + shift
                seconds = (packet.duration or 0) * packet.time_base
                self._written[packet.stream_index].append(Written(tuple(packet.decode()), start, seconds))
        except (av.error.InvalidDataError, av.error.EOFError):
            return

    def heard(self, index: int) -> list[Heard]:
        """The sound of a stream since the last call."""
        found, self._heard[index] = self._heard[index], []
        return found

    def written(self, index: int) -> list[Written]:
        """The cues of a stream since the last call."""
        found, self._written[index] = self._written[index], []
        return found


def _names(stream: Any) -> tuple[str, str]:
    return stream.metadata.get("language") or "", stream.metadata.get("title") or ""
