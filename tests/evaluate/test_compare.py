"""The whole comparison on a tiny clip: figures, fairness, the cache, and what happens when something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gvideo import cli
from gvideo.errors import MediaError, OptionError
from gvideo.evaluate import anchors, points, tables
from gvideo.evaluate.anchors import ANCHORS, AnchorSettings
from gvideo.evaluate.compare import EvalSettings, Evaluation, evaluate, interval_frames, plan, unique_names
from gvideo.evaluate.frames import prepare, read_y4m
from gvideo.evaluate.own import OwnSettings
from gvideo.media import VideoSource

SETTINGS = EvalSettings(crfs=(36, 44, 52), anchors=("x264",), tunes=("psnr",), preset="veryfast", threads=1)


@pytest.fixture(scope="module")
def evaluation(clip: Path, cache: Path) -> Evaluation:
    return evaluate([clip], SETTINGS, cache)


def test_reference_holds_the_sources_integers(clip: Path, tmp_path: Path) -> None:
    reference = prepare(clip, tmp_path, None, (0, 4))
    assert (reference.num_frames, reference.rate, len(reference.notes)) == (5, 25, 0)
    with VideoSource(clip, last=4) as video:
        for mine, theirs in zip(reference.planes().y, video.code_frames(), strict=True):
            np.testing.assert_array_equal(mine, theirs.y)


def test_frames_from_the_middle(clip: Path, tmp_path: Path) -> None:
    reference = prepare(clip, tmp_path, frames=(2, 4))
    with VideoSource(clip, first=2, last=4) as video:
        expected = [frame.y for frame in video.code_frames()]
    assert (reference.num_frames, len(expected)) == (3, 3)
    np.testing.assert_array_equal(reference.planes().y, expected)


def test_odd_sizes_are_made_even_and_said(clip: Path, tmp_path: Path) -> None:
    reference = prepare(clip, tmp_path, (51, 33), (0, 98))
    assert (reference.format.width, reference.format.height) == (50, 32)
    assert [note.split()[0] for note in reference.notes] == ["resized", "has"]


def test_every_point_is_measured(evaluation: Evaluation) -> None:
    ours = evaluation.curve("disc.y4m", "gvideo")
    theirs = evaluation.curve("disc.y4m", "x264/psnr")
    assert len(ours) == 3
    assert len(theirs) >= 3
    for p in [*ours, *theirs]:
        assert p.num_bytes > 0
        assert p.bitrate_bps == pytest.approx(8 * p.num_bytes / (8 / 25))
        assert {"y_psnr_db", "yuv_psnr_db", "ssim", "ms_ssim", "xpsnr_db", "vmaf"} <= p.values.keys()
        assert sum(p.parts.values()) == pytest.approx(p.num_bytes)
        assert not p.warnings
    assert all(Path(p.stream).stat().st_size == p.num_bytes for p in ours)


def test_anchor_reaches_past_our_curve(evaluation: Evaluation) -> None:
    ours = [p.values["y_psnr_db"] for p in evaluation.curve("disc.y4m", "gvideo")]
    theirs = [p.values["y_psnr_db"] for p in evaluation.curve("disc.y4m", "x264/psnr")]
    qualities = [p.quality for p in evaluation.curve("disc.y4m", "x264/psnr")]
    assert max(theirs) >= max(ours)
    assert min(theirs) <= min(ours) or max(qualities) == ANCHORS["x264"].highest


def test_a_second_run_encodes_nothing_and_says_the_same(clip: Path, cache: Path, evaluation: Evaluation) -> None:
    again = evaluate([clip], SETTINGS, cache)
    assert all(p.cached for p in again.points)
    assert [p.num_bytes for p in again.points] == [p.num_bytes for p in evaluation.points]
    assert again.rows == evaluation.rows


def test_what_is_missing_is_named_and_the_rest_goes_on(
    clip: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluation: Evaluation
) -> None:
    assert evaluation.points
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    known = frozenset({"libx264"})
    monkeypatch.setattr("gvideo.evaluate.ffmpeg.encoders", lambda: known)
    settings = EvalSettings(
        crfs=(36, 44, 52), anchors=("svtav1", "x264"), tunes=("psnr",), preset="veryfast", threads=1
    )
    result = evaluate([text, tmp_path / "nowhere.mp4", clip], settings, cache)
    assert [r.name for r in result.references] == ["disc.y4m"]
    assert result.curves() == ["gvideo", "x264/psnr"]
    for word in ("notes.mp4", "nowhere.mp4", "svtav1"):
        assert any(word in problem for problem in result.problems)


def test_settings_are_fair(clip: Path, tmp_path: Path) -> None:
    reference = prepare(clip, tmp_path)
    assert interval_frames(reference, 2.0) == 50
    jobs = plan(reference, EvalSettings(crfs=(30, 63), anchors=("svtav1",), threads=2), ("x264", "svtav1"))
    assert len(jobs) == 2 + 4 + 4
    for job in jobs:
        if isinstance(job, AnchorSettings):
            options = job.options()
            assert options["g"] == "50"
            assert ("tune" in options) == (job.anchor == "x264" and job.tune == "psnr")


@pytest.mark.parametrize("name", ["x264", "x265", "svtav1", "vvenc"])
def test_anchor_streams_decode_to_all_frames(name: str, clip: Path, tmp_path: Path) -> None:
    assert anchors.missing_reason(name) is None
    reference = prepare(clip, tmp_path)
    stream = tmp_path / ("s" + ANCHORS[name].suffix)
    anchors.encode(reference, AnchorSettings(name, "psnr", anchors.quality_of(name, 34), 4, 1), stream)
    anchors.decode(stream, tmp_path / "out.y4m", 1)
    planes = read_y4m(tmp_path / "out.y4m")
    assert planes.y.shape == reference.planes().y.shape
    assert float(np.abs(planes.y.astype(int) - reference.planes().y).mean()) < 8
    sizes = anchors.picture_sizes(stream)
    assert len(sizes) == 8
    assert sizes[4][0], "a keyframe at least every four frames"
    counted, stored = anchors.payload_bytes(stream), stream.stat().st_size
    assert counted == (stored - 2 * 8 if name == "svtav1" else stored)
    assert b"x264" not in stream.read_bytes()
    assert b"x265" not in stream.read_bytes()


def test_obu_sizes_are_checked() -> None:
    assert anchors.obu_units(bytes([0x12, 0x00, 0x0A, 0x01, 0x55])) == [(2, 2), (1, 3)]
    with pytest.raises(ValueError, match="no size field"):
        anchors.obu_units(b"\x10\x00")
    with pytest.raises(ValueError, match="longer"):
        anchors.obu_units(b"\x0a\x05\x00")


def test_cache_depends_on_the_code(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = prepare(clip, tmp_path)
    bench = points.Bench(tmp_path, 1)
    before = bench.entry(reference, OwnSettings(30)).folder
    assert bench.entry(reference, OwnSettings(31)).folder != before
    assert bench.entry(reference, OwnSettings(30)).folder == before
    monkeypatch.setattr("gvideo.evaluate.own.code_version", lambda: "another")
    assert bench.entry(reference, OwnSettings(30)).folder != before


def test_tables_and_json(evaluation: Evaluation, tmp_path: Path) -> None:
    table = tables.points_table(evaluation)
    assert {len(row) for row in table} == {len(table[0])}
    tables.write_tsv(tmp_path / "points.tsv", table)
    assert len((tmp_path / "points.tsv").read_text().splitlines()) == len(evaluation.points) + 1
    assert [tuple(row.values()) for row in tables.read_tsv(tmp_path / "points.tsv")] == table[1:]
    with pytest.raises(MediaError, match=r"none\.tsv: cannot be read"):
        tables.read_tsv(tmp_path / "none.tsv")
    record = json.loads(tables.as_json(evaluation))
    assert len(record["points"]) == len(evaluation.points)
    assert record["environment"]["ffmpeg"]


def test_names_of_clips(tmp_path: Path) -> None:
    a, b, c = tmp_path / "x/clip.mp4", tmp_path / "y/clip.mp4", tmp_path / "x/other.mp4"
    assert list(unique_names([a, b, c, a])) == ["x/clip.mp4", "y/clip.mp4", "other.mp4"]


def test_command_says_two_when_nothing_could_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = ["--cache", str(tmp_path)]
    assert cli.main(["eval", str(tmp_path / "no.mp4"), *cache]) == 2
    assert "no.mp4" in capsys.readouterr().err
    for option in (
        ["--crf", "high"],
        ["--crf", "99"],
        ["--anchors", "divx"],
        ["--size", "big"],
        ["--frames", "0"],
        ["--frames", "5:5"],
    ):
        assert cli.main(["eval", str(tmp_path / "no.mp4"), *option, *cache]) == 2
        assert option[0] in capsys.readouterr().err


def test_command_prints_the_comparison(
    clip: Path, cache: Path, evaluation: Evaluation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluation.points
    arguments = ["--crf", "36,44,52", "--anchors", "x264", "--preset", "veryfast", "--threads", "1", "--cache"]
    assert cli.main(["eval", str(clip), *arguments, str(cache)]) == 0
    printed = capsys.readouterr().out
    assert "gvideo veryfast" in printed
    assert "x264 medium, tune psnr" in printed
    assert "ffmpeg:" in printed


def test_unknown_anchor() -> None:
    with pytest.raises(OptionError, match="--anchors divx"):
        anchors.parse_anchors("x264,divx")
