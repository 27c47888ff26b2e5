"""Rate control against made-up content whose sizes are known: cuts, still passages, chance, content without bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from gvideo.encoder.rate.buffer import Buffer, first_miss
from gvideo.encoder.rate.model import MAX_DISTORTION, RateTarget, SegmentRate, curve, plan
from gvideo.encoder.rate.one_pass import OnePass
from gvideo.encoder.rate.search import RateSearch, Size
from gvideo.errors import OptionError

SECONDS = 2.0
OVERHEAD = 500.0


class Content:
    """Segments whose bits at a distortion are known. complexity: log2 bits at distortion 0; slope: octaves of bits for
    one of 1/D. A fast fit takes 2^0.4 as many bits, by chance more or less; every fit varies by a few percent."""

    def __init__(self, complexity: list[float], slope: float = 0.67, floor_bits: float = 400.0, seed: int = 0) -> None:
        self.complexity, self.slope, self.floor = complexity, slope, floor_bits
        rng = np.random.default_rng(seed)
        self.chance = rng.normal(0, 0.05, (len(complexity), MAX_DISTORTION + 1))
        self.fast = 0.4 + rng.normal(0, 0.3, len(complexity))
        self.fits = self.fast_fits = 0

    def bits(self, number: int, distortion: int, fast: bool = False) -> float:
        octaves = self.complexity[number] + self.slope * distortion / 8 + self.chance[number, distortion]
        return self.floor + 2 ** (octaves + (self.fast[number] if fast else 0.0))

    def encode(self, wish: Callable[[int], int | None], fast: bool, stage: str) -> Mapping[int, Size]:
        wanted = {n: d for n in range(len(self.complexity)) if (d := wish(n)) is not None}
        self.fast_fits += fast * len(wanted)
        self.fits += (not fast) * len(wanted)
        return {n: Size(int(self.bits(n, d, fast)), SECONDS) for n, d in wanted.items()}

    def sizes(self, distortions: list[int]) -> list[float]:
        return [float(int(self.bits(n, d))) for n, d in enumerate(distortions)]


CONTENTS = {
    "one segment": [8.0],
    "even": [8.0] * 6,
    "cuts between easy and hard scenes": [6.0, 6.2, 10.0, 9.8, 7.0, 11.0, 6.5, 9.0],
    "still passages": [9.0, 1.0, 1.0, 9.0, 0.0, 9.5, 1.0, 1.0],
    "a hundred segments": list(np.random.default_rng(1).normal(8, 1.5, 100)),
}


def search(content: Content, target: RateTarget, start: int = 60, probing: bool = True) -> list[int]:
    return RateSearch(content.encode, target, start, lambda _: OVERHEAD, probing).run()


@pytest.mark.parametrize("probing", [True, False])
@pytest.mark.parametrize("bitrate", [3e3, 30e3, 1e6])
@pytest.mark.parametrize("name", CONTENTS)
def test_two_passes_meet_the_bitrate(name, bitrate, probing):
    content = Content(CONTENTS[name])
    chosen = search(content, RateTarget(bitrate), probing=probing)
    seconds = SECONDS * len(chosen)
    assert (sum(content.sizes(chosen)) + OVERHEAD) / seconds == pytest.approx(bitrate, rel=0.05)
    assert content.fits <= 3 * len(chosen) + 3
    if len(chosen) > 1:  # the buffer is free: no scene is favoured
        assert max(chosen) - min(chosen) <= 8


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("factor", [1.05, 1.5])
def test_the_buffer_is_kept(name, factor):
    content = Content(CONTENTS[name])
    bitrate = 30e3
    target = RateTarget.of(bitrate, factor * bitrate, None, SECONDS)
    assert target is not None
    assert target.maxrate is not None
    assert target.bufsize is not None
    chosen = search(content, target)
    bits = content.sizes(chosen)
    bits[0] += OVERHEAD
    assert first_miss(bits, [SECONDS] * len(bits), target.maxrate, target.bufsize) is None
    for i in range(len(bits)):  # what the docstring of buffer.py promises of every stretch
        for j in range(i, len(bits)):
            assert sum(bits[i : j + 1]) <= target.bufsize + target.maxrate * SECONDS * (j - i) + 1e-6
    assert sum(bits) / SECONDS / len(bits) <= 1.05 * bitrate


def test_a_bounded_quality_only_falls_where_it_must():
    content = Content([5.0, 5.0, 12.0, 5.0])
    free = search(content, RateTarget(None, 1e9, 1e9), start=70)
    assert free == [70] * 4
    bounded = search(content, RateTarget(None, 60e3, 120e3), start=70)
    assert bounded[0] == bounded[3] == 70
    assert bounded[2] < 70


def test_the_same_content_gives_the_same_rounds():
    runs = []
    for _ in range(2):
        content = Content(CONTENTS["cuts between easy and hard scenes"])
        runs.append((search(content, RateTarget(50e3)), content.fits, content.fast_fits))
    assert runs[0] == runs[1]


def test_content_without_bits_stays_below_and_too_little_is_refused():
    still = Content([-40.0] * 4)
    assert search(still, RateTarget(1e6)) == [MAX_DISTORTION] * 4
    with pytest.raises(OptionError, match="even at the coarsest"):
        search(Content([8.0] * 4, floor_bits=4000), RateTarget(1e3))
    with pytest.raises(OptionError, match="does not fit the buffer"):
        search(Content([8.0] * 4, floor_bits=4000), RateTarget(None, 1e3, 2e3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((None, None, 1e5), "--bufsize: only with --maxrate or --bitrate"),
        ((2e5, 1e5, None), "--maxrate 100000: below --bitrate"),
        ((0.0, None, None), "--bitrate 0: above 0"),
        ((None, float("nan"), None), "--maxrate nan: above 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(OptionError, match=message):
        RateTarget.of(*options, SECONDS)


def test_options_fill_one_another_in():
    assert RateTarget.of(None, None, None, SECONDS) is None
    assert RateTarget.of(1e5, None, None, SECONDS) == RateTarget(1e5)
    assert RateTarget.of(1e5, None, 3e5, SECONDS) == RateTarget(1e5, 1e5, 3e5)
    assert RateTarget.of(None, 1e5, None, SECONDS) == RateTarget(None, 1e5, 4e5)


def test_the_buffer_is_a_leaky_bucket():
    buffer = Buffer(100.0, 300.0)
    assert buffer.take(250, 1.0)
    assert buffer.fullness_bits == 150
    assert not buffer.take(151, 1.0)
    assert buffer.fullness_bits == 100
    assert buffer.take(0, 10.0)
    assert buffer.fullness_bits == 300  # never more than it holds
    assert first_miss([300, 100, 100], [1, 1, 1], 100, 300) is None
    assert first_miss([100, 100, 300, 101, 1], [1, 1, 1, 1, 1], 100, 300) == (2, 3)


def test_a_curve_goes_through_what_was_measured():
    bits = curve({40: 1000.0, 56: 4000.0})
    assert bits[40] == pytest.approx(1000)
    assert bits[48] == pytest.approx(2000)
    assert bits[56] == pytest.approx(4000)
    assert bits[64] == pytest.approx(8000)
    assert (np.diff(curve({40: 1000.0, 41: 900.0, 60: 5000.0})) >= 0).all()


def test_a_plan_is_one_distortion_but_for_its_last_step():
    segments = [SegmentRate(SECONDS, {60: 1000.0 * k}) for k in range(1, 9)]
    for bitrate in (500.0, 2250.0, 9000.0):
        chosen = plan(segments, RateTarget(bitrate), 0.0, 0)
        assert max(chosen) - min(chosen) <= 1
        predicted = sum(curve(s.measured)[d] for s, d in zip(segments, chosen, strict=True))
        assert predicted == pytest.approx(bitrate * SECONDS * len(segments), rel=0.02)


@pytest.mark.parametrize("name", ["even", "cuts between easy and hard scenes", "still passages", "a hundred segments"])
@pytest.mark.parametrize("maxrate", [None, 60e3])
def test_one_pass_meets_the_bitrate_and_keeps_the_buffer(name, maxrate):
    content = Content(CONTENTS[name] * (1 if len(CONTENTS[name]) > 50 else 16), seed=3)
    target = RateTarget.of(30e3, maxrate, None, SECONDS)
    assert target is not None
    control, bits, fits = OnePass(target, 352 * 288 * 25, 60), [], 0
    for number in range(len(content.complexity)):
        distortion: int | None = control.distortion(SECONDS)
        while distortion is not None:
            fits += 1
            size = float(int(content.bits(number, distortion)))
            distortion = control.take(size, SECONDS, distortion)
        bits.append(size)
    assert sum(bits) / SECONDS / len(bits) == pytest.approx(30e3, rel=0.05)
    assert fits <= 1.7 * len(bits)
    if maxrate is not None:
        assert target.bufsize is not None
        assert first_miss(bits, [SECONDS] * len(bits), maxrate, target.bufsize) is None


def test_one_pass_gives_up_where_nothing_fits():
    control = OnePass(RateTarget(None, 1e3, 2e3), 1e6, 80)
    distortion: int | None = control.distortion(SECONDS)
    with pytest.raises(OptionError, match="does not fit the buffer"):
        while distortion is not None:
            distortion = control.take(5000, SECONDS, distortion)
