"""Published streams, played: a segment is fetched when it is due, at the level that a rule chooses, and decoded alone.

manifest ──► rungs ──► buffer (bytes ahead) ──► piece: one media segment as a stream of its own
      ▲                                  times: media time + shift of its part
      └── read again while it grows

Near the end of a live stream that offers parts (LL-HLS) a piece is a part. Once the parts of a segment are not named
any more, its pieces are cut out of the whole one: they keep their numbers.

Manifests tell how long segments last, more or less exactly; their media times are exact. So the axis is corrected by
every segment that is opened.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gvideo.decoder.segments import SegmentStream
from gvideo.errors import BitstreamError, GVideoError, MediaError
from player.adaptation.abr import Highest, Rule
from player.adaptation.buffer import SegmentBuffer, Traffic
from player.adaptation.plan import Ladder, Planner
from player.adaptation.preload import Preload
from player.adaptation.rungs import Rungs, aligned, choose_rungs
from player.presentation.reel import Reel, ReelPart
from player.presentation.rendition import Rendition
from player.source import boxes
from player.source.cutting import Cutter
from player.source.fetch import Fetcher
from player.source.follow import Follower
from player.source.record import Presentation, Resource, Track, extended

if TYPE_CHECKING:
    from gvideo.types import VideoFormat

_KEPT_PIECES = 6
_HEAD_BYTES = 64


class StreamReel(Reel):
    """name: what was opened. digest: under which segments are kept on disk, "" for none. rule: chooses levels; by
    default the best. target_seconds: of the buffer. max_level: none better is fetched.

    Raises MediaError and BitstreamError, which name the source.
    """

    def __init__(
        self,
        name: str,
        presentation: Presentation,
        fetcher: Fetcher,
        *,
        digest: str = "",
        rule: Rule | None = None,
        target_seconds: float = 20.0,
        max_level: int | None = None,
        grain: bool = True,
    ) -> None:
        self.name, self._fetcher, self._grain = name, fetcher, grain
        self._keep = "" if presentation.is_live else digest
        self._presentation, self._rungs = presentation, choose_rungs(presentation)
        self.num_levels, self.notes = self._rungs.num_levels, presentation.notes
        self._max_level = self._capped(max_level)
        self.is_live = presentation.is_live
        self._lock = threading.Lock()
        self._inits: dict[Resource, boxes.Init] = {}
        self._pieces: OrderedDict[int, ReelPart] = OrderedDict()
        self._shifts: dict[int, float] = {}
        self._set_times([0.0, *np.cumsum(self._rungs.seconds()).tolist()])
        self._preload = Preload(fetcher)
        self._cutter = Cutter(self._read)
        self._oldest = 0
        self._first = self.number_at(max(0.0, self.end - float(presentation.delay_seconds))) if self.is_live else 0
        # the next segment must be there before this one is over
        target_seconds = max(target_seconds, 2 * float(self._rungs.seconds().max()))
        planner = Planner(rule or Highest(), target_seconds, improves=self._rungs.layered)
        self._buffer = SegmentBuffer(self._fetch, planner, self._ladder(), start=self._first, max_level=self._max_level)
        self._format: VideoFormat | None = None
        self._follower: Follower | None = None
        try:
            self._format = self.piece(self._first).decoder.stream.format
            if self.is_live:
                self._follower = Follower(self._rungs.tracks, presentation, fetcher, self._grow)
        except BaseException:
            self.close()
            raise

    @property
    def format(self) -> VideoFormat:
        assert self._format is not None
        return self._format

    @property
    def begin(self) -> float:
        if self.is_live:
            return self.starts[self.number_at(max(0.0, self.end - float(self._presentation.delay_seconds)))]
        return self.starts[self._first]

    @property
    def oldest(self) -> float:
        return self.starts[self._oldest]

    def catch_up(self, seconds: float) -> float | None:
        delay = float(self._presentation.delay_seconds)
        if not (self.is_live and self._presentation.in_pieces) or seconds >= self.begin - delay:
            return None
        return self.begin

    @property
    def traffic(self) -> Traffic:
        """What was fetched."""
        return self._buffer.traffic

    @property
    def levels(self) -> dict[int, int]:
        """Levels of the segments in the buffer."""
        return self._buffer.levels

    @property
    def ahead_seconds(self) -> float:
        return self._buffer.ahead_seconds

    @property
    def rate_bps(self) -> float:
        return self._buffer.traffic.rate_bps if "://" in self.name else 0.0

    def renditions(self, kind: str, fetcher: Fetcher) -> tuple[Rendition, ...]:
        """Tracks of "audio" or "subtitles" that go with the picture. fetcher: that reads them while they grow."""
        found = self._presentation.renditions(kind, self._rungs.tracks[-1])
        return tuple(Rendition(track, self._presentation, fetcher, self.shift) for track in found)

    def shift(self, part: int) -> float | None:
        """Seconds from a part's media times to the axis, None while no segment of it was opened."""
        return self._shifts.get(part)

    def part_at(self, seconds: float) -> int:
        """The part that is on screen at a time."""
        return self._rungs.segment(self.number_at(seconds), 0).part

    def move(self, seconds: float) -> None:
        self._buffer.move(seconds)

    def stand(self, stands: bool) -> None:
        self._buffer.stand(stands)

    def better_level(self, number: int, level: int) -> bool:
        return level < min(self._max_level, self._buffer.levels.get(number, 0))

    def bitrate(self, number: int, level: int) -> float:
        ladder = self._rungs
        level = min(level, ladder.num_levels - 1)
        return float(ladder.bits()[number, level] / max(ladder.seconds()[number], 1e-3))

    def set_level(self, level: int | None) -> None:
        self._max_level = self._capped(level)
        self._buffer.limit(self._max_level, forget=not self._rungs.layered)
        with self._lock:
            self._pieces.clear()

    def is_waiting(self, number: int) -> bool:
        if self._follower is not None and self._follower.failure is not None and number >= len(self.starts):
            raise self._follower.failure
        return super().is_waiting(number)

    def piece(self, number: int) -> ReelPart:
        with self._lock:
            known = self._pieces.get(number)
        if known is None or self.better_level(number, known.level):
            known = self._open(number)
        with self._lock:
            self._pieces[number] = known
            self._pieces.move_to_end(number)
            while len(self._pieces) > _KEPT_PIECES:
                self._pieces.popitem(last=False)
        return known

    def close(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self._buffer.close()
        self._fetcher.close()

    def _open(self, number: int) -> ReelPart:
        from gvideo.decoder.video_decoder import VideoDecoder

        level, data = self._buffer.take(number)
        segment = self._rungs.segment(number, level)
        url = segment.media.url
        try:
            init = self._init(segment.init)
            most = self._max_level + 1 if self._rungs.layered else None
            head = boxes.read_head(data, init, min(_HEAD_BYTES, len(data)))
            units = [
                boxes.read_units(data[offset : offset + size], init)[:most]
                for offset, size in boxes.coded_segments(data, init)
            ]
            stream = SegmentStream(_OneFile(url, init.sequence_unit, units, head.media_time))
        except BitstreamError as error:
            text = str(error)
            raise type(error)(text if url in text else f"{url}: {text}") from error
        scale = stream.header.timescale
        media = head.media_time / scale - float(segment.origin)
        if segment.part not in self._shifts:
            self._shifts[segment.part] = self.starts[number] - media
        start = media + self._shifts[segment.part]
        each = [stream.frame_ticks(n) for n in range(len(units))]
        ticks = np.concatenate([*(t[:-1] for t in each), each[-1][-1:]])
        times = start + (ticks - ticks[0]) / scale
        self._correct(number, float(times[0]), float(times[-1]))
        decoder = VideoDecoder(stream, dimension_order="NHWC", grain=self._grain)
        shown = len(units[0]) - 1 if self._rungs.layered else level
        return ReelPart(decoder, 0, times, float(times[0] - ticks[0] / scale), shown)

    def _correct(self, number: int, start: float, end: float) -> None:
        """The segment is exactly here; what follows in its part moves along."""
        with self._lock:
            times = np.array([*self.starts, self.end])
            times[number] = start
            times[number + 1 :] += end - times[number + 1]
            self._set_times(times.tolist())

    def _set_times(self, times: Sequence[float]) -> None:
        self.starts, self.end = list(times[:-1]), float(times[-1])

    def _init(self, place: Resource) -> boxes.Init:
        if place not in self._inits:
            if not place.url:
                raise MediaError(f"{self.name}: names no init segment (EXT-X-MAP)")
            data = self._read(place)
            try:
                self._inits[place] = boxes.read_init(data)
            except BitstreamError as error:
                raise type(error)(f"{place.url}: {error}") from error
        return self._inits[place]

    def _fetch(self, number: int, level: int, have: bytes) -> bytes:
        """A segment up to a level. Layers are fetched behind what is there; rungs are files of their own."""
        segment = self._rungs.segment(number, level)
        if segment.cut is not None:
            init = self._init(segment.init)
            whole = self._rungs.media(number, level)
            return self._cutter.cut(segment, whole, lambda data: boxes.coded_segments(data, init))
        place = self._rungs.media(number, level, len(have) if self._rungs.layered else 0)
        if segment.is_piece and (early := self._preload.take(place)) is not None:
            return early
        data = self._read(place)
        return have + data if self._rungs.layered else data

    def _read(self, place: Resource) -> bytes:
        return self._fetcher.read(place.url, place.offset, place.size, keep=self._keep)

    def _ladder(self) -> Ladder:
        rungs = self._rungs
        return Ladder(rungs.bits(), rungs.seconds(), np.arange(rungs.num_levels, dtype=np.float64), rungs.layered)

    def _capped(self, level: int | None) -> int:
        best = self._rungs.num_levels - 1
        return best if level is None else min(level, best)

    def _grow(self, tracks: Sequence[Track], is_live: bool) -> None:
        """A live manifest was read again; segments keep their numbers, what is new comes behind."""
        found = aligned(tracks)
        with self._lock:
            old = self._rungs.tracks
            grown = [extended(t, f) for t, f in zip(old, found, strict=True)]
            fresh = [g.segments[len(t.segments) :] for t, g in zip(old, grown, strict=True)]
            if found[0].segments:
                places = [s.place for s in old[0].segments]
                first = found[0].segments[0].place
                self._oldest = min(sum(p < first for p in places), len(places) - 1)
            self._rungs = Rungs(tuple(grown), self._rungs.layered)
            if any(fresh):
                lengths = [float(s.seconds) for s in fresh[0]]
                self._set_times([*self.starts, *(self.end + np.cumsum([0.0, *lengths])).tolist()])
            self.is_live = is_live
        if any(fresh):
            self._buffer.grow(self._ladder())
        self._ask_ahead(found)

    def _ask_ahead(self, tracks: Sequence[Track]) -> None:
        """Asks for the piece that comes next, at the level of the last one, if playing is near the end."""
        levels = self._buffer.levels
        newest = max(levels, default=0)
        if self._rungs.layered or not self.is_live or newest < len(self.starts) - 2:
            return
        edge = tracks[min(levels.get(newest, 0), len(tracks) - 1)].edge
        if edge is not None and edge.following and edge.hint is not None and "://" in edge.hint.url:
            self._preload.request(edge.hint)


class _OneFile:
    """A media segment in memory as a source of SegmentStream: the units of its coded segments, mostly one."""

    def __init__(self, name: str, sequence_unit: bytes, units: Sequence[Sequence[bytes]], media_time: int) -> None:
        self.name, self._sequence, self._units, self._media_time = name, sequence_unit, units, media_time
        self.size = sum(len(unit) for each in units for unit in each)

    def __len__(self) -> int:
        return len(self._units)

    def sequence_unit(self, number: int) -> bytes:
        return self._sequence

    def head(self, number: int) -> bytes:
        return self._units[number][0]

    def media_time(self) -> int:
        return self._media_time

    def units(self, number: int, num_layers: int | None) -> Sequence[bytes]:
        return self._units[number][:num_layers]

    def num_bytes(self, number: int) -> int:
        return sum(map(len, self._units[number]))

    def close(self) -> None:
        pass


def open_reel(
    source: str,
    fetcher: Fetcher | None = None,
    *,
    rule: Rule | None = None,
    target_seconds: float = 20.0,
    layers: int | None = None,
    grain: bool = True,
) -> Reel:
    """What to play of any source. rule: for URLs; what lies on the disk is always played at its best. layers: at most.
    grain: draw that of streams that have some.

    Raises MediaError and BitstreamError, which name the source.
    """
    from gvideo.decoder.video_decoder import VideoDecoder
    from player.presentation.reel import FileReel
    from player.source.stream import is_single_stream, open_stream, read_presentation

    fetcher = fetcher or Fetcher()
    if not is_single_stream(source):
        presentation, digest = read_presentation(source, fetcher, kinds=("video", "audio", "subtitles"), in_pieces=True)
        tracks = [t for t in presentation.tracks if t.is_gaussian]
        if not tracks or not any(t.segments and all(s.seconds > 0 for s in t.segments) for t in tracks):
            if not source.lower().endswith(".mp4"):
                choose_rungs(presentation)  # says what is wrong
        else:
            return StreamReel(
                source, presentation, fetcher, digest=digest, rule=rule if "://" in source else None,
                target_seconds=target_seconds, max_level=None if layers is None else layers - 1, grain=grain,
            )  # fmt: skip
    try:
        stream = open_stream(source, fetcher=fetcher)
        return FileReel(VideoDecoder(stream, layers=layers, dimension_order="NHWC", grain=grain))
    except GVideoError:
        fetcher.close()
        raise
