"""What `--crf` and `--preset` mean for the fit."""

from __future__ import annotations

import pytest

from gvideo.encoder.settings import PRESETS, EncodeSettings


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_is_the_same_at_every_usual_quality(preset):
    for crf in (28, 34, 44, 63):
        settings = EncodeSettings(crf=crf, preset=preset)
        assert settings.fit_at(settings.distortion) == PRESETS[preset]


def test_the_shortest_fit_trains_longer_and_more_slowly_the_finer_it_is():
    fits = [s.fit_at(s.distortion) for s in (EncodeSettings(crf=crf, preset="veryfast") for crf in (30, 26, 22, 18, 0))]
    steps, rates = [f.train_steps for f in fits], [f.train_rate for f in fits]
    assert steps[0] == steps[1] == PRESETS["veryfast"].train_steps < steps[2] < steps[3] == steps[4]
    assert rates[0] == rates[1] == PRESETS["veryfast"].train_rate > rates[2] > rates[3] == rates[4]
    assert steps[3] < PRESETS["fast"].train_steps
    for preset in set(PRESETS) - {"veryfast"}:
        settings = EncodeSettings(crf=18, preset=preset)
        assert settings.fit_at(settings.distortion) == PRESETS[preset]
