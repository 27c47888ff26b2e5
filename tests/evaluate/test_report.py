"""The page: whole, self-contained, well-formed, with every number it should show; and the charts it is made of."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gvideo.evaluate.compare import EvalSettings, Evaluation, evaluate
from gvideo.evaluate.report import plot, write_report

_EMPTY = {"meta", "img", "input", "br", "line", "circle", "polyline"}


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {k: v or "" for k, v in attrs}
        self.links += [values[k] for k in ("src", "href") if k in values]
        self.ids |= {values["id"]} if "id" in values else set()
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluation(clip: Path, cache: Path) -> Evaluation:
    settings = EvalSettings(crfs=(24, 36, 44), anchors=("x264",), preset="veryfast", threads=1)
    return evaluate([clip], settings, cache)


def test_page_is_whole(evaluation: Evaluation, cache: Path, tmp_path: Path) -> None:
    page = write_report(evaluation, tmp_path / "report", cache)
    assert {p.name for p in page.parent.iterdir()} == {"report.html", "points.tsv", "bd_rate.tsv", "results.json"}
    text = page.read_text()
    parser = _Balance()
    parser.feed(text)
    assert parser.open == []
    assert all(link.startswith("#") and link[1:] in parser.ids for link in parser.links), "nothing from outside"
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("<svg") == 7
    assert text.count("data:image/webp;base64,") == 3
    for point in evaluation.points:
        assert f"<td>{point.num_bytes}</td>" in text
    assert evaluation.environment["ffmpeg"] in text
    assert "x265 medium" in text.split("codecs not run")[1], "what was left out is said"


def test_matched_bytes_are_close(evaluation: Evaluation, cache: Path) -> None:
    from gvideo.evaluate.report.pictures import compare_pictures

    (comparison,) = compare_pictures(evaluation, cache)
    source, ours, theirs = comparison.shots
    assert source.label == "source"
    assert abs(theirs.num_bytes / ours.num_bytes - 1) < 0.1


def test_chart_is_well_formed_and_inside_its_frame() -> None:
    lines = [plot.Line("a<b", [(10, 30), (100, 40), (float("nan"), 3)], "c0"), plot.Line("none", [], "c1")]
    chart = plot.line_chart(lines, "kbit/s", "dB & more", log_x=True)
    root = ElementTree.fromstring(chart)
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    circles = [e for e in root.iter() if e.tag == "circle"]
    assert len(circles) == 2
    assert all(0 < float(c.attrib["cx"]) < width and 0 < float(c.attrib["cy"]) < height for c in circles)
    assert plot.line_chart([], "x", "y").startswith("<p")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.93, 0.971, [0.93, 0.94, 0.95, 0.96, 0.97]), (5, 5, [5])],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert plot.nice_ticks(low, high) == pytest.approx(expected)


def test_log_ticks() -> None:
    assert plot.log_ticks(8, 120) == [10, 20, 50, 100]


def test_bar_adds_up() -> None:
    bar = plot.stacked_bar([("position", 30.0), ("scale", 60.0), ("none", 0.0), ("headers", 10.0)], 100.0)
    shares = [float(x) for x in re.findall(r"width:([\d.]+)%", bar)]
    assert shares == [60.0, 30.0, 10.0]


def test_heat_map_leaves_gaps() -> None:
    table = plot.heat_map(["a"], ["x", "y"], [[1.0, None]], "title")
    assert table.count("<td") == 2
    assert "–" in table
