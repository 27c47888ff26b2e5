"""The player without a window: clock, view, keys, what is drawn when, and what a viewer's keys do to it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream.headers import SequenceHeader
from gvideo.errors import MediaError
from gvideo.types import VideoFormat
from player.desktop.overlay import clock_text, help_lines, statistics_lines, status_line
from player.presentation.clock import Clock
from player.presentation.keys import HELP, Action, Do, action_of
from player.presentation.painter import Order, Painter, Picture
from player.presentation.reel import FileReel
from player.presentation.session import SPEEDS, Session
from player.presentation.stream_reel import open_reel
from player.presentation.view import View, coded_region, first_size, overlap, shown_size

WHOLE = (0.0, 0.0, 1.0, 1.0)


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_clock():
    now = Time()
    clock = Clock(now)
    clock.seek(5.0)
    now.now += 3
    assert clock.position == 5.0
    clock.run()
    now.now += 2
    assert clock.position == 7.0
    clock.set_speed(0.25)
    now.now += 4
    assert clock.position == 8.0
    clock.run(False)
    now.now += 9
    assert clock.position == 8.0
    assert not clock.is_running


def test_clock_follows_the_sound_smoothly_and_jumps_where_it_must():
    now = Time()
    clock = Clock(now)
    clock.run()
    for _ in range(2000):  # sound that is 2 % slower than the wall clock
        now.now += 0.01
        clock.follow(0.98 * (now.now - 100))
    assert clock.position - 0.98 * (now.now - 100) == pytest.approx(0.0, abs=0.002)
    before = clock.position
    assert clock.follow(before - 0.05) == pytest.approx(0.05)
    assert clock.position == pytest.approx(before - 0.005)
    clock.follow(before + 30)
    assert clock.position == before + 30


@pytest.mark.parametrize(
    ("window", "rectangle"),
    [((640, 360), (0, 0, 640, 360)), ((640, 480), (0, 60, 640, 360)), ((1000, 360), (180, 0, 640, 360))],
)
def test_the_whole_picture_fits_the_window(window, rectangle):
    found = View(320, 180).layout(window)
    assert found.region == WHOLE
    assert (found.x, found.y, found.width, found.height) == rectangle


def test_zoom_keeps_the_point_under_the_pointer():
    view, window = View(320, 180), (640, 400)
    for pointer in [(200, 150), (400, 300), (320, 200)]:
        before = view.point(window, pointer)
        view.zoom_at(window, pointer, 1.7)
        assert view.point(window, pointer) == pytest.approx(before, abs=0.002)
    region = view.layout(window).region
    assert region[2] == pytest.approx(1 / 1.7**3)
    view.pan(window, -50, 0)
    assert view.layout(window).region[0] == pytest.approx(region[0] + 50 / (640 * 1.7**3))
    view.pan(window, 1e6, 1e6)
    assert view.layout(window).region[:2] == (0.0, 0.0)
    view.zoom_at(window, (0, 0), 1e-6)
    assert view == View(320, 180)
    view.zoom_at(window, (0, 0), 1e9)
    assert view.zoom == 64


def test_overlap_of_two_views():
    """A picture drawn for one view lies in another one where its content belongs."""
    view, window = View(320, 180), (640, 360)
    drawn = view.layout(window)
    view.zoom_at(window, (320, 180), 2.0)
    part, place = overlap(drawn, view.layout(window), (640, 360))
    assert part == (160, 90, 320, 180)
    assert place == (0, 0, 640, 360)
    zoomed = view.layout(window)
    view.reset()
    part, place = overlap(zoomed, view.layout(window), (640, 360))
    assert part == (0, 0, 640, 360)
    assert place == (160, 90, 320, 180)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_regions_of_turned_pictures(rotation):
    """Cutting the upright picture is cutting the coded one in the turned place."""
    coded = np.arange(8 * 12).reshape(8, 12)
    upright = np.rot90(coded, -rotation // 90)
    high, wide = upright.shape
    region = (1 / wide, 2 / high, 3 / wide, 4 / high)
    x, y, w, h = coded_region(region, rotation)
    x, w, y, h = (round(v) for v in (x * 12, w * 12, y * 8, h * 8))
    np.testing.assert_array_equal(np.rot90(coded[y : y + h, x : x + w], -rotation // 90), upright[2:6, 1:4])


def test_shapes():
    from fractions import Fraction

    assert shown_size(VideoFormat(320, 180)) == (320, 180)
    assert shown_size(VideoFormat(320, 180, rotation=90)) == (180, 320)
    assert shown_size(VideoFormat(320, 180, sample_aspect=Fraction(4, 3))) == pytest.approx((426.67, 180), abs=0.01)
    assert first_size(176, 144, (1920, 1080)) == (480, 393)
    assert first_size(3840, 2160, (1920, 1080)) == (1632, 918)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("space", " ", Action(Do.PAUSE)),
        ("left", "", Action(Do.SEEK, -5)),
        (".", ".", Action(Do.STEP, 1)),
        (";", ".", Action(Do.STEP, 1)),  # another layout of the keyboard
        ("5", "5", Action(Do.LEVEL, 5)),
        ("0", "0", Action(Do.LEVEL, 0)),
        ("q", "Q", Action(Do.LEAVE)),
        ("escape", "\x1b", Action(Do.LEAVE)),
        ("x", "x", None),
        ("left shift", "", None),
    ],
)
def test_keys(name, text, wanted):
    assert action_of(name, text) == wanted


def test_help_fits_a_small_window():
    assert len(help_lines()) == len(HELP)
    assert max(map(len, help_lines())) <= 40


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two segments of six frames, 0.5 s each, beginning late, three layers."""
    path = tmp_path_factory.mktemp("session") / "a.gsv"
    sequence = SequenceHeader(48, 32, 12, 1, start=60)
    path.write_bytes(make_stream(num_layers=3, count=60, sequence=sequence).data)
    return path


