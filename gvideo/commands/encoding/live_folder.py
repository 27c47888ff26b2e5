"""A live source to a published folder: pictures as they are fitted, with the sound, text and fallback of the same time.

LiveSource ──► LiveCut (all rungs) ──┬── sound and text up to its end, read on where they are late
                                     ├── H.264 of the same frames
                                     └─► LivePublisher
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from gvideo.bitstream.container import format_sequence_unit
from packager.gsv import gsv_track, piece_of
from packager.live_sound import LiveSound, LiveText

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gvideo.encoder.jobs.live import LiveCut
    from gvideo.media import CodeFrame
    from gvideo.media.reading.growing import LiveSource
    from gvideo.types import VideoFormat
    from packager.live import LivePublisher
    from packager.tracks import MediaTrack, TrackSegment

#: How far pictures are read ahead of a cut for sound that has not come (s). Sound further behind has ended.
_LATEST_SOUND = Fraction(2)
#: Of the H.264 fallback, which must not take the time of the pictures beside it.
_FALLBACK_PRESET = "veryfast"
_SILENCE = (48000, 2)


class LiveFolder:
    """Publishes one input after the other. fallback_crf: quality of an H.264 rung, None: there is none."""

    def __init__(self, publisher: LivePublisher, layers: int, fallback_crf: float | None = None) -> None:
        self._publisher, self._layers, self._crf = publisher, layers, fallback_crf
        self._zero: int | None = None
        before = publisher.resumed
        self._is_first = before is None
        audio, texts = (before.audio, before.subtitles) if before else ((), ())
        self._sounds = [LiveSound(*_SILENCE, r.track.language, r.track.name) for r in audio]
        self._texts = [LiveText(t.language, t.name) for t in texts]
        self.num_frames = 0

    def begin(self, video: LiveSource, at: datetime | None = None) -> list[str]:
        """A new input, or what comes behind a stall or a lost connection. at: when it came, None: right behind what was
        before. Returns lines on what of it does not reach the output: inputs have the sound and the languages
        of the first."""
        self._video, self._zero, self._at = video, None, at
        found = video.beside.streams
        heard = [s for s in found if s.kind == "audio"]
        written = [s for s in found if s.kind == "subtitles"]
        notes = []
        if self._is_first:
            count, languages = len(heard), len(written)
        else:
            count, languages = len(self._sounds), len(self._texts)
            notes = _differences(count, len(heard), "sound track(s)", "silence")
            notes += _differences(languages, len(written), "subtitle track(s)", "none")
        self._is_first = False
        self._heard, self._written = [s.index for s in heard[:count]], [s.index for s in written[:languages]]
        silent, empty = self._sounds[len(heard) :], self._texts[len(written) :]
        self._sounds = [LiveSound.of(s, n) for n, s in enumerate(heard[:count])]
        self._sounds += [LiveSound(*_SILENCE, s.language, s.name) for s in silent]
        self._texts = [LiveText(s.language, s.title) for s in written[:languages]]
        self._texts += [LiveText(t.language, t.name) for t in empty]
        return notes

    def add(self, cut: LiveCut) -> None:
        """The next segment of the latest input, or part of one."""
        fmt = self._video.format
        is_first, zero = self._zero is None, cut.start if self._zero is None else self._zero
        fallback = [] if self._crf is None else [self._fallback(cut.frames, cut.start - zero)]
        if is_first:
            self._zero = zero
            self._begin_parts(cut, [track for track, _ in fallback])
        start = Fraction(cut.start - zero, fmt.timescale)
        end = start + Fraction(cut.duration, fmt.timescale)
        self._hear(Fraction(zero, fmt.timescale), end)
        self._publisher.add(
            *(piece_of(r.start - zero, r.duration, list(r.layers)) for r in cut.rungs),
            fallback=[piece for _, piece in fallback],
            audio=[s.cut(end) for s in self._sounds],
            texts=[t.cut(start, end) for t in self._texts],
        )
        self.num_frames += cut.rungs[0].num_frames

    def pause(self) -> None:
        """Nothing comes for a while, or nothing more: what is there becomes a whole segment."""
        self._publisher.finish_segment()

    def _begin_parts(self, cut: LiveCut, fallback: Sequence[MediaTrack]) -> None:
        """Tells the publisher what the input has, now that its first segment is there."""
        rate = self._rate(cut)
        video = [
            gsv_track(r.header, format_sequence_unit(r.header), self._layers, rate, lambda: iter(())) for r in cut.rungs
        ]
        self._publisher.begin(
            *video, fallback=fallback, audio=[s.track for s in self._sounds],
            texts=[(t.language, t.name) for t in self._texts], at=self._at,
        )  # fmt: skip

    def _rate(self, cut: LiveCut) -> Fraction:
        header = cut.rungs[0].header
        return self._video.average_rate or Fraction(header.timescale, header.frame_duration)

    def _hear(self, zero: Fraction, end: Fraction) -> None:
        """Takes sound and text up to a moment and a little beyond, in seconds from zero, itself seconds of the source.
        Where sound has not come that far, the source is read on."""
        self._take(zero)
        ahead = Fraction(0)
        step = 1 / (self._video.average_rate or Fraction(25))
        own = self._sounds[: len(self._heard)]
        while ahead < _LATEST_SOUND and any(s.reached < end + s.margin for s in own) and self._video.read_ahead():
            ahead += step
            self._take(zero)

    def _take(self, zero: Fraction) -> None:
        for sound, index in zip(self._sounds, self._heard, strict=False):
            for heard in self._video.beside.heard(index):
                sound.take(heard.frame, None if heard.start is None else heard.start - zero)
        for text, index in zip(self._texts, self._written, strict=False):
            for written in self._video.beside.written(index):
                text.take(written, zero)

    def _fallback(self, frames: Sequence[CodeFrame], start: int) -> tuple[MediaTrack, TrackSegment]:
        """(track, segment) of H.264. Every segment is coded by itself, so none waits for the next."""
        from gvideo.media.resize import in_format
        from packager.avc import FallbackFrame, encode_avc

        assert self._crf is not None
        own = self._video.format
        wanted = _even(own)
        shown = (FallbackFrame(in_format(f, own, wanted).planes, f.pts - frames[0].pts, f.duration) for f in frames)
        end = Fraction(frames[-1].pts + frames[-1].duration - frames[0].pts, own.timescale)
        rate = self._video.average_rate or Fraction(25)
        track = encode_avc(shown, wanted, (end,), rate, crf=self._crf, preset=_FALLBACK_PRESET)
        (piece,) = track.pieces()
        chunks = tuple(replace(c, start=c.start + start) for c in piece.chunks)
        return track, replace(piece, start=start, chunks=chunks)


def _even(own: VideoFormat) -> VideoFormat:
    """The form of H.264's pictures: even sides, 4:2:0, 8 bits."""
    width, height = (max(2, side // 2 * 2) for side in (own.width, own.height))
    return replace(own.resized(width, height), chroma_format="420", bit_depth=8)


def _differences(wanted: int, found: int, what: str, instead: str) -> list[str]:
    """A line if an input has more or less of something than the first."""
    if found > wanted:
        return [f"{found - wanted} of its {found} {what} are left out; the first input has {wanted}"]
    if found < wanted:
        return [f"has {found} {what}, the first input {wanted}; {instead} in the place of the others"]
    return []
