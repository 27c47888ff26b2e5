"""The learned start: its weights, what it says of a residual, and what it says when the weights are no good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gvideo import cli
from gvideo.errors import MediaError
from gvideo.evaluate.studies.techniques import learned
from gvideo.evaluate.studies.techniques.base import REGISTRY
from gvideo.evaluate.studies.techniques.fit import Fit, StudyFitSettings, luma_psnr
from gvideo.evaluate.studies.techniques.learned import WEIGHTS, answers_of, network, planes_of
from gvideo.evaluate.studies.techniques.optimisers import solve_amplitudes
from gvideo.evaluate.studies.techniques.scenes import Scene, scene


def _stripes() -> Scene:
    """Flat on the left, upright stripes of luma on the right, f32 [1,3,64,96]."""
    frames = np.zeros((1, 3, 64, 96), np.float32)
    frames[0, 0, :, 48:] = 0.2 * np.sin(np.arange(48) * 2 * np.pi / 12)
    return Scene("stripes", frames)


def _grown(name: str, target: Scene, num: int = 60, seed: int = 0) -> Fit:
    technique = REGISTRY[name]()
    fit = Fit(target, StudyFitSettings(num, 80, seed), technique)
    fit.grow(num, num)
    return fit


def test_weights_are_few_and_answers_fit_pictures_of_any_size() -> None:
    net = network(WEIGHTS)
    assert WEIGHTS.stat().st_size < 500_000
    assert sum(p.numel() for p in net.parameters()) < 200_000
    residual = np.random.default_rng(0).normal(0, 0.1, (2, 3, 37, 51)).astype(np.float32)
    answers = answers_of(planes_of(residual, residual[:, 0] ** 2, 4.0), net)
    assert answers.shape == (2, 4, 19, 26)
    assert np.isfinite(answers).all()
    nothing = np.zeros_like(residual)
    assert np.isfinite(answers_of(planes_of(nothing, nothing[:, 0], 4.0), net)).all()


def test_places_follow_the_detail_and_shapes_the_stripes() -> None:
    fit = _grown("learned", _stripes())
    fields = fit.fields()
    assert len(fit) == 60
    assert all(bool(v.isfinite().all()) for v in fit.values.values())
    assert float((fields.mean[:, 0] > 44).float().mean()) > 0.9
    # upright stripes: the longer axis, u, is upright
    inner = (fields.mean[:, 0] > 56) & (fields.mean[:, 0] < 88)
    assert float((2 * fields.angle[inner]).cos().mean()) < -0.5


@pytest.mark.parametrize("name", ["learned", "learned-start"])
def test_a_seed_decides_the_places(name: str) -> None:
    one, again, other = (_grown(name, scene("texture", 48, 1), seed=s).values["mean"] for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_start_is_better_than_by_chance() -> None:
    target = scene("gradient+checkerboard", 96, 1)
    fit = _grown("learned-start", target, 120)
    rng = np.random.default_rng(0)
    by_chance = _grown("all-at-once", target, 120)
    by_chance.values["mean"] = torch.from_numpy(rng.uniform((0, 0), (96, 64), (120, 2)).astype(np.float32))
    reached = []
    for one in (fit, by_chance):
        solve_amplitudes(one, 8)
        reached.append(luma_psnr(target.frames, one.picture()))
    assert reached[0] > reached[1] + 1


def _damaged(kind: str, path: Path) -> None:
    whole = WEIGHTS.read_bytes()
    if kind == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "changed":
        path.write_bytes(whole[:3000] + bytes(b ^ 0x55 for b in whole[3000:6000]) + whole[6000:])
    elif kind == "text":
        path.write_text("weights")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "other":
        np.savez(path, **{"stem.weight": np.zeros((2, 2), np.float16)})
    elif kind == "pickled":
        np.savez(path, **{"stem.weight": np.array([{}], dtype=object)})


@pytest.mark.parametrize("kind", ["missing", "cut", "changed", "text", "empty", "other", "pickled"])
def test_weights_that_are_no_good_are_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "initialiser.npz"
    _damaged(kind, path)
    with pytest.raises(MediaError, match=r"initialiser.npz: .*learned start.*install gvideo again") as caught:
        network(path)
    assert "\n" not in str(caught.value)


def test_study_without_weights_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(learned, "WEIGHTS", tmp_path / "none.npz")
    arguments = ["study", "techniques", "learned", "--clips", "texture", "--seeds", "2", "--steps", "16"]
    assert cli.main([*arguments, "--report", str(tmp_path / "out"), "--cache", str(tmp_path / "c")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "none.npz" in line]) == 1
    assert not (tmp_path / "out").exists()
