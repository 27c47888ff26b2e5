"""Published folders that the tests share: a rung of three layers and one of one, without sound."""

from __future__ import annotations

from pathlib import Path

import pytest
from streams import make_stream

from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main
from player.source import follow

#: Frames are shown for different times, and the stream begins late: times must come from the segments themselves.
SEQUENCE = SequenceHeader(48, 32, 24000, 1001, start=777)
UNEVEN = (1001, 2002, 500, 1001, 1001, 1502)


@pytest.fixture(scope="session")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A stream of three layers and a smaller one of the same times."""
    folder = tmp_path_factory.mktemp("streams")
    options = {"num_segments": 5, "durations": UNEVEN, "sequence": SEQUENCE}
    (folder / "best.gsv").write_bytes(make_stream(num_layers=3, count=120, **options).data)  # type: ignore[arg-type]
    (folder / "small.gsv").write_bytes(make_stream(count=10, seed=1, **options).data)  # type: ignore[arg-type]
    return {name: folder / f"{name}.gsv" for name in ("best", "small")}


def _package(streams: dict[str, Path], folder: Path, *options: str) -> Path:
    arguments = ["package", str(streams["best"]), str(streams["small"]), "-o", str(folder), *options]
    assert main(arguments) == 0
    return folder


@pytest.fixture(scope="session")
def folder(streams: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published with a file a segment. Not to be changed."""
    return _package(streams, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def single(streams: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published with a file a rung. Not to be changed."""
    return _package(streams, tmp_path_factory.mktemp("single"), "--single-file")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests are read again often: the publisher of the tests is in a hurry."""
    monkeypatch.setattr(follow, "_LONGEST_SECONDS", 0.1)
