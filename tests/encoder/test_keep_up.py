"""An encoder slower than its source: stand-in fits that take as long as their settings say, on a clock of the test."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from packaged import quick_segment

from gvideo.encoder.jobs.executor import FittedSegment
from gvideo.encoder.jobs.keep_up import Effort, KeepUp, efforts, thinned
from gvideo.encoder.jobs.live import LiveCut, LiveRung, encode_live_ladder
from gvideo.encoder.settings import EncodeSettings
from gvideo.media import CodeFrame
from gvideo.types import ColourDescription, VideoFormat

#: Frames a second and of a segment.
RATE, LENGTH = 10, 10
SECONDS = 40
#: What a frame costs, in units of the machine's power.
COST = {"slow": 8.0, "medium": 4.0, "fast": 2.0, "veryfast": 1.0}
FORMAT = VideoFormat(32, 24, ColourDescription(1, 1, 1, False), timescale=RATE)


class Machine:
    """A source in real time, and an executor of which every fit takes its time. slowness: s of a frame at veryfast."""

    name, format = "clip", FORMAT

    def __init__(self, seconds: int, slowness: float) -> None:
        self.now = self.waited = 0.0
        self.slowness, self.seconds = slowness, seconds
        self.efforts: list[tuple[str, int, int]] = []
        self.behind: list[float] = []
        self.leaves_out = self.all_read = False
        self.starves_at = math.inf

    def leave_out(self) -> None:
        self.leaves_out = True

    def clock(self) -> float:
        return self.now

    def code_frames(self) -> Iterator[CodeFrame]:
        luma, chroma = np.full((24, 32), 90, np.uint8), np.full((12, 16), 128, np.uint8)
        for k in range(self.seconds * RATE):
            due = (k + 1) / RATE
            if due > self.now:
                self.waited += due - self.now
                self.now = due
            yield CodeFrame(luma, chroma, chroma, k, 1)

    def run(self, jobs, progress, label="") -> Iterator[FittedSegment]:
        for number, job in jobs:
            if self.now > self.starves_at:
                self.now, self.starves_at = self.now + 100.0, math.inf
            quality = 2 ** ((job.rules.distortion - 83) / 16)
            self.now += self.slowness * COST[job.settings.preset] * len(job.frames) * quality
            self.efforts.append((job.settings.preset, job.rules.distortion, len(job.frames)))
            yield FittedSegment(number, quick_segment(job), 0.0)


def encoded(machine: Machine, keep_up: KeepUp | None, rungs: int = 1) -> tuple[list[LiveCut], list[str]]:
    said: list[str] = []
    settings = EncodeSettings(segment_seconds=LENGTH / RATE)
    wanted = [LiveRung(FORMAT, settings)] * rungs
    cuts = []
    for cut in encode_live_ladder(
        machine, wanted, machine, keep_up=keep_up, waiting=machine, say=said.append, clock=machine.clock
    ):
        cuts.append(cut)
        machine.behind.append(machine.now - (cut.start + cut.duration) / RATE)
    return cuts, said


def test_a_fast_machine_is_left_alone():
    machine = Machine(10, 0.01)
    cuts, said = encoded(machine, KeepUp("medium", 1.0))
    assert said == []
    assert {e[0] for e in machine.efforts} == {"medium"}
    assert sum(c.rungs[0].num_frames for c in cuts) == 100


@pytest.mark.parametrize(
    ("slowness", "rungs", "lasts"),
    [(0.035, 1, "fast"), (0.06, 3, "coarser"), (3.0, 1, "one frame")],
)
def test_a_slow_machine_does_not_fall_behind_without_end(slowness, rungs, lasts):
    machine = Machine(SECONDS, slowness)
    cuts, said = encoded(machine, KeepUp("medium", 1.0), rungs)
    assert all("slower than its source" in line or "has time again" in line for line in said)
    assert "slower than its source" in said[0]
    assert any(lasts in line for line in said)
    assert max(machine.behind[SECONDS // 2 :]) < max(machine.behind[: SECONDS // 2]) + 3.0
    assert [c.start for c in cuts] == list(range(0, SECONDS * RATE, LENGTH))  # nothing is left out
    assert all(s.duration == LENGTH for c in cuts for s in c.rungs)


def simulated(keep_up: KeepUp, seconds: int, load: Callable[[int], float]) -> tuple[list[str], list[Effort]]:
    """(lines, efforts) of segments of a second. load: seconds that one takes with veryfast, by the second."""
    said, chosen = [], []
    for second in range(seconds):
        effort = keep_up.effort
        busy = load(second) * COST[effort.preset] / 2 ** (effort.coarser / 16) / (effort.one_of or LENGTH)
        chosen.append(effort)
        said.append(keep_up.took(busy, 1.0, max(0.0, 1.0 - busy) if keep_up.lag_s == 0 else 0.0))
    return [line for line in said if line], chosen


def test_it_takes_effort_back():
    """A machine that is busy for a while; afterwards the settings are those asked for."""
    keep_up = KeepUp("medium", 1.0)
    said, chosen = simulated(keep_up, 240, lambda second: 3.0 if 20 < second < 60 else 0.08)
    assert chosen[19] == keep_up.effort == Effort("medium")
    assert chosen[50].coarser > 0
    assert said[-1] == "has time again; goes on with --preset medium"
    assert keep_up.lag_s == 0


def test_it_does_not_swing():
    """Where a step up never holds, it is tried less and less often."""
    keep_up, rises = KeepUp("medium", 1.0), []
    for second in range(2000):
        busy = 1.6 if keep_up.effort.preset == "medium" else 0.3
        line = keep_up.took(busy, 1.0, 0.0)
        rises += [second] if line and "has time" in line else []
    assert 3 < len(rises) < 40
    apart = [b - a for a, b in pairwise(rises)]
    assert apart == sorted(apart)
    assert apart[-1] > 5 * apart[0]


def test_a_source_that_stalls_is_not_the_encoders_fault():
    keep_up = KeepUp("medium", 1.0)
    assert keep_up.took(9.0, 1.0, 0.0) is None  # the first
    assert keep_up.took(1.5, 1.0, 5.0) is None
    assert keep_up.lag_s == 0
    assert keep_up.took(1.9, 1.0, 0.0) is None
    assert "1.8 s behind; goes on with --preset fast" in (keep_up.took(1.9, 1.0, 0.0) or "")


@pytest.mark.parametrize("all_read", [False, True])
def test_what_waits_is_left_out_after_a_time_without_a_processor(all_read):
    """Of a source that goes on; one that has ended is fitted to its end."""
    machine, keep_up = Machine(SECONDS, 0.01), KeepUp("medium", 1.0, 60.0)
    machine.starves_at, machine.all_read = 10.0, all_read
    cuts, said = encoded(machine, keep_up)
    assert machine.leaves_out != all_read
    assert any(re.search(r"^\d+ s behind; leaves out what waits", line) for line in said) != all_read
    assert len(cuts) == SECONDS if all_read else 5 < len(cuts) < 12
    assert (keep_up.lag_s > 60) == all_read


def test_efforts_go_down_to_next_to_nothing():
    found = efforts("slow")
    assert found[:4] == [Effort(p) for p in ("slow", "medium", "fast", "veryfast")]
    assert (found[-1].coarser, found[-1].one_of) == (255, 0)
    assert str(Effort("veryfast", 8, 4)) == "--preset veryfast, 1 octave(s) coarser, one frame of 4"


def test_fewer_frames_last_as_long():
    luma = np.zeros((2, 2), np.uint8)
    frames = [replace(CodeFrame(luma, luma, luma, 3 * k, 3), pts=3 * k) for k in range(5)]
    assert [(f.pts, f.duration) for f in thinned(frames, 2)] == [(0, 6), (6, 6), (12, 3)]
    assert [(f.pts, f.duration) for f in thinned(frames, 0)] == [(0, 15)]
    assert thinned(frames, 1) == tuple(frames)
