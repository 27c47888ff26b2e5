"""Publishing while the input still grows: a segment at a time of all rungs, sound and text, then manifests.

    segments of input 1 | discontinuity, new init | segments of input 2 ...        EVENT: all stay on offer
                 [ window: the last so many seconds ]                              else files behind it go in the end

Files have a random word in their names, since their content is not known in advance. What there is beside each other
(rungs, layers, sound, languages) is what the first input has; every further input has the same.

A publisher into a folder where one has been before goes on there: numbers rise, what is on offer stays, and what comes
now is a further input that begins at the time of day that it is (state.py).

With partial segments (low latency), what is added is one of these, on offer at once, until they make a whole segment:

    part_7 part_8 part_9 part_10 ─their bytes, joined─► seg_3      part_11 part_12 (open) part_13 (the next, a hint)
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
from packager.live.parts import Part, Stream, Text, time_of
from packager.live.state import State, read_state, write_state
from packager.presentation import Live, Partial, PublishedPresentation, PublishedSegment, SubtitleSegment
from packager.segmenter import Rates
from packager.sink import Sink
from packager.subtitles import Cue, format_webvtt
from packager.tracks import MediaTrack, TrackSegment

#: A playlist keeps so many segments at least, whatever the window (Apple's authoring specification).
MIN_SEGMENTS = 6
#: Partial segments stay on offer until they are so many target durations old (RFC 8216, second edition, §6.2.2).
_PARTIAL_TARGETS = 3
#: Samples of a packet of AAC. Sound is cut where one ends, so its partial segments may be so much longer.
_PACKET = 1024


class LivePublisher:
    """Writes segments and manifests into a sink. started: wall-clock time of the first frame. longest: seconds that no
    segment passes. window: seconds that stay on offer, None for all. anew: forgets what a publisher before has put
    there, and takes its files away as if they had left a window. partial: what is added are partial segments of so many
    seconds, which are gathered to segments; None: segments.

    Raises OptionError where the one before had shorter segments, other partial ones or another kind of playlist,
    MediaError where what it left cannot be read."""

    def __init__(
        self,
        sink: Sink,
        started: datetime,
        longest: Fraction,
        window: Fraction | None = None,
        *,
        anew: bool = False,
        partial: Fraction | None = None,
    ) -> None:
        self._sink, self._window, self._longest, self._partial = sink, window, longest, partial
        self._word = secrets.token_hex(4)
        self._now: datetime | None = None
        self._is_new = True
        self._layers: list[int] = []
        target = max(1, math.ceil(longest))
        before = None if anew else read_state(sink)
        self._state = before or State(started, Fraction(0), 0, target, window is None, 0, [], [], partial)
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
        if partial != before.asked:
            kind = "no parts" if before.asked is None else f"parts of {float(before.asked):g} s"
            raise OptionError(
                f"--part: the live stream in this folder has {kind}, and players were told so; give the same, another "
                f"folder, or --anew"
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

        if any(layers > 1 for layers in self._layers) and self._partial is not None:
            raise OptionError("--layers: a segment of several parts has one layer; leave out --layers or --part")
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
        self.finish_segment()  # of the input before, whose publisher may have been killed
        part.number = state.number + 1
        if self._partial is not None and not state.partial_target:
            margin = max((Fraction(_PACKET, s.track.sample_rate) for s in part.audio), default=Fraction(0))
            state.partial_target = Fraction(math.ceil(1000 * (self._partial + margin)), 1000)
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
        """The next segment of the latest input, or the next partial one, in the order of begin(): its files, then the
        state, then the manifests."""
        part = self._state.parts[-1]
        pieces = [*video, *fallback, *audio]
        if self._partial is not None:
            seconds = [Fraction(p.duration, s.track.timescale) for p, s in zip(pieces, part.streams, strict=True)]
            fits = max(seconds) <= self._state.partial_target
            if not fits or part.open_seconds + seconds[0] > self._longest:
                self.finish_segment()
            if fits:
                self._add_partial(pieces, texts)
                return
            # a frame that lasts longer than a part may: a segment that is not offered in parts
        self._add_segment(pieces, texts)

    def _add_segment(self, pieces: Sequence[TrackSegment], texts: Sequence[Sequence[Cue]]) -> None:
        state = self._state
        part = state.parts[-1]
        number = fragment = state.number + 1
        if self._partial is not None:  # numbers of fragments rise from one to the next
            state.partial += 1
            fragment = state.partial
        files: dict[str, bytes] = {}
        made = [
            self._made(stream, piece, part.begun, number, fragment, files)
            for stream, piece in zip(part.streams, pieces, strict=True)
        ]
        seconds = Fraction(pieces[0].duration, part.video[0].track.timescale)
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
        state.end = part.begun + Fraction(pieces[0].start, part.video[0].track.timescale) + seconds
        self._settle()

    def _add_partial(self, pieces: Sequence[TrackSegment], texts: Sequence[Sequence[Cue]]) -> None:
        assert self._partial is not None
        state = self._state
        part = state.parts[-1]
        number, is_first = state.partial + 1, not part.open_files
        files: dict[str, bytes] = {}
        for stream, piece in zip(part.streams, pieces, strict=True):
            found = segmenter.format_segment(stream.track, piece, number, bare=not is_first, goes_on=True)
            files[stream.partial_uri(number)] = found.data
        self._write(files)
        for stream, piece in zip(part.streams, pieces, strict=True):
            uri = stream.partial_uri(number)
            at = time_of(state.started, part.begun, piece.start, stream.track.timescale)
            stream.open.append(Partial(uri, piece.start, piece.duration, len(files[uri]), at))
            stream.open_data.append(files[uri])
        for text, cues in zip(part.texts, texts, strict=True):
            text.open |= dict.fromkeys(cues)
        state.partial = number
        timescale = part.video[0].track.timescale
        state.end = part.begun + Fraction(pieces[0].start + pieces[0].duration, timescale)
        is_whole = part.open_seconds + self._partial / 2 >= self._longest  # there is no room for another one
        if is_whole:
            self._join()
        self._settle(whole=is_whole)

    def finish_segment(self) -> None:
        """Partial segments that are there become a whole one, as nothing follows them for a while."""
        if self._state.parts and self._state.parts[-1].open_files:
            self._join()
            self._settle(hints=False)

    def _join(self) -> None:
        """The open partial segments to a segment, and the cues of that time."""
        state = self._state
        part = state.parts[-1]
        number, seconds = state.number + 1, part.open_seconds
        files = {}
        for stream in part.streams:
            if not stream.open_data:
                stream.open_data = [self._sink.get_range(p.uri, 0, p.num_bytes) for p in stream.open]
            files[stream.uri(number)] = b"".join(stream.open_data)
        for text in part.texts:
            files[text.uri(number)] = format_webvtt(text.open, mapped=True)
        self._write(files)
        for stream in part.streams:
            stream.close(number, len(files[stream.uri(number)]))
        for text in part.texts:
            text.segments.append(SubtitleSegment(text.uri(number), seconds))
            if self._window is None:
                text.cues |= text.open
            text.open = {}
        state.number = number

    def _settle(self, *, whole: bool = True, hints: bool = True) -> None:
        """What is new is there: what is old goes, the state and the manifests follow. whole: a segment is new. hints: a
        partial segment of the same input will follow."""
        self._slide()
        self._drop_partials()
        write_state(self._sink, self._state)
        if whole:
            self._publish(hints=hints)
        elif any(p.count for p in self._state.parts):
            for name, text in hls.growing_playlists(self.presentation(hints=hints)).items():
                self._sink.put(name, [text.encode()])
        self._delete()

    def _made(
        self, stream: Stream, piece: TrackSegment, begun: Fraction, number: int, fragment: int, files: dict[str, bytes]
    ) -> tuple[PublishedSegment, tuple[int, ...]]:
        """A segment and where its layers end; its bytes go to `files`. fragment: number that its fragments go by."""
        found = segmenter.format_segment(stream.track, piece, fragment)
        uri = stream.uri(number)
        files[uri] = found.data
        at = time_of(self._state.started, begun, piece.start, stream.track.timescale)
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
        if self._is_new:
            return
        self.finish_segment()
        if not any(p.count for p in state.parts):
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

    def _drop_partials(self) -> None:
        """Takes partial segments that are old off the offer; the whole ones stay."""
        state = self._state
        for part in reversed(state.parts):
            for place in reversed(range(part.count)):
                if state.end - part.end_of(place) < _PARTIAL_TARGETS * state.target:
                    continue
                gone = part.drop_partials(place)
                if not gone:
                    return
                state.gone += [(name, state.end) for name in gone]

    def _delete(self) -> None:
        """Removes files once no client can hold a playlist that names them: a whole playlist later, and a segment."""
        state = self._state
        keep = (self._window or 0) + (MIN_SEGMENTS + 1) * state.target
        while state.gone and state.end - state.gone[0][1] > keep:
            self._sink.delete(state.gone.pop(0)[0])

    def presentation(self, *, ended: bool = False, hints: bool = True) -> PublishedPresentation:
        """What is on offer now. ended: nothing follows. hints: what is to come next is told."""
        state = self._state
        shown = [p for p in state.parts if p.count or p.open_files]
        following = state.partial + 1 if self._partial is not None and hints and not ended else None
        parts = tuple(p.presentation(following if p is shown[-1] else None) for p in shown)
        live = Live(
            state.started, parts, tuple(p.begun for p in shown), state.target, self._window, shown[0].number,
            state.first_part, ended, state.partial_target if self._partial is not None else None,
        )  # fmt: skip
        return replace(parts[-1], live=live)

    def _publish(self, *, ended: bool = False, hints: bool = True) -> None:
        p = self.presentation(ended=ended, hints=hints)
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
