"""The page of `gvideo inspect` in Chromium: ellipses are drawn where Gaussians are, and its switches act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import make_stream

from gvideo.cli import main
from gvideo.decoder.stream import Stream
from gvideo.evaluate.inspection.collect import inspect_segment

MADE = make_stream(num_segments=1, num_frames=6, num_layers=2, count=30)


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    (tmp_path / "in.gsv").write_bytes(MADE.data)
    assert main(["inspect", str(tmp_path / "in.gsv"), "-o", str(tmp_path / "page.html")]) == 0
    opened = browser.open((tmp_path / "page.html").as_uri())
    opened.wait("window.drawn && drawn.frame === 0")
    yield opened
    opened.close()


def switch(page: Any, name: str) -> dict[str, int]:
    """What is drawn after a click on a check box."""
    page.evaluate(f"drawn.frame = -1; document.getElementById('{name}').click();")
    page.wait("drawn.frame >= 0")
    found: dict[str, int] = page.evaluate("return drawn;")
    return found


def alive(frame: int) -> np.ndarray:
    found = inspect_segment(Stream(MADE.data), 0)
    exponent = np.where(found.lives > 0, -0.5 * ((frame - found.centres) / np.maximum(found.lives, 1e-9)) ** 2, 0)
    return exponent >= -5


def test_ellipses_are_drawn(page: Any) -> None:
    assert page.evaluate("return drawn.ellipses;") == alive(0).sum()
    with_ellipses = page.evaluate("return document.getElementById('stage').toDataURL();")
    assert switch(page, "ellipses")["ellipses"] == 0
    without = page.evaluate("return document.getElementById('stage').toDataURL();")
    assert with_ellipses != without
    switch(page, "picture")  # nothing is left
    assert page.evaluate(
        "const c = document.getElementById('stage');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.every((v) => v === 0);"
    )


def test_an_ellipse_lies_where_its_gaussian_is(page: Any) -> None:
    found = inspect_segment(Stream(MADE.data), 0)
    inside = alive(0) & (found.paths[0] > 6).all(1) & (found.paths[0] < [41, 25]).all(1) & (found.axes.max(1) < 4)
    assert inside.any()
    switch(page, "picture")
    scale = page.evaluate("return JSON.parse(document.getElementById('data').textContent).scale;")
    for n in np.flatnonzero(inside)[:5]:
        along = np.array([np.cos(found.angles[n]), np.sin(found.angles[n])]) * found.axes[n, 0]
        x, y = (found.paths[0, n] + along + 0.5) * scale
        drawn = page.evaluate(
            "const context = document.getElementById('stage').getContext('2d');"
            f"return [...context.getImageData({int(x) - 2}, {int(y) - 2}, 5, 5).data].some((v) => v > 0);"
        )
        assert drawn


def test_switches_act(page: Any) -> None:
    assert page.evaluate("return [drawn.paths, drawn.pictures, drawn.lives > 0];") == [0, 1, True]
    assert switch(page, "paths")["paths"] == alive(0).sum()
    assert switch(page, "bits")["pictures"] == 2
    assert switch(page, "lifelines")["lives"] == 0
    assert page.evaluate("return document.getElementById('error').disabled;")
    layers = inspect_segment(Stream(MADE.data), 0).layers
    assert switch(page, "layer0")["ellipses"] == (alive(0) & (layers == 1)).sum()
    assert switch(page, "layer1")["ellipses"] == 0


def test_the_slider_moves_on(page: Any) -> None:
    page.evaluate("const s = document.getElementById('frame'); s.value = 4; s.dispatchEvent(new Event('input'));")
    page.wait("drawn.frame === 4")
    assert page.evaluate("return drawn.ellipses;") == alive(4).sum()
    assert "frame 4, 0.160 s" in page.evaluate("return document.getElementById('time').textContent;")


def test_a_click_tells_about_a_gaussian(page: Any) -> None:
    click = "new MouseEvent('click', {clientX: 60, clientY: 120})"
    page.evaluate(f"document.getElementById('stage').dispatchEvent({click});")
    assert "bits" in page.evaluate("return document.getElementById('about').textContent;")
