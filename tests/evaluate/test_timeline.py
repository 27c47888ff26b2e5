"""The picture of a stream over time: what its numbers say, and that it is whole and safe to open."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from streams import make_stream

from gvideo.cli import main
from gvideo.decoder.stream import Stream
from gvideo.decoder.survey import survey
from gvideo.evaluate.inspection.collect import inspect_segment
from gvideo.evaluate.inspection.timeline import lives_of, timeline_svg

GOLDEN = Path(__file__).parents[1] / "golden"
SVG = "{http://www.w3.org/2000/svg}"
MADE = make_stream(num_segments=3, num_frames=5, num_layers=2, count=30)


@pytest.mark.parametrize("number", [0, 2])
def test_lives_are_those_of_the_gaussians(number):
    stream = Stream(MADE.data)
    found, known = lives_of(stream, number), inspect_segment(stream, number)
    assert found.num_gaussians == 30
    assert len(found.seconds) == len(found.alive) == 5
    assert (found.begins <= found.ends).all()
    assert found.begins.min() >= found.seconds[0]
    assert found.ends.max() <= found.end
    permanent = known.lives == 0
    for frame, count in enumerate(found.alive):
        near = np.abs(frame - known.centres) <= np.sqrt(8) * known.lives
        assert count == np.count_nonzero(near | permanent)
    whole = (found.begins == found.seconds[0]) & (found.ends == found.end)
    assert whole.sum() >= permanent.sum()


def test_bars_add_up_to_the_bytes():
    stream = Stream(MADE.data)
    found = survey(stream)
    root = ET.fromstring(timeline_svg(stream, found))
    bars = [(float(bar.get("x")), bar.find(f"{SVG}title").text) for bar in root.iter(f"{SVG}rect") if len(bar)]
    kbits = [sum(float(text.split()[-2]) for x, text in bars if x == left) for left in sorted({x for x, _ in bars})]
    h = stream.header
    for rate, segment in zip(kbits, found.segments, strict=True):
        seconds = (segment.place.end - segment.place.start) / h.timescale
        assert rate * seconds * 125 == pytest.approx(segment.place.num_bytes, rel=0.02)


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_the_command_draws(suffix, tmp_path, capsys):
    target = tmp_path / f"plot{suffix}"
    assert main(["info", str(GOLDEN / "cut.gsv"), "--plot", str(target)]) == 0
    said = capsys.readouterr()
    assert "bits go to" in said.out
    assert target.name in said.err
    text = target.read_text()
    assert text.count('class="lives"') == len(Stream(GOLDEN / "cut.gsv").segments)
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--plot", "out.png"], "--plot out.png: a name that ends in .svg or .html wanted"),
        (["--plot", "out.svg", "--trace"], "leave out --symbols and --trace"),
        (["--plot", "none/out.svg"], "none/out.svg: its folder does not exist"),
    ],
)
def test_what_it_cannot_do_is_said(words, wanted, capsys):
    assert main(["info", str(GOLDEN / "cut.gsv"), *words]) == 2
    assert wanted in capsys.readouterr().err