def drawn(painter: Painter, count: int) -> list[Picture]:
    found: list[Picture] = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end and not (painter.is_done and painter.first() is None):
        first = painter.first()
        if first is None:
            time.sleep(0.002)
        else:
            found.append(painter.take(first.start))  # type: ignore[arg-type]
    return found


def test_the_painter_draws_every_frame_once(stream):
    reel = open_reel(str(stream))
    painter = Painter(reel, lambda: 0.0)
    painter.order(Order(0.0, 0.0, 1e-3, (48, 32), WHOLE))
    found = drawn(painter, 99)
    np.testing.assert_allclose([p.start for p in found], np.arange(12) / 12, atol=1e-9)
    np.testing.assert_allclose([p.end for p in found], np.arange(1, 13) / 12, atol=1e-9)
    decoder = VideoDecoder(stream, dimension_order="NHWC")
    np.testing.assert_array_equal([p.pixels for p in found], decoder[::])
    assert painter.is_done
    assert painter.num_dropped == 0
    painter.close()
    reel.close()


def test_the_painter_draws_between_frames_and_parts(stream):
    """Slow motion evaluates the splines; a part is drawn at the size asked for, not enlarged."""
    reel = open_reel(str(stream))
    painter = Painter(reel, lambda: 0.0)
    painter.order(Order(0.1, 0.02, 0.5, (40, 40), (0.25, 0.25, 0.5, 0.5)))
    found = drawn(painter, 5)
    np.testing.assert_allclose([p.start for p in found], 0.1 + 0.02 * np.arange(5), atol=1e-9)
    decoder = VideoDecoder(stream, dimension_order="NHWC")
    ticks = 60 + 12 * (0.1 + 0.02 * np.arange(5))
    np.testing.assert_array_equal(
        [p.pixels for p in found], decoder.get_pictures_at_ticks(ticks, (40, 40), (12, 8, 24, 16))
    )
    assert len({p.pixels.tobytes() for p in found}) == 5
    painter.close()
    reel.close()


def test_the_painter_leaves_late_pictures_out(stream):
    reel = open_reel(str(stream))
    painter = Painter(reel, lambda: 0.6)
    painter.order(Order(0.0, 0.0, 1.0, (48, 32), WHOLE))
    found = drawn(painter, 1)
    assert found[0].start > 0.4
    assert painter.num_dropped >= 5
    painter.close()
    reel.close()


class Broken(FileReel):
    def piece(self, number: int):  # type: ignore[no-untyped-def]
        if number:
            raise MediaError("seg_2: gone")
        return super().piece(number)


def test_an_error_comes_after_what_was_drawn(stream):
    painter = Painter(Broken(VideoDecoder(stream, dimension_order="NHWC")), lambda: 0.0)
    painter.order(Order(0.0, 0.0, 1.0, (48, 32), WHOLE))
    found: list[Picture] = []
    with pytest.raises(MediaError, match="seg_2"):
        while True:
            found += drawn(painter, 1)
    assert len(found) == 6
    painter.close()


class Watched:
    """A session whose time a test sets; `go` lets it run."""

    def __init__(self, stream: Path, window: tuple[int, int] = (96, 64)) -> None:
        self.now = Time()
        self.session = Session(open_reel(str(stream)), window, now=self.now)
        self.shown: list[float] = []
        self.settle()

    def settle(self) -> None:
        """Until nothing is waited for."""
        end = time.monotonic() + 10
        while True:
            self.turn()
            if not self.session.is_waiting and not self.session._steps:
                return
            assert time.monotonic() < end
            time.sleep(0.002)

    def turn(self) -> None:
        if self.session.tick():
            assert self.session.picture is not None
            self.shown.append(round(12 * self.session.picture.start, 3))

    def go(self, seconds: float, step: float = 1 / 120) -> None:
        for _ in range(round(seconds / step)):
            self.now.now += step
            for _ in range(200):  # the painter is given the time that it needs
                if self.session.painter.first() is not None or self.session.painter.is_done:
                    break
                time.sleep(0.001)
            self.turn()

    def act(self, *actions: Action) -> None:
        for action in actions:
            self.session.act(action)
        self.settle()


