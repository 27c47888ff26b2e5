"""The samples are what their table says, and the synthetic ones come out the same every time."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from gvideo.media import VideoSource

SAMPLES = Path(__file__).parent.parent / "samples"


def test_bunny() -> None:
    path = SAMPLES / "bunny_180p25.mp4"
    assert path.stat().st_size < 1_000_000
    with VideoSource(path) as source:
        assert (source.format.width, source.format.height, source.num_frames) == (320, 180, 64)
        assert len(list(source.code_frames())) == 64
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.channels == 2


def test_every_sample_is_listed_with_its_licence() -> None:
    table = (SAMPLES / "README.md").read_text()
    for path in SAMPLES.iterdir():
        assert path.name == "README.md" or path.name.startswith((".", "__")) or f"`{path.name}`" in table, path.name
    assert os.access(SAMPLES / "demo.sh", os.X_OK)


@pytest.mark.parametrize("name", ["shapes", "cut", "sync"])
def test_synthetic_clips_are_deterministic(synthetic: ModuleType, tmp_path: Path, name: str) -> None:
    pictures = []
    for index in range(2):
        path = tmp_path / f"{name}{index}.mkv"
        synthetic.write_clip(path, name, num_frames=20, height=36, width=64)
        with VideoSource(path) as source:
            pictures.append(np.stack([frame.y for frame in source.code_frames()]))
    assert pictures[0].shape == (20, 36, 64)
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_beep_and_flash_coincide(synthetic: ModuleType, tmp_path: Path) -> None:
    synthetic.write_clip(tmp_path / "sync.mkv", "sync", num_frames=25, height=16, width=16)
    with VideoSource(tmp_path / "sync.mkv") as source:
        bright = [frame.pts / source.format.timescale for frame in source.code_frames() if frame.y.mean() > 128]
    with av.open(str(tmp_path / "sync.mkv")) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.flatnonzero(abs(sound.astype(int)) > 1000)
    assert bright == [pytest.approx(0.48)]
    assert loud[0] / 48000 == pytest.approx(0.48, abs=0.002)
    assert loud[-1] / 48000 == pytest.approx(0.52, abs=0.002)
