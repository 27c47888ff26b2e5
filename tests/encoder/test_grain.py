"""The noise that was added to a clip is found again: its strength at each level of luma, and its spectrum."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gvideo import VideoDecoder, encode
from gvideo.bitstream import headers
from gvideo.bitstream.headers import STRENGTH_STEPS
from gvideo.commands.encoding.prefixes import prefix_psnr
from gvideo.encoder.grain import GrainStatistics, grain_of, no_statistics, pair_statistics
from gvideo.encoder.motion.flow import Flow
from gvideo.media import VideoSource, open_sink
from gvideo.model.grain import tiles
from gvideo.types import VideoFormat

SIZE = (256, 192)


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], along_x: float, along_y: float) -> np.ndarray:
    """Noise [T,H,W] of variance 1 whose neighbours have these correlations."""
    noise = rng.normal(size=shape)
    for axis, factor in ((2, along_x), (1, along_y)):
        noise = np.moveaxis(noise, axis, 0)
        for k in range(1, len(noise)):
            noise[k] = factor * noise[k - 1] + np.sqrt(1 - factor**2) * noise[k]
        noise = np.moveaxis(noise, 0, axis)
    return noise


def ramp(num_frames: int) -> np.ndarray:
    """A smooth picture f64 [T,H,W] from dark to bright that moves by two pixels a frame."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    moves = np.arange(num_frames)[:, None, None]
    return 0.08 + 0.8 * x / SIZE[0] + 0.03 * np.sin((x - 2 * moves) / 9) * np.cos(y / 11)


def measured(source: np.ndarray, coded: np.ndarray) -> GrainStatistics:
    source, coded = source.astype(np.float32), coded.astype(np.float32)
    flow = Flow(source)
    pairs = [pair_statistics(source[k : k + 2], coded[k : k + 2], flow.forward[k]) for k in range(len(source) - 1)]
    return sum(pairs, no_statistics())


@pytest.mark.parametrize("correlations", [(0.0, 0.0), (0.6, 0.3), (-0.4, 0.0)])
def test_known_noise(correlations):
    clean = ramp(5)
    deviation = np.interp(clean, [0.1, 0.5, 0.9], [2.4, 3.4, 2.6]) / 255
    noise = autoregressive(np.random.default_rng(1), clean.shape, *correlations)
    grain = grain_of([measured(np.clip(clean + deviation * noise, 0, 1), clean)], seed=3)
    assert grain is not None
    assert grain.seed == 3
    levels = (np.arange(8) + 0.5) / 8
    wanted = np.interp(levels, [0.1, 0.5, 0.9], [2.4, 3.4, 2.6]) / 255 * STRENGTH_STEPS
    np.testing.assert_allclose(grain.strengths[1:7], wanted[1:7], rtol=0.2)
    tile = tiles(grain)[0].astype(float)
    for axis, correlation in zip((1, 0), correlations, strict=True):
        found = (tile * np.roll(tile, 1, axis)).mean() / tile.var()
        assert found == pytest.approx(correlation, abs=0.12)


def test_lost_texture_that_moves_is_no_noise():
    rng = np.random.default_rng(2)
    wide = rng.uniform(-0.1, 0.1, (SIZE[1], SIZE[0] + 12))
    texture = np.stack([wide[:, 3 * k : 3 * k + SIZE[0]] for k in range(4)])
    grain = grain_of([measured(0.5 + texture, np.full_like(texture, 0.5))])
    assert grain is None or max(grain.strengths) < 0.1 * 0.1 / 3**0.5 * STRENGTH_STEPS


def test_nothing_to_measure():
    assert grain_of([]) is None
    assert grain_of([no_statistics()]) is None
    still = ramp(3)[:1].repeat(3, 0) + np.random.default_rng(0).normal(0, 0.02, (1, SIZE[1], SIZE[0]))
    assert grain_of([measured(np.clip(still, 0, 1), ramp(3))]) is None  # frames that are held
    black = np.maximum(np.random.default_rng(0).normal(0, 0.02, (3, SIZE[1], SIZE[0])), 0)
    assert grain_of([measured(black, np.zeros_like(black))]) is None  # noise that is cut off
    fade = np.linspace(0.3, 0.4, 3)[:, None, None] + np.zeros((1, SIZE[1], SIZE[0]))
    assert grain_of([measured(fade, fade)]) is None
    assert grain_of([measured(fade, fade[:1].repeat(3, 0))]) is None
    tiny = np.full((2, 12, 12), 0.5, np.float32)
    assert pair_statistics(tiny, tiny, np.zeros((12, 12, 2), np.float32)).counts.sum() == 0


def write_noisy_clip(path: Path, num_frames: int) -> None:
    clean = ramp(num_frames)[:, :64, 64:192]
    noise = np.random.default_rng(4).normal(0, 4 / 255, clean.shape)
    video_format = VideoFormat(128, 64, timescale=25)
    with open_sink(path, video_format, frame_rate=Fraction(25)) as sink:
        for number, luma in enumerate(clean + noise):
            planes = np.zeros((3, 64, 128), np.float32)
            planes[0] = luma
            sink.write(planes, number, 1)


def test_a_stream_with_grain_is_the_stream_without_and_looks_like_its_source(tmp_path):
    write_noisy_clip(tmp_path / "clip.mkv", 8)
    options = {"crf": 38, "preset": "veryfast", "workers": 1, "segment_seconds": 0.16}
    reports = [
        encode(tmp_path / "clip.mkv", tmp_path / f"{grain:d}.gsv", grain=grain, **options) for grain in (False, True)
    ]
    with_grain = VideoDecoder(tmp_path / "1.gsv")
    grain = with_grain.stream.header.grain
    assert grain is not None
    # nothing but the header differs
    plain, drawn = ((tmp_path / f"{k}.gsv").read_bytes() for k in (0, 1))
    assert len(drawn) == len(plain) + headers.GRAIN_BYTES
    first = with_grain.stream.segments[0].offset
    assert drawn[first:] == plain[first - headers.GRAIN_BYTES :]
    # and no figure is measured with it
    assert reports[0].luma_psnr_db == reports[1].luma_psnr_db
    found = prefix_psnr(str(tmp_path / "1.gsv"), str(tmp_path / "clip.mkv"), 1)
    assert found == pytest.approx([reports[0].luma_psnr_db], abs=0.01)
    # the noise of the source is there again
    with VideoSource(tmp_path / "clip.mkv") as video:
        source = np.stack([f.to_source_frame(video.format).planes[0] for f in video.code_frames()])
    without = VideoDecoder(tmp_path / "1.gsv", grain=False).planes_at(range(8))[:, 0]

    def roughness(luma: np.ndarray) -> float:
        return float(np.diff(luma, axis=2).std())

    assert roughness(without) < 0.4 * roughness(source)
    assert roughness(with_grain.planes_at(range(8))[:, 0]) == pytest.approx(roughness(source), rel=0.2)
