"""What a live publisher leaves behind for the next one into the same folder: `live.json`, written before the playlists.

A segment is [first tick, ticks, bytes up to the end of each layer]; its name follows from its stream's folder and its
number. A partial segment is [number, first tick, ticks, bytes]. A run that was killed between the state and the
playlists has published in the state's eyes what no playlist names yet; the next playlist does. So a number never comes
again with other content.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from gvideo.errors import MediaError
from packager.live.parts import Part, Stream, Text, time_of
from packager.presentation import Partial, PublishedSegment, SubtitleSegment
from packager.sink import Sink
from packager.subtitles import Cue
from packager.tracks import MediaTrack, TrackSegment

STATE = "live.json"
_VERSION = 1
#: What manifests say of a track.
_TOLD = ("kind", "timescale", "codecs", "language", "name", "width", "height", "rotation", "video_range", "channels",
         "sample_rate")  # fmt: skip


@dataclass
class State:
    """Of a live presentation. started: wall-clock time of zero; end: seconds from zero; number: of the latest segment;
    target: s that no segment passes; is_event: all stays on offer; gone: files that go once so many seconds from zero
    have passed long enough. Of partial segments: asked: s that they were asked to last, None where there are none;
    partial_target: s that none passes, 0 while it is not known; partial: number of the latest."""

    started: datetime
    end: Fraction
    number: int
    target: int
    is_event: bool
    first_part: int
    parts: list[Part]
    gone: list[tuple[str, Fraction]]
    asked: Fraction | None = None
    partial_target: Fraction = Fraction(0)
    partial: int = 0


def write_state(sink: Sink, state: State) -> None:
    """Puts the state where read_state finds it."""
    found = {
        "version": _VERSION,
        "started": state.started.isoformat(),
        "end": str(state.end),
        "number": state.number,
        "target": state.target,
        "event": state.is_event,
        "first_part": state.first_part,
        "parts": [_format_part(p, state) for p in state.parts if p.count or p.open_files],
        "gone": [[name, str(at)] for name, at in state.gone],
    }
    if state.asked is not None:
        found["partials"] = [str(state.asked), str(state.partial_target), state.partial]
    sink.put(STATE, [json.dumps(found, separators=(",", ":")).encode()])


def read_state(sink: Sink) -> State | None:
    """What the run before left, as far as its files are still there; None if there was none. Raises MediaError if it
    cannot be read."""
    if not sink.exists(STATE):
        return None
    try:
        found = json.loads(sink.get_range(STATE, 0, 1 << 30))
        if found["version"] != _VERSION:
            raise ValueError(f"version {found['version']}")
        started = datetime.fromisoformat(found["started"])
        state = State(
            started, Fraction(found["end"]), int(found["number"]), int(found["target"]), bool(found["event"]),
            int(found["first_part"]), [_parse_part(p, started) for p in found["parts"]],
            [(str(name), Fraction(at)) for name, at in found["gone"]],
        )  # fmt: skip
        if "partials" in found:
            asked, target, number = found["partials"]
            state.asked, state.partial_target, state.partial = Fraction(asked), Fraction(target), int(number)
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise MediaError(
            f"{STATE}: the state of the live stream before cannot be read ({error}); --anew begins again without it"
        ) from error
    _keep_what_is_there(state, sink)
    return state


def _keep_what_is_there(state: State, sink: Sink) -> None:
    """Takes off the offer what somebody has removed, and all before it."""
    there = set(sink.list())
    lost = 0  # parts up to the last one that lacks something, which may keep segments
    for part in state.parts:
        for place in range(part.count):
            if not there.issuperset(p.uri for s in part.streams for p in s.segments[place].partials):
                state.gone += [(name, state.end) for name in part.drop_partials(place) if name in there]
        if not there.issuperset(part.open_files):
            state.gone += [(name, state.end) for name in part.drop_open() if name in there]
    for number, part in enumerate(state.parts):
        missing = [place for place in range(part.count) if not there.issuperset(part.files_of(place))]
        if not there.issuperset(s.init for s in part.streams):
            missing = [part.count - 1]
            state.gone += [(name, state.end) for name in part.drop_open() if name in there]
        if missing:
            lost = number + (missing[-1] == part.count - 1 and not part.open_files)
            for _ in range(missing[-1] + 1):
                state.gone += [(name, state.end) for name in part.drop_first() if name in there]
    state.gone += [(name, state.end) for part in state.parts[:lost] for name in part.files if name in there]
    del state.parts[:lost]
    state.first_part += lost
    known = {s.folder for p in state.parts for s in p.streams}
    for name in there:  # segments that a killed run had written before the state
        folder, _, file = name.rpartition("/")
        for prefix, latest in (("seg_", state.number), ("part_", state.partial)):
            written = file.removeprefix(prefix).removesuffix(".m4s")
            if folder in known and written.isdecimal() and int(written) > latest:
                sink.delete(name)


def _format_part(part: Part, state: State) -> dict[str, Any]:
    return {
        "begun": str(part.begun),
        "number": part.number,
        **{kind: [_format_stream(s, state) for s in getattr(part, kind)] for kind in ("video", "fallback", "audio")},
        "texts": [
            {"name": t.name, "language": t.language, "title": t.title, "folder": t.folder,
             "seconds": [str(s.duration) for s in t.segments],
             **({"open": [[str(c.start), str(c.end), c.text, c.settings] for c in t.open]} if state.asked else {})}
            for t in part.texts
        ],
    }  # fmt: skip


def _format_stream(stream: Stream, state: State) -> dict[str, Any]:
    told = {name: getattr(stream.track, name) for name in _TOLD}
    listed = [[n, _format_partials(s.partials)] for n, s in enumerate(stream.segments) if s.partials]
    return {
        "name": stream.name,
        "folder": stream.folder,
        "layers": stream.layers,
        "track": told | {"frame_rate": str(stream.track.frame_rate)},
        "segments": [[s.start, s.duration, *ends] for s, ends in zip(stream.segments, stream.ends, strict=True)],
        **({"partials": listed, "open": _format_partials(stream.open)} if state.asked else {}),
    }


def _format_partials(partials: Sequence[Partial]) -> list[list[int]]:
    return [[int(p.uri.rpartition("_")[2].removesuffix(".m4s")), p.start, p.duration, p.num_bytes] for p in partials]


def _parse_part(found: dict[str, Any], started: datetime) -> Part:
    begun, number = Fraction(found["begun"]), int(found["number"])
    video, fallback, audio = (
        [_parse_stream(s, begun, number, started) for s in found[kind]] for kind in ("video", "fallback", "audio")
    )
    texts = []
    for each in found["texts"]:
        text = Text(str(each["name"]), str(each["language"]), str(each["title"]), str(each["folder"]))
        text.segments = [SubtitleSegment(text.uri(number + n), Fraction(s)) for n, s in enumerate(each["seconds"])]
        text.open = {Cue(Fraction(a), Fraction(b), str(c), str(d)): None for a, b, c, d in each.get("open", ())}
        texts.append(text)
    part = Part(begun, number, video, fallback, audio, texts)
    counts = {len(s.segments) for s in part.streams} | {len(t.segments) for t in texts}
    if not part.video or len(counts) != 1 or len({len(s.open) for s in part.streams}) != 1:
        raise ValueError("a part whose streams differ in length")
    return part


def _parse_stream(found: dict[str, Any], begun: Fraction, number: int, started: datetime) -> Stream:
    told = found["track"]
    track = MediaTrack(
        entries=(), pieces=_no_pieces, frame_rate=Fraction(told["frame_rate"]), **{name: told[name] for name in _TOLD}
    )
    stream = Stream(str(found["name"]), track, str(found["folder"]), int(found["layers"]))
    for n, (start, duration, *ends) in enumerate(found["segments"]):
        at = time_of(started, begun, start, track.timescale)
        stream.segments.append(PublishedSegment(stream.uri(number + n), start, duration, ends[-1], at=at))
        stream.ends.append(tuple(ends))

    def partials(rows: list[list[int]]) -> list[Partial]:
        return [
            Partial(stream.partial_uri(n), start, duration, size, time_of(started, begun, start, track.timescale))
            for n, start, duration, size in rows
        ]

    for place, rows in found.get("partials", ()):
        stream.segments[place] = replace(stream.segments[place], partials=tuple(partials(rows)))
    stream.open = partials(found.get("open", []))
    return stream


def _no_pieces() -> Iterator[TrackSegment]:
    """Of a track whose segments are written already."""
    return iter(())
