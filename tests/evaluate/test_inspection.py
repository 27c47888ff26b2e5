"""The page of a segment: what the numbers in it say, and its size."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import av
import numpy as np
import pytest
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.decoder.stream import Stream
from gvideo.evaluate.inspection.collect import inspect_segment

GOLDEN = Path(__file__).parents[1] / "golden"
MADE = make_stream(num_segments=2, num_frames=5, num_layers=2, count=30)


def data_of(page: Path) -> dict[str, object]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "in.gsv"
    path.write_bytes(MADE.data)
    return path


@pytest.mark.parametrize("number", [0, 1])
def test_numbers_are_those_of_the_segment(number):
    stream = Stream(MADE.data)
    decoded = stream.decode_segment(number)
    found = inspect_segment(stream, number)
    assert found.bits.sum() == pytest.approx(decoded.cost.sum(), rel=1e-5)
    assert (found.bits > 0).all()
    assert np.bincount(found.layers).tolist() == np.diff([0, *decoded.symbols.layer_ends]).tolist()
    assert found.paths.shape == (5, 30, 2)
    splats = found.renderer.splats
    assert ((found.lives == 0) == (splats.inverse_durations == 0)).all()
    still = np.abs(splats.displacements).sum((1, 2)) == 0
    np.testing.assert_allclose(found.paths[3][still], splats.means[still], atol=1e-4)


def test_costly_gaussians_have_more_bits():
    """Those with residual motion cost more than those without, in the mean."""
    stream = Stream(MADE.data)
    found, symbols = inspect_segment(stream, 0), stream.decode_segment(0).symbols
    moving = (symbols.residual != 0).any(1)
    assert moving.any()
    assert not moving.all()
    assert found.bits[moving].mean() > found.bits[~moving].mean() + 1


def test_the_heat_map_holds_the_bits_of_those_alive():
    found = inspect_segment(Stream(GOLDEN / "shapes.gsv"), 0)
    picture = found.bits_picture(0, 160, 90)
    # what is outside of the picture or at the end of its life is not in it
    assert 0.1 * found.bits.sum() < picture.sum() < found.bits.sum()
    small = found.bits_picture(0, 80, 45)
    assert 4 * small.sum() == pytest.approx(picture.sum(), rel=0.02)


def test_the_page(stream, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["inspect", str(stream), "-o", str(page), "--segment-number", "1"]) == 0
    assert str(page) in capsys.readouterr().err
    data = data_of(page)
    assert (data["width"], data["height"], data["frames"], data["layers"]) == (48, 32, 5, 2)
    assert data["seconds"] == pytest.approx(VideoDecoder(MADE.data).pts[5:] / 1000)
    assert len(data["pictures"]) == len(data["bits"]) == 5
    assert data["errors"] == []
    paths = np.frombuffer(base64.b64decode(data["paths"]), "<i2").reshape(5, 30, 2) / data["step"]
    np.testing.assert_allclose(paths, inspect_segment(Stream(MADE.data), 1).paths, atol=0.5 / data["step"] + 1e-3)
    text = page.read_text()
    assert "http://" not in text
    assert "https://" not in text


def test_a_reference_adds_errors(stream, tmp_path):
    clip, page = tmp_path / "clip.mkv", tmp_path / "page.html"
    with av.open(str(clip), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        for _ in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.full((32, 48, 3), 99, np.uint8), "rgb24")))
        container.mux(video.encode(None))
    assert main(["inspect", str(stream), "-o", str(page), "--reference", str(clip), "--segment-number", "1"]) == 0
    assert len(data_of(page)["errors"]) == 5


def test_its_size_is_bounded(tmp_path, capsys):
    made = make_stream(num_segments=1, num_frames=40, count=3000)
    (tmp_path / "in.gsv").write_bytes(made.data)
    page = tmp_path / "page.html"
    assert main(["inspect", str(tmp_path / "in.gsv"), "-o", str(page), "--max-size", "0.5"]) == 0
    assert page.stat().st_size <= 500_000
    said = re.search(r"the (\d+) Gaussians that show least left out", capsys.readouterr().err)
    assert said is not None
    assert len(base64.b64decode(data_of(page)["angles"])) // 4 == 3000 - int(said[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--segment-number", "2"], "--segment-number 2: the stream has 0 to 1"),
        (["--max-size", "0"], "--max-size 0"),
        (["--reference", "no.mp4"], "no.mp4"),
        (["-o", "no/page.html"], "its folder does not exist"),
    ],
)
def test_faults(stream, tmp_path, capsys, options, words):
    page = tmp_path / "page.html"
    assert main(["inspect", str(stream), "-o", str(page), *options]) == 2
    assert words in capsys.readouterr().err
    assert not page.exists()
