"""Times strictly increase whatever comes in, and good times pass unchanged."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gvideo.media.timing import TimestampRepair, frame_rate_of, nominal_ticks, ticks_of


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
