"""Playing a live stream part by part (LL-HLS): from the server that holds answers, and from a plain one."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reels
from faults import serving
from packaged import endless, serve, write_stream

from gvideo import VideoDecoder
from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink
from player.adaptation.rungs import aligned
from player.presentation import playback
from player.presentation.reel import FileReel, ReelPart
from player.presentation.session import Session
from player.presentation.stream_reel import StreamReel, open_reel
from player.source.fetch import Fetched, Fetcher
from player.source.hls import read_hls
from player.source.record import Resource, Segment, Track, moved, newer

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: A part is a coded segment of so many frames, 0.48 s; four are a segment.
FRAMES, PART = 12, 0.48


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> GsvFile:
    path = tmp_path_factory.mktemp("parts") / "short.gsv"
    return GsvFile(write_stream(path, num_segments=10, num_frames=FRAMES, count=8))


class Feed:
    """A live stream in parts, added one by one."""

    def __init__(self, folder: Path, stream: GsvFile, later: float = 0, **options: object) -> None:
        at = STARTED + timedelta(seconds=later)
        options = {"partial": Fraction(1, 2), **options}
        self.folder = folder
        self.live = LivePublisher(LocalSink(folder), at, Fraction(2), **options)  # type: ignore[arg-type]
        self.live.begin(stream.track())
        self._pieces = endless(stream)

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.live.add(next(self._pieces))


until = functools.partial(reels.until, seconds=20.0)


def sought(reel: StreamReel, number: int) -> ReelPart:
    reel.move(reel.starts[number] + 0.01)
    return reel.piece(number)


def first_picture(reel: StreamReel, number: int) -> np.ndarray:
    piece = sought(reel, number)
    return piece.pictures(piece.times[:1], (64, 48), (0, 0, 1, 1))[0]


class Noted(Fetcher):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(backoff_seconds=0.01)
        self.asked: list[str] = []

    def whole(self, url: str) -> Fetched:
        self.asked.append(url.rpartition("/")[2])
        return super().whole(url)

    def read(self, url: str, offset: int, size: int | None, *, keep: str = "") -> bytes:
        self.asked.append(url.rpartition("/")[2])
        return super().read(url, offset, size, keep=keep)


def test_parts_come_as_they_are_published(stream, tmp_path):
    """It begins at the hold-back, asks for what comes, and gets each part once, by its hint."""
    feed, fetcher = Feed(tmp_path / "live", stream), Noted()
    feed.add(9)
    local = VideoDecoder(stream.path, dimension_order="NHWC")
    with contextmanager(serve)(tmp_path / "live", "--quiet") as url:
        reel = open_reel(f"{url}/master.m3u8", fetcher)
        assert isinstance(reel, StreamReel)
        assert len(reel.starts) == 9
        assert reel.begin == pytest.approx(5 * PART)  # PART-HOLD-BACK is 1.5 s of 4.32 s
        for count in range(10, 15):
            reel.piece(count - 2)  # playing is at the end
            feed.add()
            until(lambda count=count: len(reel.starts) == count)
            np.testing.assert_array_equal(first_picture(reel, count - 1), local[(count - 1) % 10 * FRAMES])
        assert reel.end == pytest.approx(14 * PART)
        feed.live.end()
        until(lambda: not reel.is_live)
        assert not reel.is_waiting(14)
        reel.close()
    playlists = [name for name in fetcher.asked if name.startswith("v0")]
    wanted = [(3, 1), (3, 2), (3, 3), (4, 0), (4, 1), (4, 2)]
    assert playlists == ["v0.m3u8", *(f"v0.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES" for msn, part in wanted)]
    parts = [name for name in fetcher.asked if name.startswith("part")]
    assert len(set(parts)) == len(parts)
    assert {f"part_{n}.m4s" for n in range(8, 15)} <= set(parts)
    assert not any(name.startswith("seg") for name in fetcher.asked)


def test_a_server_that_holds_nothing_is_asked_again(stream, tmp_path):
    """Queries mean nothing to it, and what is hinted at is not there."""
    feed = Feed(tmp_path / "live", stream)
    feed.add(6)
    with serving(tmp_path / "live") as served:
        reel = reels.opened(f"{served.url}/v0.m3u8")
        for count in (7, 8, 9):
            reel.piece(count - 2)
            feed.add()
            until(lambda count=count: len(reel.starts) == count)
            assert reel.piece(count - 1).num_frames == FRAMES
        reel.close()


def test_parts_that_are_gone_are_cut_out_of_their_segment(stream, tmp_path):
    """What is known by its parts keeps its numbers when these have left the playlist and the folder."""
    feed = Feed(tmp_path / "live", stream)
    feed.add(6)
    reel = reels.opened(str(tmp_path / "live" / "v0.m3u8"))
    assert len(reel.starts) == 6
    feed.add(18)
    until(lambda: len(reel.starts) == 23)  # of segment 2 two parts were known, the rest is one piece
    assert "part_8.m4s" not in (tmp_path / "live" / "v0.m3u8").read_text()
    for path in (tmp_path / "live").rglob("part_[1-8].m4s"):
        path.unlink()
    local = VideoDecoder(stream.path, dimension_order="NHWC")
    for number, part in ((5, 5), (0, 0), (6, 6), (3, 3), (7, 8), (12, 13)):
        np.testing.assert_array_equal(first_picture(reel, number), local[part % 10 * FRAMES])
        assert reel.piece(number).times[0] == pytest.approx(part * PART)
        assert reel.piece(number).num_frames == FRAMES * (2 if number == 6 else 1)
    reel.close()
    assert len(VideoDecoder(tmp_path / "live")) == 24 * FRAMES  # whole segments


def test_a_restart_is_a_discontinuity_of_parts(stream, tmp_path):
    Feed(tmp_path / "live", stream).add(6)
    reel = reels.opened(str(tmp_path / "live" / "v0.m3u8"))
    again = Feed(tmp_path / "live", stream, later=100)
    again.add(3)
    until(lambda: len(reel.starts) == 9)
    times = [sought(reel, number).times[0] for number in range(9)]
    np.testing.assert_allclose(times, PART * np.arange(9))
    local = VideoDecoder(stream.path, dimension_order="NHWC")
    np.testing.assert_array_equal(first_picture(reel, 7), local[FRAMES])
    reel.close()


# --- lists of pieces


def piece(number: int, place: int) -> Segment:
    media = Resource(f"part_{number}_{place}")
    return Segment(Resource("i"), media, Fraction(1, 2), (None,), 0, number, piece=place, is_piece=True)


def whole(number: int, seconds: int = 2) -> Segment:
    return Segment(Resource("i"), Resource(f"seg_{number}"), Fraction(seconds), (None,), 0, number)


def test_the_rest_of_a_segment_whose_parts_were_missed():
    known = [whole(1), piece(2, 0), piece(2, 1)]
    found = newer(known, [whole(1), whole(2), piece(3, 0)])
    assert [(s.media.url, s.place, s.cut, s.seconds) for s in found] == [
        ("seg_2", (0, 2, 2), (2, None), 1),
        ("part_3_0", (0, 3, 0), None, Fraction(1, 2)),
    ]
    places = [(0, 10), (10, 20), (30, 10), (40, 10)]
    assert found[0].chosen(places) == places[2:]
    assert newer([*known, *found], [whole(2), piece(3, 0)]) == ()
    assert newer([piece(2, n) for n in range(4)], [whole(2), whole(3)]) == (whole(3),)


def test_pieces_move_into_their_whole_segment():
    found = moved([whole(1), piece(2, 0), piece(2, 1), piece(3, 0)], [whole(2), piece(3, 0)])
    assert [(s.media.url, s.cut) for s in found] == [
        ("seg_1", None), ("seg_2", (0, 1)), ("seg_2", (1, 1)), ("part_3_0", None),
    ]  # fmt: skip
    assert found[2].chosen([(0, 10), (10, 20)]) == [(10, 20)]


def test_rungs_that_were_read_in_different_moments_have_the_same_pieces():
    one = Track("video", (), (whole(1), whole(2), piece(3, 0), piece(3, 1)))
    other = Track("video", (), (whole(1), piece(2, 0), piece(2, 1), piece(3, 0)))
    found = aligned([one, other])
    assert [[s.place for s in t.segments] for t in found] == [[(0, 1, 0), (0, 2, 0), (0, 2, 1), (0, 3, 0)]] * 2
    assert [s.seconds for s in found[0].segments] == [s.seconds for s in found[1].segments]
    assert [s.cut for s in found[0].segments] == [None, (0, 1), (1, 1), None]


def test_what_others_write(tmp_path):
    """Parts as ranges of one file, one that is not there, no hold-back and no blocking."""
    text = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PART:DURATION=0.5,URI="a.m4s",BYTERANGE="10@0"
#EXT-X-PART:DURATION=0.5,URI="a.m4s",BYTERANGE="20",INDEPENDENT=YES
#EXTINF:1,
a.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="other.mp4"
#EXT-X-PART:DURATION=0.5,URI="b0.m4s",GAP=YES
#EXT-X-PART:DURATION=0.4,URI="b1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b2.m4s"
"""
    (tmp_path / "v.m3u8").write_text(text)
    found = read_hls(str(tmp_path / "v.m3u8"), Fetcher(), in_pieces=True)
    (track,) = found.tracks
    assert (found.delay_seconds, found.update_seconds, found.in_pieces) == (Fraction(3, 2), Fraction(1, 2), True)
    media = [(Path(s.media.url).name, s.media.offset, s.media.size) for s in track.segments]
    assert media == [("a.m4s", 0, 10), ("a.m4s", 10, 20), ("b1.m4s", 0, None)]
    assert [s.place for s in track.segments] == [(0, 7, 0), (0, 7, 1), (1, 8, 1)]
    assert [Path(s.init.url).name for s in track.segments] == ["init.mp4", "init.mp4", "other.mp4"]
    assert track.edge is not None
    assert track.edge.following == ""
    assert track.edge.hint == Resource(str(tmp_path / "b2.m4s"))
    (plain,) = read_hls(str(tmp_path / "v.m3u8"), Fetcher()).tracks
    assert [Path(s.media.url).name for s in plain.segments] == ["a.m4s"]


