"""Weights and sharpening of `--tune`: against SSIM itself, and what they must leave alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gvideo import VideoDecoder, encode
from gvideo.commands import encode as encode_command
from gvideo.encoder import tune
from gvideo.encoder.settings import EncodeSettings
from gvideo.encoder.tune import TUNES, Tune, pixel_weights, sharpen
from gvideo.errors import OptionError
from gvideo.evaluate import metrics

SAMPLE = Path(__file__).parents[2] / "samples" / "bunny_180p25.mp4"


def picture() -> np.ndarray:
    """Luma f32 [1,64,96], flat on the left, textured on the right."""
    rng = np.random.default_rng(0)
    luma = np.full((1, 64, 96), 0.4)
    luma[:, :, 48:] += rng.normal(0, 0.08, (1, 64, 48))
    return luma.astype(np.float32)


def test_psnr_leaves_the_source_and_its_pixels_alone():
    luma = picture()
    before = luma.copy()
    assert pixel_weights(luma, TUNES["psnr"]) is None
    sharpen(luma, TUNES["psnr"])
    np.testing.assert_array_equal(luma, before)


def test_weighted_squared_error_is_the_loss_of_ssim():
    """With SSIM's own constant, to first order: small noise anywhere lowers SSIM by its weighted squared error."""
    luma = picture()
    weights = pixel_weights(luma, replace(TUNES["ssim"], variance_floor=tune._C2))
    assert weights is not None
    losses, sums = [], []
    rng = np.random.default_rng(1)
    for place in (np.s_[16:48, 12:40], np.s_[16:48, 56:84]):
        noise = np.zeros(luma.shape[1:])
        noise[place] = rng.normal(0, 0.004, (32, 28))
        losses.append(1 - metrics.ssim_maps(255.0 * luma[0], 255.0 * (luma[0] + noise))[0])
        sums.append(float((weights[0] * noise**2).sum()))
    assert losses[0] > 5 * losses[1]  # it shows on the flat side
    assert sums[0] / sums[1] == pytest.approx(losses[0] / losses[1], rel=0.15)


def test_weights_have_a_mean_of_one():
    weights = pixel_weights(picture(), TUNES["ssim"])
    assert weights is not None
    assert weights.dtype == np.float32
    assert np.log(weights).mean() == pytest.approx(0, abs=1e-5)


def test_sharpening_adds_contrast_to_detail_and_keeps_flat_places():
    luma = picture()
    before = luma.copy()
    sharpen(luma, Tune(sharpening=0.3))
    np.testing.assert_allclose(luma[:, :, :40], before[:, :, :40], atol=1e-6)
    ratio = luma[:, :, 56:].std() / before[:, :, 56:].std()
    assert 1.2 < ratio <= 1.3
    assert luma.mean() == pytest.approx(before.mean(), abs=1e-4)


def test_the_command_line_offers_every_tune():
    assert tuple(TUNES) == encode_command.TUNES


def test_an_unknown_tune_is_refused():
    with pytest.raises(OptionError, match=r"--tune grain: psnr, ssim, vmaf wanted"):
        EncodeSettings(tune="grain")


def test_each_tune_gives_a_stream_of_its_own(tmp_path):
    streams = {}
    for name in TUNES:
        encode(SAMPLE, tmp_path / f"{name}.gsv", crf=40, preset="veryfast", size=(80, 44), last=5, tune=name, workers=1)
        streams[name] = (tmp_path / f"{name}.gsv").read_bytes()
        assert VideoDecoder(streams[name]).planes_at([0]).shape == (1, 3, 44, 80)
    assert len(set(streams.values())) == len(TUNES)
