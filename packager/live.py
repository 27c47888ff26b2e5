"""Publishing while the input still grows: a segment at a time of all rungs, sound and text, then manifests.

    segments of input 1 | discontinuity, new init | segments of input 2 ...        EVENT: all stay on offer
                 [ window: the last so many seconds ]                              else files behind it go in the end

Files have a random word in their names, since their content is not known in advance. What there is beside each other
(rungs, layers, sound, languages) is what the first input has; every further input has the same.

A publisher into a folder where one has been before goes on there: numbers rise, what is on offer stays, and what comes
now is a further input that begins at the time of day that it is (live_state.py).
"""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from gvideo.errors import MediaError, OptionError
from packager import dash, hls, segmenter
from packager.live_parts import Part, Stream, Text, moment_of
from packager.live_state import State, read_state, write_state
from packager.presentation import Live, PublishedPresentation, PublishedSegment, SubtitleSegment
from packager.segmenter import Rates
from packager.sink import Sink
from packager.subtitles import Cue, format_webvtt
from packager.tracks import MediaTrack, TrackSegment

#: A playlist keeps so many segments at least, whatever the window (Apple's authoring specification).
MIN_SEGMENTS = 6


class LivePublisher:
    """Writes segments and manifests into a sink. started: wall-clock time of the first frame. longest: seconds that no
    segment passes. window: seconds that stay on offer, None for all. anew: forgets what a publisher before has put
    there, and takes its files away as if they had left a window.

    Raises OptionError where the one before had shorter segments or another kind of playlist, MediaError where what it
    left cannot be read."""

    def __init__(
        self, sink: Sink, started: datetime, longest: Fraction, window: Fraction | None = None, *, anew: bool = False
    ) -> None:
        self._sink, self._window = sink, window
        self._word = secrets.token_hex(4)
        self._now: datetime | None = None
        self._is_new = True
        self._layers: list[int] = []
        target = max(1, math.ceil(longest))
        before = None if anew else read_state(sink)
        self._state = before or State(started, Fraction(0), 0, target, window is None, 0, [], [])
        self._resumed = before.parts[-1] if before and before.parts else None
        if anew:
            self._forget()
        if before is None:
            return
        self._now = started
        if target > before.target:
            raise OptionError(
                f"--segment: the live stream in this folder has segments of {before.target} s at most, and players "
                f"were told so; give no more, another folder, or --anew"
            )
        if (window is None) != before.is_event:
            kind, option = ("keeps all", "leave out") if before.is_event else ("has a window", "give")
            raise OptionError(
                f"--window: the live stream in this folder {kind}, and players were told so; {option} --window, "
                f"or give another folder or --anew"
            )

    @property
    def resumed(self) -> PublishedPresentation | None:
        """What the latest input of the publisher before had, None if there was none."""
        return None if self._resumed is None else self._resumed.presentation()

    def _forget(self) -> None:
        """The files of a publisher before are to go when its viewers have had time to leave."""
        with contextlib.suppress(MediaError):  # what cannot be read names nothing
            before = read_state(self._sink)
            if before is not None:
                names = [*(n for p in before.parts for n in p.files), *(n for n, _ in before.gone)]
                self._state.gone = [(name, Fraction(0)) for name in names]

    def begin(
        self,
        *video: MediaTrack,
        fallback: Sequence[MediaTrack] = (),
        audio: Sequence[MediaTrack] = (),
        texts: Sequence[tuple[str, str]] = (),
        at: datetime | None = None,
    ) -> None:
        """A new input; its times count from zero again. video: rungs, the best first; texts: (language, name) of
        subtitles. at: wall-clock time of its first frame; None: right behind the input before. Every input has as many
        of each as the first, and that of another run the same rungs (OptionError)."""
        state = self._state
        self._layers = self._layers or [track.num_layers for track in video]
        place = state.first_part + len(state.parts)

        def opened(kind: str, tracks: Sequence[MediaTrack], layers: Sequence[int]) -> list[Stream]:
            return [
                Stream(f"{kind}{number}", track, f"{kind}{number}-{self._word}-{place}", count)
                for number, (track, count) in enumerate(zip(tracks, layers, strict=True))
            ]

        at = at or (self._now if self._is_new else None)
        gone_by = Fraction(0) if at is None else Fraction((at - state.started) // timedelta(microseconds=1), 1_000_000)
        part = Part(
            max(state.end, gone_by), state.number + 1, opened("v", video, self._layers),
            opened("f", fallback, [1] * len(fallback)), opened("a", audio, [1] * len(audio)),
            [Text(f"s{n}", language, name, f"s{n}-{self._word}") for n, (language, name) in enumerate(texts)],
        )  # fmt: skip
        if self._resumed is not None and self._is_new and part.rungs != self._resumed.rungs:
            raise OptionError(
                f"the live stream in this folder has {_described(self._resumed)}, this input would give "
                f"{_described(part)}; give the same options, another folder, or --anew, which begins again"
            )
        for stream in part.streams:
            self._sink.put(stream.init, [segmenter.format_init(stream.track, 0, Rates(0, 0))])
        state.parts.append(part)
        self._is_new = False

    def add(
        self,
        *video: TrackSegment,
        fallback: Sequence[TrackSegment] = (),
        audio: Sequence[TrackSegment] = (),
        texts: Sequence[Sequence[Cue]] = (),
    ) -> None:
        """The next segment of the latest input, in the order of begin(): its files, then the state, then the
        manifests."""
        state = self._state
        part = state.parts[-1]
        number = state.number + 1
        files: dict[str, bytes] = {}
        made = [
            self._made(stream, piece, part.begun, number, files)
            for stream, piece in zip(part.streams, [*video, *fallback, *audio], strict=True)
        ]
        seconds = Fraction(video[0].duration, part.video[0].track.timescale)
        shown = []
        for text, cues in zip(part.texts, texts, strict=True):
            files[text.uri(number)] = format_webvtt(cues, mapped=True)
            shown.append(SubtitleSegment(text.uri(number), seconds))
        self._write(files)
        # on offer when all of it is there: the manifests of the end must be whole even if a disk is full
        for stream, (segment, ends) in zip(part.streams, made, strict=True):
            stream.segments.append(segment)
            stream.ends.append(ends)
        for text, cues, segment_of_text in zip(part.texts, texts, shown, strict=True):
            text.segments.append(segment_of_text)
            if self._window is None:
                text.cues |= dict.fromkeys(cues)
        state.number = number
        state.end = part.begun + Fraction(video[0].start, part.video[0].track.timescale) + seconds
        self._slide()
        write_state(self._sink, state)
        self._publish(ended=False)
        self._delete()

    def _made(
        self, stream: Stream, piece: TrackSegment, begun: Fraction, number: int, files: dict[str, bytes]
    ) -> tuple[PublishedSegment, tuple[int, ...]]:
        """A segment and where its layers end; its bytes go to `files`."""
        found = segmenter.format_segment(stream.track, piece, number)
        uri = stream.uri(number)
        files[uri] = found.data
        at = self._state.started + timedelta(microseconds=moment_of(begun, piece.start, stream.track.timescale))
        return PublishedSegment(uri, piece.start, piece.duration, len(found.data), at=at), found.ends

    def _write(self, files: dict[str, bytes]) -> None:
        """All of them, or none."""
        written = []
        try:
            for uri, data in files.items():
                self._sink.put(uri, [data])
                written.append(uri)
        except BaseException:
            for uri in written:
                with contextlib.suppress(MediaError):
                    self._sink.delete(uri)
            raise

    def end(self) -> None:
        """Nothing follows: the manifests say so. Subtitles that are all there become whole files too, for DASH."""
        state = self._state
        if self._is_new or not any(p.count for p in state.parts):
            return
        if len(state.parts) == 1 and self._window is None:
            for text in state.parts[0].texts:
                if text.cues:
                    text.whole = f"{text.folder}/all.vtt"
                    self._sink.put(text.whole, [format_webvtt(text.cues)])
        self._publish(ended=True)

    def _slide(self) -> None:
        """Takes segments that have left the window off the offer."""
        if self._window is None:
            return
        state = self._state
        count = sum(p.count for p in state.parts)
        while count > MIN_SEGMENTS:
            part = state.parts[0]
            if state.end - part.end_of_first() < self._window:
                return
            state.gone += [(uri, state.end) for uri in part.drop_first()]
            count -= 1
            if not part.count and len(state.parts) > 1:
                state.gone += [(s.init, state.end) for s in part.streams]
                del state.parts[0]
                state.first_part += 1

    def _delete(self) -> None:
        """Removes files once no client can hold a playlist that names them: a whole playlist later, and a segment."""
        state = self._state
        keep = (self._window or 0) + (MIN_SEGMENTS + 1) * state.target
        while state.gone and state.end - state.gone[0][1] > keep:
            self._sink.delete(state.gone.pop(0)[0])

    def presentation(self, *, ended: bool = False) -> PublishedPresentation:
        """What is on offer now."""
        state = self._state
        shown = [p for p in state.parts if p.count]
        parts = tuple(p.presentation() for p in shown)
        live = Live(
            state.started, parts, tuple(p.begun for p in shown), state.target, self._window, shown[0].number,
            state.first_part, ended,
        )  # fmt: skip
        return replace(parts[-1], live=live)

    def _publish(self, *, ended: bool) -> None:
        p = self.presentation(ended=ended)
        texts = hls.playlists(p)
        for name, text in texts.items():
            if name != hls.MASTER:
                self._sink.put(name, [text.encode()])
        self._sink.put(dash.MANIFEST, [dash.manifest(p).encode()])
        self._sink.put(hls.MASTER, [texts[hls.MASTER].encode()])


def _described(part: Part) -> str:
    """The rungs of a part in words."""
    rungs = [f"{w}x{h} in {n} layer(s)" if n else f"{w}x{h} in H.264" for w, h, n in part.rungs]
    return ", ".join(rungs)