@pytest.fixture
def watched(stream: Path):  # type: ignore[no-untyped-def]
    found = Watched(stream)
    yield found
    found.session.close()


def test_a_session_plays_to_its_end_and_again(watched):
    session = watched.session
    watched.go(1.2)
    assert watched.shown == list(range(12))
    assert session.has_ended
    assert not session.is_playing
    assert session.position == pytest.approx(1.0, abs=0.02)
    assert "the end" in status_line(session)
    watched.act(Action(Do.PAUSE))
    watched.go(0.2)
    assert watched.shown[12:] == [0, 1, 2]
    assert session.numbers.num_stalls == 0


def test_pause_steps_and_seeks(watched):
    session = watched.session
    watched.go(0.25)
    watched.act(Action(Do.PAUSE))
    here = session.picture.start
    watched.go(1.0)
    assert session.picture.start == here
    assert status_line(session) == "paused at 0:00"
    watched.shown.clear()
    watched.act(Action(Do.STEP, 1), Action(Do.STEP, 1), Action(Do.STEP, 1), Action(Do.STEP, 1))
    first = round(12 * here)
    assert watched.shown == [first + k for k in (1, 2, 3, 4)]  # over the cut between the segments
    watched.shown.clear()
    watched.act(Action(Do.STEP, -1), Action(Do.STEP, -1))
    assert watched.shown == [first + 3, first + 2]
    watched.act(Action(Do.SEEK, 100))
    assert session.picture.start == pytest.approx(11 / 12)
    watched.act(Action(Do.START))
    assert session.picture.start == 0.0
    watched.act(Action(Do.PAUSE))
    watched.go(0.1)
    assert session.is_playing
    assert session.position == pytest.approx(0.1, abs=0.02)


def test_slow_motion_shows_pictures_between_frames(watched):
    session = watched.session
    watched.act(Action(Do.SLOWER), Action(Do.SLOWER), Action(Do.SLOWER))
    assert session.clock.speed == SPEEDS[SPEEDS.index(1.0) - 3] == 0.1
    watched.shown.clear()
    watched.go(2.0)
    assert len(watched.shown) >= 40
    assert len({x % 1 for x in watched.shown}) > 20
    assert session.position == pytest.approx(0.2, abs=0.02)
    watched.act(*[Action(Do.SLOWER)] * 9)
    assert session.clock.speed == SPEEDS[0]
    watched.act(*[Action(Do.FASTER)] * 20)
    assert session.clock.speed == SPEEDS[-1]


def test_zoom_is_drawn_anew_and_sharp(watched, stream):
    session = watched.session
    watched.act(Action(Do.PAUSE))
    session.act(Action(Do.ZOOM, 4.0), (24, 16))
    watched.settle()
    decoder = VideoDecoder(stream, dimension_order="NHWC")
    tick = np.array([60 + 12 * session.picture.start])
    x, y, w, h = session.view.layout((96, 64)).region
    assert (w, h) == (0.25, 0.25)
    wanted = decoder.get_pictures_at_ticks(tick, (96, 64), (48 * x, 32 * y, 12, 8))[0]
    np.testing.assert_array_equal(session.picture.pixels, wanted)
    session.drag(-10, 0)
    watched.settle()
    assert session.picture.order.tag == session.view.layout((96, 64))
    session.resize((192, 64))
    watched.settle()
    assert session.picture.pixels.shape == (64, 192, 3)
    watched.act(Action(Do.WHOLE))
    assert session.view.zoom == 1.0


def test_levels(watched, stream):
    session = watched.session
    watched.act(Action(Do.PAUSE), Action(Do.LEVEL, 1))
    assert session.message == "level 1 of 3 at most"
    decoder = VideoDecoder(stream, layers=1, dimension_order="NHWC", size=(96, 64))
    np.testing.assert_array_equal(session.picture.pixels, decoder[0])
    watched.act(Action(Do.LEVEL, 0))
    np.testing.assert_array_equal(
        session.picture.pixels, VideoDecoder(stream, dimension_order="NHWC", size=(96, 64))[0]
    )
    watched.act(Action(Do.LEVEL, 8))
    assert session.level is None


def test_texts(watched):
    session = watched.session
    watched.go(0.3)
    lines = statistics_lines(session)
    assert lines[0].startswith("time      0.3")
    assert "level     3 of 3" in lines[3]
    for do in (Do.STATISTICS, Do.HELP, Do.CAPTIONS, Do.MUTE, Do.FULLSCREEN, Do.LEAVE):
        watched.act(Action(do))
    assert session.shows_statistics
    assert session.shows_help
    assert session.is_fullscreen
    assert session.wants_to_leave
    assert session.message == "no sound"
    watched.now.now += 5
    assert session.message == ""
    assert [clock_text(s) for s in (0, 59.9, 61, 3661)] == ["0:00", "0:59", "1:01", "1:01:01"]
