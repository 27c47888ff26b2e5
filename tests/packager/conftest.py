"""Inputs and published folders that the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaged import package, write_clip, write_stream


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Streams of three layers and of one, the clip with two languages, and two subtitle files."""
    folder = tmp_path_factory.mktemp("inputs")
    vtt = "WEBVTT\n\nSTYLE\n::cue { color: lime }\n\n1\n00:00:01.500 --> 00:00:02.500 line:0\nover <i>the</i> cut\n"
    srt = "1\n00:00:00,100 --> 00:00:00,900\nGuten\nTag\n\n2\n00:00:05,000 --> 00:00:09,000\nEnde\n"
    (folder / "film.en.vtt").write_text(vtt)
    (folder / "film.srt").write_text(srt)
    return {
        "layered": write_stream(folder / "layered.gsv", num_layers=3, count=90),
        "small": write_stream(folder / "small.gsv", count=12, seed=1),
        "clip": write_clip(folder / "clip.mp4", 6, audio=(("aac", "eng"), ("aac", "ger"))),
        "vtt": folder / "film.en.vtt",
        "srt": folder / "film.srt",
    }


@pytest.fixture(scope="session")
def published(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published folder, a file a segment. Not to be changed."""
    return package(inputs, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def published_single(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one file a representation. Not to be changed."""
    return package(inputs, tmp_path_factory.mktemp("single"), "--single-file")