# --- staying near the end


class Behind(FileReel):
    """Says once, at a time, that one who follows the end should go on elsewhere."""

    is_live = True
    asked_at, target = 0.2, 2 * PART

    def catch_up(self, seconds: float) -> float | None:
        if seconds < self.asked_at or seconds >= self.target:
            return None
        return self.target

    def is_waiting(self, number: int) -> bool:
        return False


def test_what_has_fallen_behind_is_left_out(stream):
    shown: list[float] = []
    reel = Behind(VideoDecoder(stream.path, dimension_order="NHWC"))
    report = playback.play(reel, lambda _, at: shown.append(at), size=(16, 12))
    reel.close()
    assert shown[:7] == pytest.approx([0.04 * n for n in (0, 1, 2, 3, 4, 5, 24)])
    assert len(shown) == 6 + 8 * FRAMES
    assert report.skipped_seconds == pytest.approx(2 * PART - 0.24)


def test_a_session_catches_up_unless_it_was_sought(stream):
    now = 0.0
    reel = Behind(VideoDecoder(stream.path, dimension_order="NHWC"))
    session = Session(reel, (64, 48), now=lambda: now)
    try:
        until(lambda: session.tick() or not session.is_waiting)
        now = 0.3
        session.tick()
        assert session.position == pytest.approx(2 * PART)
        session.seek(-1)
        until(lambda: session.tick() or not session.is_waiting)
        assert session.position < PART
        session._pause()  # where a viewer stops is where it goes on
        session._pause()
        until(lambda: session.tick() or not session.is_waiting)
        now = 0.6
        session.tick()
        assert session.position < PART
    finally:
        session.close()
