"""Playing over a network: levels by rules, waiting segments improved by the missing range alone, live, many rungs."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

import numpy as np
import pytest
import reels
from faults import serving
from packaged import package_plain, write_stream

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import GVideoError, MediaError
from player.adaptation.abr import RULES, Highest, Rule, State
from player.adaptation.buffer import SegmentBuffer
from player.adaptation.plan import Ladder, Planner
from player.presentation.stream_reel import open_reel
from player.source.fetch import Fetcher


class Lowest(Rule):
    """The base, over a network that is fast enough for everything."""

    def choose(self, state: State) -> int:
        return 0

    def estimate_bps(self) -> float:
        return 1e9


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a stream of three segments of 2 s and three layers, it published)."""
    folder = tmp_path_factory.mktemp("layered")
    stream = write_stream(folder / "s.gsv", num_layers=3, count=90)
    return stream, package_plain(stream, folder / "p")


@pytest.fixture(scope="module")
def rungs(layered: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rungs of one layer."""
    folder = tmp_path_factory.mktemp("rungs")
    names = [str(write_stream(folder / f"{n}.gsv", count=n, seed=n)) for n in (12, 80)]
    assert main(["package", *names, "-o", str(folder / "p")]) == 0
    return folder / "p"


until = functools.partial(reels.until, seconds=5.0)


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_waiting_segments_are_improved_by_the_missing_range_alone(manifest, layered):
    stream, folder = layered
    with serving(folder) as served:
        reel = reels.opened(f"{served.url}/{manifest}", rule=Lowest())
        until(lambda: reel.levels == {0: 0, 1: 2, 2: 2})  # the first is on screen: it stays
        pictures = [reel.piece(n).pictures(np.array([2.0 * n]), (64, 48), (0, 0, 1, 1))[0] for n in range(3)]
        traffic = reel.traffic
        reel.close()
    assert traffic.num_upgrades == 4
    assert traffic.num_wasted_bytes == 0
    for number in (2, 3):
        ranges = [r.removeprefix("bytes=").split("-") for _, r in served.asked(f"seg_{number}.")]
        assert [int(a) for a, _ in ranges] == [0, int(ranges[0][1]) + 1, int(ranges[1][1]) + 1]
        (path,) = {p for p, _ in served.asked(f"seg_{number}.")}
        assert int(ranges[-1][1]) + 1 == (folder / path).stat().st_size
    for layers, frames in ((1, [0]), (3, [50, 100])):
        decoder = VideoDecoder(stream, layers=layers, dimension_order="NHWC")
        for frame in frames:
            np.testing.assert_array_equal(pictures[frame // 50], decoder[frame])


@pytest.mark.parametrize("rule", RULES)
def test_rules_choose_over_http(rule, layered):
    """Every rule gets to the end and fetches no byte twice."""
    with serving(layered[1]) as served:
        reel = reels.opened(served.url, rule=RULES[rule](), target_seconds=4)
        starts = []
        for number in range(3):
            piece = reel.piece(number)
            reel.move(float(piece.times[0]))
            starts.append(float(piece.times[0]))
        assert starts == [0.0, 2.0, 4.0]
        assert 0 <= piece.level <= 2
        reel.close()
    assert reel.traffic.num_bytes <= sum(f.stat().st_size for f in layered[1].rglob("*.m4s"))


def test_a_failing_improvement_costs_nothing_but_itself(layered):
    with serving(layered[1], lambda path, count: "404" if "seg_2." in path and count else "") as served:
        reel = reels.opened(served.url, rule=Lowest())
        until(lambda: reel.levels.get(2) == 2)
        assert reel.levels[1] == 0
        assert reel.piece(1).level == 0
        reel.close()


def test_rungs_of_other_files(rungs):
    """A simulcast ladder: levels are files of their own; a limit fetches what waits anew."""
    with serving(rungs) as served:
        reel = reels.opened(served.url, rule=Highest())
        assert reel.num_levels == 2
        until(lambda: reel.levels == {0: 1, 1: 1, 2: 1})
        assert reel.piece(0).level == 1
        reel.set_level(0)
        until(lambda: reel.levels == {0: 1, 1: 0, 2: 0})
        assert reel.piece(1).level == 0
        small = VideoDecoder(rungs / "v0.m3u8", dimension_order="NHWC")
        np.testing.assert_array_equal(reel.piece(1).pictures(np.array([2.0]), (64, 48), (0, 0, 1, 1))[0], small[50])
        assert reel.traffic.num_wasted_bytes > 0
        reel.close()


def test_layers_are_limited_and_freed(layered):
    reel = reels.opened(str(layered[1]), layers=2)
    assert reel.piece(0).level == 1
    reel.set_level(0)
    assert reel.piece(0).level == 0
    reel.set_level(None)
    assert reel.num_levels == 3
    until(lambda: reel.levels.get(2) == 2)
    assert reel.piece(2).level == 2
    assert reel.levels[0] == 1  # it plays as it is
    reel.stand(True)
    until(lambda: reel.better_level(0, 1))
    assert reel.piece(0).level == 2
    reel.close()


def test_command_tells_what_was_fetched(layered, capsys):
    with serving(layered[1]) as served:
        assert main(["play", served.url, "--no-window", "--rule", "bola", "--size", "16x12"]) == 0
    err = capsys.readouterr().err
    assert "150 frames in 6.0" in err
    assert "of 3, " in err
    assert "bytes" in err


def ladder(count: int, levels: int = 2) -> Ladder:
    bits = np.tile(np.arange(1, levels + 1) * 1e5, (count, 1))
    return Ladder(bits, np.full(count, 2.0), np.arange(levels, dtype=float), True)


def buffer_of(fetch: object, count: int = 5, target: float = 6.0) -> SegmentBuffer:
    return SegmentBuffer(fetch, Planner(Lowest(), target, True), ladder(count))  # type: ignore[arg-type]


def test_the_buffer_fetches_no_further_than_its_target_and_goes_on_when_the_picture_does():
    asked: list[tuple[int, int]] = []

    def fetch(number: int, level: int, have: bytes) -> bytes:
        asked.append((number, level))
        return have + bytes([number])

    buffer = buffer_of(fetch, count=9)
    until(lambda: len(asked) == 5)
    assert buffer.take(0) == (0, b"\0")
    assert [a for a in asked if a[1] == 0] == [(0, 0), (1, 0), (2, 0)]
    assert (1, 1) in asked
    buffer.move(4.5)
    until(lambda: (4, 0) in asked)
    assert buffer.ahead_seconds == pytest.approx(5.5)
    buffer.move(17.0)  # a jump: what lies between is not fetched
    until(lambda: (8, 0) in asked)
    assert not any(n in (5, 6, 7) for n, _ in asked)
    buffer.close()


def test_errors_come_where_they_are_due_and_go_with_a_jump():
    def fetch(number: int, level: int, have: bytes) -> bytes:
        if number == 1:
            raise MediaError("seg_1: gone")
        return b"x"

    buffer = buffer_of(fetch)
    assert buffer.take(0)[1] == b"x"
    with pytest.raises(MediaError, match="seg_1"):
        buffer.take(1)
    buffer.move(8.5)
    assert buffer.take(4)[1] == b"x"
    buffer.close()


def test_closing_frees_who_waits():
    gate = threading.Event()

    def fetch(number: int, level: int, have: bytes) -> bytes:
        gate.wait(5)
        return b""

    buffer = buffer_of(fetch)
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            buffer.take(0)
        except GVideoError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    threading.Timer(0.1, gate.set).start()
    buffer.close()
    thread.join(3)
    assert not thread.is_alive()


def test_real_time_over_a_server_that_fails_now_and_then(layered):
    """Every resource fails twice in another way; playing goes on to the end."""
    faults = ("500", "drop", "truncated", "503")
    with serving(layered[1], lambda path, count: faults[(count + len(path)) % 4] if count < 2 else "") as served:
        reel = open_reel(served.url, Fetcher(timeout_seconds=0.5, backoff_seconds=0.01))
        assert [reel.piece(n).num_frames for n in range(3)] == [50, 50, 50]
        reel.close()
