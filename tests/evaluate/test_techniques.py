"""Every technique on a tiny picture: it does what its name says, and a seed gives the same result."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from gvideo import cli
from gvideo.errors import MediaError, OptionError
from gvideo.evaluate.studies.techniques import allocators, codings, optimisers, regularisers, renderings
from gvideo.evaluate.studies.techniques.base import DEFAULT, REGISTRY, Fields, Technique, find
from gvideo.evaluate.studies.techniques.coded import code, curve_of
from gvideo.evaluate.studies.techniques.fit import Fit, StudyFitSettings, luma_psnr
from gvideo.evaluate.studies.techniques.initialisers import diffuse, edge_moments
from gvideo.evaluate.studies.techniques.report import technique_table
from gvideo.evaluate.studies.techniques.scenes import MOVING, Scene, scene
from gvideo.evaluate.studies.techniques.study import (
    STEP_FACTORS,
    Gain,
    TechniqueRun,
    TechniqueSettings,
    at_seconds,
    compare,
    rising,
)

STILL, CLIP = scene("texture", 32, 1), scene(MOVING, 32, 4)
PARAMETERISATIONS = [name for name, cls in REGISTRY.items() if cls.kind in {"parameterisation", "control"}]


def _fit(name: str, target: Scene = STILL, num: int = 12, steps: int = 64, seed: int = 0) -> Fit:
    fit = Fit(target, StudyFitSettings(num, steps, seed), REGISTRY[name]())
    fit.run()
    return fit


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_technique_fits_counts_and_repeats(name: str) -> None:
    target = CLIP if REGISTRY[name].video_only else STILL
    first, second = _fit(name, target), _fit(name, target)
    assert first.curve == second.curve
    assert all(torch.equal(v, second.values[n]) for n, v in first.values.items())
    assert len(first) == 12
    assert 64 <= first.done < 64 + 25
    nothing = luma_psnr(target.frames, np.zeros_like(target.frames))
    assert luma_psnr(target.frames, first.picture()) > nothing + 1
    bits = [b for b, _ in curve_of(first)]
    assert all(a > b > 0 for a, b in itertools.pairwise(bits))


@pytest.mark.parametrize("name", sorted(n for n, c in REGISTRY.items() if not c.still_only))
def test_every_technique_fits_clips(name: str) -> None:
    fit = _fit(name, CLIP)
    assert luma_psnr(CLIP.frames, fit.picture()) > luma_psnr(CLIP.frames, np.zeros_like(CLIP.frames)) + 1


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_parameterisations_describe_the_same_covariance(name: str) -> None:
    technique = REGISTRY[name]()
    log_scale = torch.tensor([[0.5, 0.1], [1.5, -0.3], [0.2, 1.9], [1.0, 1.01]])
    angle = torch.tensor([0.3, 1.2, 2.8, 0.7])
    again = technique.decode(technique.encode(log_scale, angle))
    for a, b in zip(_covariance(log_scale, angle), _covariance(*again), strict=True):
        assert torch.allclose(a, b, rtol=0.01, atol=0.01)


def _covariance(log_scale: torch.Tensor, angle: torch.Tensor) -> tuple[torch.Tensor, ...]:
    u, v = (2 * log_scale).exp().unbind(1)
    c, s = angle.cos(), angle.sin()
    return u * c * c + v * s * s, (u - v) * c * s, u * s * s + v * c * c


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_gradients_are_those_of_the_loss(name: str) -> None:
    """Along its gradient the loss changes by what the gradient says."""
    fit = _fit(name, CLIP, steps=24)
    before, gradients = fit.loss()
    length = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
    step = 1e-3 * before / length**2  # so short that curvature does not count
    fit.values = {n: v - step * gradients[n] if n in gradients else v for n, v in fit.values.items()}
    after, _ = fit.loss()
    assert after - before == pytest.approx(-step * length**2, rel=0.2)


def test_error_diffusion_keeps_the_density_and_spreads() -> None:
    density = np.zeros((40, 40))
    density[:, 20:] = 0.1
    chosen = np.zeros((40, 40), bool)
    diffuse(density.copy(), chosen)
    assert chosen.sum() == pytest.approx(80, abs=12)  # what leaves at the borders is lost
    assert not chosen[:, :19].any()
    blocks = chosen[:, 20:].reshape(4, 10, 2, 10).sum((1, 3))
    assert blocks.max() - blocks.min() <= 6  # chance would scatter by 3 either way about 10


def test_delaunay_edges_follow_the_spacing() -> None:
    grid = np.stack(np.meshgrid(4.0 * np.arange(6), 1.0 * np.arange(6)), -1).reshape(-1, 2)
    found = edge_moments(grid)
    assert found is not None
    inner = found.reshape(6, 6, 2, 2)[2:4, 2:4]
    assert (inner[..., 0, 0] > 4 * inner[..., 1, 1]).all()
    assert edge_moments(grid[:2]) is None


def test_rates_fall_with_the_root_of_the_count() -> None:
    technique = optimisers.RootRate()
    assert technique.rate(_fit(DEFAULT, num=16)) == pytest.approx(2.5)
    assert technique.rate(_fit(DEFAULT, num=64, steps=8)) == pytest.approx(1.25)


def test_solving_amplitudes_never_raises_the_error() -> None:
    fit = _fit(DEFAULT, steps=16)
    before, _ = fit.loss()
    optimisers.solve_amplitudes(fit, 8)
    after, _ = fit.loss()
    assert after < before
    optimisers.solve_amplitudes(fit, 20)
    assert fit.loss()[0] <= after * 1.001


def test_fisher_is_the_curvature_of_a_lone_gaussian() -> None:
    fit = _fit(DEFAULT, scene("gradient", 48, 1), num=4, steps=8)
    row = {"mean": [[24.0, 16.0]], "shape": [[1.2, 0.8, 0.4]], "amplitude": [[0.5, 0.1, 0.0]], "motion": [[[0.0, 0.0]]],
           "centre": [0.0], "log_duration": [7.0]}  # fmt: skip
    fit.values = {name: torch.tensor(value) for name, value in row.items()}
    fit.frames = fit.picture()
    told = optimisers.fisher(fit.fields(), 1, fit.frames[0, 0].size)
    for name, k in (("mean", 0), ("mean", 1), ("shape", 0), ("shape", 1), ("shape", 2), ("amplitude", 0)):
        step = 0.02
        moved = dict(fit.values)
        moved[name] = moved[name].clone()
        moved[name][0, k] += step
        kept, fit.values = fit.values, moved
        loss, _ = fit.loss()
        fit.values = kept
        assert float(told[name][0, k]) == pytest.approx(2 * loss / step**2, rel=0.35), (name, k)


def test_effective_rank() -> None:
    ranks = regularisers.effective_rank(torch.tensor([[1.0, 1.0], [0.0, -9.0]]))
    assert ranks.tolist() == pytest.approx([2.0, 1.0], abs=1e-4)


def test_regularisers_pull_where_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean_rank(fit: Fit) -> float:
        return float(regularisers.effective_rank(fit.fields().log_scale).mean())

    monkeypatch.setattr(regularisers.EffectiveRank, "WEIGHT", 1.0)
    assert mean_rank(_fit("effective-rank")) > mean_rank(_fit(DEFAULT)) + 0.1
    monkeypatch.setattr(regularisers.EdgeAware, "WEIGHT", 1.0)
    technique = regularisers.EdgeAware()
    free, bound = _fit(DEFAULT), _fit("edge-aware")
    penalties = [technique.penalty(fit, fit.fields()) for fit in (free, bound)]
    assert penalties[0] is not None
    assert penalties[1] is not None
    assert float(penalties[1]) < 0.8 * float(penalties[0])


def test_dropped_gaussians_fade_out() -> None:
    fit = _fit(DEFAULT, num=64, steps=16)
    technique = regularisers.DropGaussian()
    fit.done = 0
    factors = technique.thin(fit)
    assert factors is not None
    assert {round(f, 4) for f in factors.tolist()} <= {0.0, 1.1111}
    fit.done = 15
    assert technique.thin(fit) is None


def test_tile_budget_deals_by_error_over_count() -> None:
    fit = Fit(scene("texture", 48, 1), StudyFitSettings(400, 16), Technique())
    energy = np.full((1, 32, 48), 1.0, np.float32)
    energy[:, :, 32:] = 8.0
    weighed = allocators.TileBudget().weigh(fit, energy)
    shares = [weighed[0, :, x : x + 16].sum() for x in (0, 16, 32)]
    assert shares[2] == pytest.approx(sum(shares) * 0.8, rel=0.1)


def test_bandit_goes_where_gaussians_paid() -> None:
    fit = _fit(DEFAULT, scene("texture", 48, 1), num=16, steps=16)
    fit.values["mean"] = torch.tensor([[8.0, 8.0], [40.0, 8.0]]).repeat(8, 1)
    bandit = allocators.Bandit()
    energy = np.ones((1, 32, 48), np.float32)
    bandit.weigh(fit, energy)
    after = energy.copy()
    after[:, :16, :16] = 0.2
    weighed = bandit.weigh(fit, after) / after
    assert weighed[0, 0, 0] > 2 * weighed[0, 0, 40]


def test_early_exit_comes_back_whole() -> None:
    technique = allocators.EarlyExit()
    target = scene("gradient+checkerboard", 48, 1)
    fit = Fit(target, StudyFitSettings(24, 100), technique)
    least = 24

    def watch(fit: Fit) -> None:
        nonlocal least
        allocators.EarlyExit.after_step(technique, fit)
        least = min(least, len(fit)) if fit.progress > 0.5 else least

    technique.after_step = watch  # type: ignore[method-assign]
    fit.run()
    assert least < 24
    assert len(fit) == 24
    assert fit.frames is target.frames


def test_a_pyramid_ends_at_the_whole_size() -> None:
    technique = allocators.Pyramid()
    fit = Fit(STILL, StudyFitSettings(12, 80), technique)
    levels = []
    for fit.done in range(1, 81):
        levels.append(technique.level(fit))
    assert levels == [2] * 10 + [1] * 10 + [0] * 60


def test_merging_keeps_mass_and_middle() -> None:
    fit = Fit(STILL, StudyFitSettings(4, 8), Technique())
    row = {"mean": [[10.0, 10.0], [12.0, 10.0], [25.0, 15.0]], "shape": [[0.5, 0.5, 0.0]] * 3, "centre": [0.0] * 3,
           "amplitude": [[0.4, 0.0, 0.0], [0.4, 0.0, 0.0], [-0.2, 0.0, 0.0]], "motion": [[[0.0, 0.0]]] * 3,
           "log_duration": [7.0] * 3}  # fmt: skip
    fit.values = {name: torch.tensor(value) for name, value in row.items()}
    before = float(fit.picture()[0, 0, :, :20].sum())
    allocators.merge(fit, 1)
    fields = fit.fields()
    assert len(fit) == 2
    assert fields.mean.tolist()[0] == pytest.approx([11.0, 10.0])
    assert (2 * fields.log_scale[0]).exp().tolist() == pytest.approx([math.e + 1, math.e], rel=0.01)
    assert float(fit.picture()[0, 0, :, :20].sum()) == pytest.approx(before, rel=0.05)


def test_dense_summation_is_the_kernel() -> None:
    fit = _fit(DEFAULT, CLIP)
    drawn = renderings.DenseSummation().draw(CLIP, fit.fields(), fit.values)
    assert drawn is not None
    assert np.abs(drawn - fit.picture()).max() < 0.02


def test_the_first_of_composited_gaussians_hides_the_rest() -> None:
    fields = Fields(
        torch.tensor([[8.0, 8.0], [8.0, 8.0]]), torch.zeros(2, 1, 2), torch.full((2, 2), 2.0), torch.zeros(2),
        torch.tensor([[0.3, 0.0, 0.0], [-0.5, 0.0, 0.0]]), torch.zeros(2), torch.full((2,), 7.0),
    )  # fmt: skip
    technique = renderings.AlphaCompositing()
    solid = technique.draw(STILL, fields, {"opacity": torch.tensor([9.0, 0.0])})
    assert solid is not None
    assert solid[0, 0, 8, 8] == pytest.approx(0.3, abs=0.03)
    clear = technique.draw(STILL, fields, {"opacity": torch.tensor([0.0, 9.0])})
    assert clear is not None
    assert clear[0, 0, 8, 8] == pytest.approx(0.3 - 0.5 * 0.5, abs=0.03)


def test_snapping_with_fine_residuals_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = _fit(DEFAULT, num=64)  # more than there are entries
    coded, values = code(STILL, fit.fields(), fit.values, 25.0)
    coarse = codings.SnappedShapes().code(coded, values)
    monkeypatch.setattr(codings.SnappedShapes, "STEPS", 0.01)
    fine = codings.SnappedShapes().code(coded, values)
    errors = [
        max(float((a - b).abs().max()) for a, b in zip(_covariance(coded.fields.log_scale, coded.fields.angle),
            _covariance(snapped.fields.log_scale, snapped.fields.angle), strict=True))
        for snapped in (coarse, fine)
    ]  # fmt: skip
    assert errors[1] < 0.2 * errors[0]
    assert fine.total_bits > coarse.total_bits
    assert coarse.bits["scale"] == 0 < coded.bits["scale"]


def _run(technique: str, seed: int, factor: float, seconds: float, db: float, bits: float = 1.0) -> TechniqueRun:
    points = tuple((bits * 2**k, 20.0 + k) for k in range(4))
    return TechniqueRun(technique, "a", False, seed, factor, seconds, db, 5, points, ((0, 1.0), (9, 0.5)))


def test_comparison_at_equal_time_and_bytes() -> None:
    control = [_run(DEFAULT, s, f, f, 30 + 2 * math.log2(f)) for s in (0, 1) for f in STEP_FACTORS]
    assert at_seconds(control[:4], math.sqrt(2)) == pytest.approx(31)
    runs = [*control, _run("euler", 0, 1.0, 2.0, 35.0, 0.5), _run("euler", 1, 1.0, 2.0, 33.0, 0.5)]
    found = compare(runs, "euler", video=False)
    assert found.time == Gain(pytest.approx(2.0), pytest.approx(1.0), 2)
    assert found.quality.mean == pytest.approx(1)
    assert found.rate.mean == pytest.approx(-50)
    assert found.seconds == pytest.approx(2)
    assert (found.time.verdict(1), found.rate.verdict(-1)) == ("no difference", "wins")
    assert [row[0] for row in technique_table(runs)[1:]] == ["euler"]
    assert rising([(3, 5.0), (1, 4.0), (2, 6.0)]) == [(1, 4.0), (2, 6.0)]


def test_study_end_to_end(tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["study", "techniques", "euler", "--clips", str(clip), str(tmp_path / "none.mp4"), "--seeds", "1"]
    arguments += ["--steps", "16", "--report", str(tmp_path / "out"), "--workers", "1", "--cache", str(tmp_path / "c")]
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert "euler" in said.out
    assert [line for line in said.err.splitlines() if "none.mp4" in line and "gvideo study" in line]
    page = (tmp_path / "out/techniques.html").read_text()
    assert page.count("<table") == 1
    assert page.count("<svg") == 6
    rows = (tmp_path / "out/techniques.tsv").read_text().splitlines()
    assert len(rows) == 2
    assert len((tmp_path / "out/runs.tsv").read_text().splitlines()) == 1 + 2 * 5


def test_an_interrupted_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gvideo.evaluate.studies.techniques import study

    real, done = study.run_one, []

    def counted(*arguments: object) -> dict[str, object]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    counted.__qualname__ = real.__qualname__
    monkeypatch.setattr(study, "run_one", counted)
    arguments = [
        "study",
        "techniques",
        "euler",
        "--clips",
        "texture",
        "--seeds",
        "1",
        "--steps",
        "16",
        "--workers",
        "1",
    ]
    arguments += ["--report", str(tmp_path / "out"), "--cache", str(tmp_path / "c")]
    assert cli.main(arguments) == 130
    assert "goes on where it stopped" in capsys.readouterr().err
    done.clear()
    assert cli.main(arguments) == 0
    assert len(done) == 2


def test_bad_names_and_settings_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="magic: no such technique"):
        find(("magic",))
    assert cli.main(["study", "techniques", "magic", "--report", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(OptionError, match="seeds"):
        TechniqueSettings(seeds=0)
    with pytest.raises(OptionError, match="steps"):
        TechniqueSettings(steps=1)
    with pytest.raises(MediaError):
        scene(str(tmp_path / "none.mp4"), 32, 1)


def test_names_and_controls_are_registered() -> None:
    for name, cls in REGISTRY.items():
        assert cls.name == name
        assert REGISTRY[cls.control].kind == "control"
    assert dataclasses.is_dataclass(Fields)
