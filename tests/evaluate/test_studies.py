"""Studies on pictures of a few pixels: fits improve, plans are resumed, tables say what the runs say."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from gvideo import cli
from gvideo.errors import OptionError
from gvideo.evaluate.studies import density, sweep, sweep_report
from gvideo.evaluate.studies.density import DensitySettings, Run
from gvideo.evaluate.studies.density_report import answers, write_density
from gvideo.evaluate.studies.pictures import MADE, picture
from gvideo.evaluate.studies.still import INITIALISATIONS, OPTIMISERS, StillSettings, fit
from gvideo.evaluate.studies.sweep import Spec, SweepRun


@pytest.mark.parametrize("name", MADE)
def test_pictures(name: str) -> None:
    made = picture(name, 32)
    assert made.shape == (3, 32, 32)
    assert made.dtype == np.float32
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_optimiser_improves(optimiser: str) -> None:
    target = picture("gradient", 24)
    settings = StillSettings(num=8, steps=60, rate=0.02, schedule="cosine", optimiser=optimiser)
    result = fit(target, settings)
    assert result.best_loss < 0.8 * result.curve[0][1]
    assert result.final_loss >= result.best_loss > 0
    assert 0 <= result.at_bounds <= 1


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_every_start_works_and_repeats(initialisation: str) -> None:
    target = picture("gradient+checkerboard", 24)
    settings = StillSettings(num=7, steps=20, rate=0.02, initialisation=initialisation, seed=3)
    first, second = fit(target, settings), fit(target, settings)
    assert first.curve == second.curve


def test_gradients_are_those_of_the_loss() -> None:
    """A step along the gradient by SGD lowers the loss, for every parameter at once, at a small rate."""
    target = picture("texture", 16)
    result = fit(target, StillSettings(num=5, steps=10, rate=0.0005, optimiser="sgd"))
    losses = [loss for _, loss in result.curve]
    assert all(b < a for a, b in itertools.pairwise(losses))


def test_offsets_leave_a_smooth_picture_alone() -> None:
    """A shifted grid must be compared with an equally shifted picture: on a ramp the fit is hardly disturbed."""
    target = picture("gradient", 32)
    plain = fit(target, StillSettings(num=12, steps=200, rate=0.02, schedule="cosine"))
    moved = fit(target, StillSettings(num=12, steps=200, rate=0.02, schedule="cosine", offset_magnitude=0.5))
    assert moved.final_loss == pytest.approx(plain.final_loss, rel=0.5)


def test_unknown_choices_are_named() -> None:
    with pytest.raises(OptionError, match="newton"):
        StillSettings(optimiser="newton")
    with pytest.raises(OptionError, match="0 Gaussians"):
        StillSettings(num=0)


def _run(num: int, loss: float, seed: int = 0, group: str = "sizes") -> Run:
    record = {"best_loss": loss, "final_loss": 2 * loss, "pixels": 1000, "steps_per_s": 1.0, "at_bounds": 0.0,
              "best_step": 1}  # fmt: skip
    return Run(group, "gradient", 32, StillSettings(num=num, seed=seed), record)


def test_wanted_count_on_a_known_curve() -> None:
    """Squared error 3000 · loss falls by 30, 3, 0.3 a Gaussian: prices between these pick the corners."""
    runs = [_run(10, 0.2), _run(20, 0.1), _run(30, 0.09), _run(40, 0.089), _run(25, 0.3)]
    assert density.wanted_count(runs, 10.0) == (0.02, True)
    assert density.wanted_count(runs, 1.0) == (0.03, True)
    assert density.wanted_count(runs, 0.1) == (0.04, False)
    assert density.wanted_count(runs, 100.0) == (0.01, True)


def test_reversals_and_divergence() -> None:
    runs = [_run(10, 0.2, 0), _run(10, 0.2, 1), _run(20, 0.1, 0), _run(20, 0.3, 1)]
    assert density.reversals(runs) == [(10, 20, 1, 2)]
    assert density.divergence(runs) == pytest.approx(2)
    assert math.isnan(density.divergence([]))


def test_density_study_end_to_end(tmp_path: Path) -> None:
    settings = DensitySettings(20, 2, ("gradient",), (16,), (35, 40), (0.02, 0.05))
    told: list[float] = []
    runs, problems = density.run_density(settings, tmp_path, 1, lambda _what, share: told.append(share))
    assert not problems
    assert told[-1] == 1.0
    assert all(r.record for r in runs)
    page = write_density(runs, settings, problems, tmp_path / "report")
    assert len(answers(runs)) == 10
    assert "<svg" in page.read_text()
    assert len((tmp_path / "report/density_table.tsv").read_text().splitlines()) == 3
    again: list[float] = []
    density.run_density(settings, tmp_path, 1, lambda _what, share: again.append(share))
    assert not again, "everything was known"


def _spec(path: Path, **changes: object) -> Path:
    raw = {
        "kind": "still", "clips": ["gradient", "texture"], "size": 16,
        "parameters": {"offset_magnitude": [0.0, 0.2], "num": [4, 8]}, "fixed": {"steps": 30, "rate": 0.02},
    }  # fmt: skip
    path.write_text(json.dumps({**raw, **changes}))
    return path


def test_sweep_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = _spec(tmp_path / "spec.json")
    arguments = ["sweep", str(spec), "--report", str(tmp_path / "out"), "--workers", "1", "--cache", str(tmp_path)]
    assert cli.main(["study", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "8 runs; best of all" in printed
    with (tmp_path / "out/runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {"clip", "seed", "offset_magnitude", "num", "truth_loss", "steps_99"} <= rows[0].keys()
    assert (tmp_path / "out/sweep.html").read_text().count('class="heat"') == 3


def test_sweep_of_encodes(clip: Path, tmp_path: Path) -> None:
    spec = _spec(
        tmp_path / "s.json", kind="encode", clips=[str(clip)], size=[48, 32], frames=3,
        parameters={"later_life": [0.12, 0.3]}, fixed={"preset": "veryfast", "train_steps": 20, "crf": 40},
    )  # fmt: skip
    runs, problems = sweep.run_sweep(sweep.read_spec(spec), tmp_path, 1, lambda _what, _share: None)
    assert not problems
    assert len(runs) == 2
    assert all(r.values["num_bytes"] > 20 and r.values["truth_loss"] > 0 for r in runs)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "moving"}, "moving"),
        ({"parameters": {"speed": [1]}}, "speed"),
        ({"parameters": {"num": 4}}, "parameters"),
        ({"fixed": {"colour": 1}}, "colour"),
        ({"clips": []}, "clips"),
        ({"size": [1, 2]}, "size"),
        ({"budget": 3}, "budget"),
    ],
)
def test_bad_specs_are_named(changes: dict[str, object], text: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=text):
        sweep.read_spec(_spec(tmp_path / "spec.json", **changes))


def test_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("clips: [gradient]\nparameters:\n  num: [4, 8]\nfixed: {steps: 10}\n")
    assert sweep.read_spec(path).combinations() == [(4,), (8,)]


def _sweep_run(clip: str, num: int, train: float, truth: float) -> SweepRun:
    values = {"best_loss": train, "final_loss": train, "truth_loss": truth}
    return SweepRun(clip, 0, (num,), values, ((0, 1.0), (10, 0.5), (20, 0.6), (30, 0.05), (40, 0.0)))


def test_scores_winners_and_agreement() -> None:
    spec = Spec("still", ("a", "b"), (8,), 1, (0,), {"num": (1, 2, 3)}, {})
    runs = [_sweep_run(c, n, train=n, truth=10 - n) for c in "ab" for n in (1, 2, 3)]
    assert sweep_report.scores(spec, runs)["a", (1,)] == pytest.approx(1 / 3)
    assert sweep_report.ranking(spec, runs)[0] == ((1,), pytest.approx(1 / 3))
    assert sweep_report.winners(spec, runs) == {"a": (1,), "b": (1,)}
    correlation, training, truth = sweep_report.agreement(spec, runs)
    assert correlation == pytest.approx(-1)
    assert (training[0], truth[0]) == ((1,), (3,))
    assert [sweep_report.convergence(runs[0], s) for s in (0.5, 0.9, 0.99)] == [11, 31, 41]
