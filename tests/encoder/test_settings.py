"""What `--crf` and `--preset` mean for the fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gvideo.encoder.settings import PRESETS, EncodeSettings, Preset


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_is_the_same_at_every_usual_quality(preset):
    for crf in (34, 44, 63) if preset == "fast" else (28, 34, 44, 63):
        settings = EncodeSettings(crf=crf, preset=preset)
        assert settings.fit_at(settings.distortion) == PRESETS[preset].fit


@pytest.mark.parametrize(("preset", "coarse", "fine"), [("veryfast", 26, 18), ("fast", 34, 24)])
def test_short_fits_train_longer_and_more_slowly_the_finer_they_are(preset, coarse, fine):
    crfs = (coarse + 2, coarse, (coarse + fine) / 2, fine, 0)
    fits = [s.fit_at(s.distortion) for s in (EncodeSettings(crf=crf, preset=preset) for crf in crfs)]
    steps, rates = [f.train_steps for f in fits], [f.train_rate for f in fits]
    assert steps[0] == steps[1] == PRESETS[preset].fit.train_steps < steps[2] < steps[3] == steps[4]
    assert rates[0] == rates[1] == PRESETS[preset].fit.train_rate > rates[2] > rates[3] == rates[4]
    assert steps[3] < PRESETS[{"veryfast": "fast", "fast": "medium"}[preset]].fit.train_steps


def test_long_fits_are_the_same_at_any_quality():
    for preset in ("medium", "slow"):
        settings = EncodeSettings(crf=18, preset=preset)
        assert settings.fit_at(settings.distortion) == PRESETS[preset].fit


def test_a_preset_that_is_replaced_has_nothing_of_the_old_one():
    """Studies and short tests put their own settings in a preset's place: no other steps may come back at any crf."""
    short = replace(PRESETS["fast"].fit, train_steps=7)
    for distortion in (0, 87, 100, 122, 255):
        assert Preset(short).at(distortion) == short
