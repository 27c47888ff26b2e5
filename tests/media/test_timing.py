"""Times strictly increase whatever comes in, and good times pass unchanged."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gvideo.media.timing import JointFinder, TimestampRepair, frame_rate_of, nominal_ticks, ticks_of


@pytest.mark.parametrize(
    ("given_pts", "expected"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([-20, -10, 5], [-20, -10, 5]),
        ([None, None, None], [0, 10, 20]),
        ([7, None, 27], [7, 17, 27]),
        ([0, 10, 10, 20], [0, 10, 15, 20]),  # an equal one goes half-way, the next keeps its time
        ([0, 20, 10, 30], [0, 20, 25, 30]),
        ([5000, 5010, 0, 10, 20], [5000, 5010, 5020, 5030, 5040]),  # the clock restarts
    ],
)
def test_repair(given_pts: list[int | None], expected: list[int]) -> None:
    repair = TimestampRepair(timescale=1000)
    assert [repair.next(pts, 10) for pts in given_pts] == expected


def test_milliseconds_of_matroska() -> None:
    """1000 frames a second and more share milliseconds: order and count stay, and time is caught up with."""
    repair = TimestampRepair(timescale=1000)
    given_pts = [round(k * 0.4) for k in range(8)]  # 0 0 1 1 2 2 2 3
    assert [repair.next(pts, 1) for pts in given_pts] == [0, 1, 2, 3, 4, 5, 6, 7]
    repair = TimestampRepair(timescale=1000)
    assert [repair.next(pts, 40) for pts in (0, 40, 40, 40, 80, 120)] == [0, 40, 60, 80, 100, 120]


@pytest.mark.parametrize(
    ("packets", "shifts"),
    [
        ([(0, 0), (10, 10), (20, 20)], [0, 0, 0]),
        ([(-10, 0), (0, 30), (10, 10), (20, 20)], [0, 0, 0, 0]),  # B-frames: decoding times rise
        ([(0, 0), (10, 10), (0, 0), (10, 10)], [0, 0, 20, 20]),  # a clock that starts anew
        ([(-10, 0), (0, 30), (10, 10), (20, 20), (-10, 0), (0, 10)], [0, 0, 0, 0, 40, 40]),  # behind the last frame
        ([(0, 0), (5, 5), (3, 3), (10, 10)], [0, 0, 0, 0]),  # less than a frame back: no joint
        ([(0, 0), (9000, 9000)], [0, 0]),  # a long frame
        ([(0, 0), (10, 10), (20000, 20010), (20010, 20020)], [0, 0, -19990, -19990]),  # a jump
        ([(0, 0), (10, 10), (50000, 50000), (20, 20)], [0, 0, -49980, 10]),  # one time that is rubbish
    ],
)
def test_joints(packets: list[tuple[int, int]], shifts: list[int]) -> None:
    joints = JointFinder(Fraction(1, 1000), None)
    assert [joints.shift_of(dts, pts, 10)[0] for dts, pts in packets] == shifts


def test_a_joint_without_durations_takes_the_rate() -> None:
    joints = JointFinder(Fraction(1, 1000), Fraction(25))
    assert [joints.shift_of(t, t, 0) for t in (0, 40, 0)] == [(0, False), (0, False), (80, True)]
    assert joints.end == 120


@given(st.lists(st.none() | st.integers(-(10**6), 10**6)), st.integers(1, 100))
def test_repaired_times_increase(given_pts: list[int | None], nominal: int) -> None:
    repair = TimestampRepair(timescale=1000)
    times = [repair.next(pts, nominal) for pts in given_pts]
    assert all(b > a for a, b in itertools.pairwise(times))


def test_ticks() -> None:
    assert ticks_of(Fraction(1001, 30000)) == (30000, 1001)
    assert nominal_ticks(30000, Fraction(30000, 1001)) == 1001
    assert nominal_ticks(90000, None) == 3600
    assert nominal_ticks(1, Fraction(60)) == 1


@pytest.mark.parametrize(
    ("frames", "span", "timescale", "rate"),
    [
        (100, 4000, 1000, Fraction(25)),
        (100, 3337, 1000, Fraction(30000, 1001)),  # milliseconds, rounded
        (3, 3003, 30000, Fraction(30000, 1001)),
        (1, 1, 25, Fraction(25)),
        (25, 214179, 90000, Fraction(25 * 90000, 214179)),
    ],
)
def test_frame_rate(frames: int, span: int, timescale: int, rate: Fraction) -> None:
    assert frame_rate_of(frames, span, timescale) == rate
