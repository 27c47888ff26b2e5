"""Examples run, and make what they say; notebooks get pictures."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gvideo import VideoDecoder
from gvideo.media import VideoSource

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "tests" / "golden" / "cut.gsv"


def run(name: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout


def test_data_loader():
    lines = run("data_loader.py", CLIP).splitlines()
    assert [line.split(" mean")[0] for line in lines] == ["(4, 4, 3, 64, 64)", "(4, 4, 3, 64, 64)", "(2, 4, 3, 64, 64)"]


def test_slow_motion(tmp_path):
    run("slow_motion.py", CLIP, tmp_path / "slow.mkv")
    with VideoSource(tmp_path / "slow.mkv") as source:
        assert len(list(source.code_frames())) == 50


def test_zoom(tmp_path):
    run("zoom.py", CLIP, tmp_path / "zoom.png")
    with Image.open(tmp_path / "zoom.png") as picture:
        assert picture.size == (128, 96)


def test_thumbnails(tmp_path):
    run("thumbnails.py", CLIP, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (320, 120)


def test_every_example_is_tested():
    named = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text()))
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == named


def picture_in(html: str) -> np.ndarray:
    found = re.search(r"data:image/jpeg;base64,([\w+/=]+)", html)
    assert found is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


@pytest.mark.parametrize(
    "options",
    [{}, {"output": "torch"}, {"dimension_order": "NHWC"}, {"output_dtype": "float32", "output": "torch"}],
)
def test_notebooks_get_pictures(options):
    video = VideoDecoder(CLIP, **options)
    first = VideoDecoder(CLIP)[0].transpose(1, 2, 0).astype(float)
    for shown in (video, video.get_frame_at(0), video.get_frames_at([0, 9]), video.get_frames_at([0])[0]):
        html = shown._repr_html_()
        picture = picture_in(html)
        assert picture.shape == (48, 64, 3)
        assert np.abs(picture - first).mean() < 8  # JPEG
        assert "<table>" in html
    assert "40, 25 a second" in video._repr_html_()
    assert video.get_frames_at([])._repr_html_() is None


def test_large_pictures_get_small_ones():
    video = VideoDecoder(CLIP, size=(1280, 960))
    assert max(picture_in(video._repr_html_()).shape) == 240
    assert max(picture_in(video.get_frame_at(0)._repr_html_()).shape) == 240


def test_names_cannot_write_into_the_page(tmp_path):
    path = tmp_path / "<b>.gsv"
    path.write_bytes(CLIP.read_bytes())
    assert "&lt;b&gt;" in VideoDecoder(path)._repr_html_()
