"""The page: keys, menu, statistics, comparison, errors in words, labels, and no width too much on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import make_stream

#: Names of controls that a reader of the screen would hear, "" for those without one.
_NAMES = """
return [...document.querySelectorAll("button, input, [role=img]")].filter((e) => !e.closest("[hidden]")).map((e) =>
  (e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent).trim());
"""


@pytest.fixture
def open_page(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    pages = []

    def opened(source: str, ready: str = "window.player?.statistics.gaussians > 0", **options: Any) -> Any:
        page = browser.open(f"{server.url}/player/index.html?src={source}", **options)
        pages.append(page)
        page.wait(ready)
        return page

    yield opened
    for page in pages:
        page.close()


def clip(media: Path, **options: Any) -> str:
    made = make_stream(**{"num_segments": 3, "num_frames": 25, "count": 80, "index": True, **options})
    (media / "clip.gsv").write_bytes(made.data)
    return "/media/clip.gsv"


def test_keys(media: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(clip(media))
    for key in "...,":
        before = page.evaluate("return player.currentFrame")
        page.press(key)
        page.wait(f"player.currentFrame === {before + (1 if key == '.' else -1)}")
    page.press("End")
    page.wait("player.currentTime === 3")
    page.press("Home")
    page.wait("player.currentTime === 0")
    page.press("+")
    assert page.evaluate("return player.view.width") == pytest.approx(0.8)
    page.press("0")
    assert page.evaluate("return player.view.width") == 1
    page.press("<")
    assert page.evaluate("return player.playbackRate") == 0.5
    page.press(" ")
    page.wait("!player.paused && player.currentTime > 0.05")
    page.press("k")
    assert page.evaluate("return player.paused") is True
    page.press("i")
    page.wait("document.querySelector('.statistics').textContent.includes('80 Gaussians')")


def test_the_menu_changes_quality_and_speed(media: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(clip(media, num_layers=3, count=200))
    page.evaluate("document.querySelector('button[aria-label=Settings]').click();")
    choices = "[...document.querySelectorAll('.menu fieldset:first-child label span')]"
    names = page.evaluate(f"return {choices}.map((e) => e.textContent)")
    assert names == ["Auto", "Layer 3 of 3", "Layer 2 of 3", "Layer 1 of 3"]
    page.evaluate("document.querySelectorAll('.menu fieldset:first-child input')[3].click();")
    page.wait("player.quality === 0 && player.statistics.layers === '1 of 3'")
    page.evaluate("document.querySelectorAll('.menu .compact input')[1].click();")
    assert page.evaluate("return player.playbackRate") == 0.25
    page.press("Escape")
    assert page.evaluate("return document.querySelector('.menu').hidden") is True


def test_clicks_play_and_drags_pan(media: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(clip(media))
    page.evaluate("""
        const stage = document.querySelector(".stage");
        stage.setPointerCapture = () => {};
        window.touch = (type, x, y, pointerId = 1, pointerType = "mouse") => {
          const { left, top, width, height } = stage.getBoundingClientRect();
          const [clientX, clientY] = [left + x * width, top + y * height];
          stage.dispatchEvent(new PointerEvent(type, { pointerId, button: 0, pointerType, clientX, clientY }));
        };
        touch("pointerdown", 0.5, 0.5); touch("pointerup", 0.5, 0.5);
    """)
    page.wait("!player.paused")
    page.evaluate("player.pause(); player.view = {x: 0.25, y: 0.25, width: 0.5, height: 0.5};")
    page.evaluate("touch('pointerdown', 0.5, 0.5); touch('pointermove', 0.3, 0.6); touch('pointerup', 0.3, 0.6);")
    assert page.evaluate("return [player.view.x, player.view.y]") == pytest.approx([0.35, 0.2])
    page.evaluate("await new Promise((r) => setTimeout(r, 400));")
    assert page.evaluate("return player.paused") is True  # a drag is no click
    page.evaluate("""
        player.view = {x: 0, y: 0, width: 1, height: 1};
        for (const [finger, from] of [[1, 0.4], [2, 0.6]]) touch("pointerdown", from, 0.5, finger, "touch");
        for (const [finger, to] of [[1, 0.3], [2, 0.7]]) touch("pointermove", to, 0.5, finger, "touch");
    """)
    assert page.evaluate("return player.view.width") == pytest.approx(0.5, abs=0.01)


def test_a_small_picture_shows_above_the_seek_bar(media: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(clip(media))
    page.evaluate("""
        const bar = document.querySelector(".seekbar");
        const box = bar.getBoundingClientRect();
        bar.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2, clientY: box.top }));
    """)
    assert page.evaluate("return document.querySelector('.preview span').textContent") == "0:01.5"
    page.wait("document.querySelector('.preview canvas').height === 117")


def test_every_control_has_a_name_and_a_phone_needs_no_scrolling_sideways(
    media: Path, open_page: Callable[..., Any]
) -> None:
    page = open_page(clip(media), width=390, height=844)
    names = page.evaluate(_NAMES)
    assert {"Play", "Position", "Settings", "Full screen", "Video"} <= set(names)
    assert "" not in names
    assert page.evaluate("return document.documentElement.scrollWidth") <= 390


def test_errors_are_shown_in_words_with_a_way_on(server: Any, open_page: Callable[..., Any], media: Path) -> None:
    server.failures[clip(media)] = [403]
    page = open_page("/media/clip.gsv", "!document.querySelector('.error')?.hidden && window.player")
    text = page.evaluate("return document.querySelector('.error p').textContent")
    assert text == "clip.gsv: the server answers 403 Forbidden"
    page.evaluate("document.querySelector('.error button').click();")
    page.wait("player.statistics.gaussians > 0 && document.querySelector('.error').hidden")


#: Hides extensions of WebGL from here on, and plays on a new canvas, drawn in a certain way.
_WITHOUT = """
player.destroy();
const real = WebGL2RenderingContext.prototype.getExtension;
WebGL2RenderingContext.prototype.getExtension = function (name) {
  return name.match(/%s/) ? null : real.call(this, name);
};
const canvas = document.createElement("canvas");
canvas.id = "screen";
document.querySelector("#screen").replaceWith(canvas);
window.failed = null;
window.open_player("/media/clip.gsv", { resolution: "source", drawing: "%s" });
"""


def test_without_float_blending_the_processor_draws(media: Path, open_player: Callable[..., Any]) -> None:
    clip(media)
    page = open_player("/media/clip.gsv")
    page.evaluate("await player.seekFrame(4);")
    before = page.snapshot().astype(int)
    page.evaluate(_WITHOUT % ("EXT_color_buffer", "graphics"))
    page.wait("failed")
    assert "floating-point" in page.evaluate("return failed")
    page.evaluate(_WITHOUT % ("EXT_color_buffer|debug_renderer_info", "auto"))
    page.wait("player.statistics.gaussians > 0")
    assert "processor" in page.evaluate("await player.seekFrame(4); return player.statistics.format")
    assert np.abs(page.snapshot() - before).max() <= 1


def test_half_floats_do_where_32_bits_cannot_be_blended(media: Path, open_player: Callable[..., Any]) -> None:
    clip(media)
    page = open_player("/media/clip.gsv")
    page.evaluate("await player.seekFrame(4);")
    exact = page.snapshot().astype(int)
    page.evaluate(_WITHOUT % ("EXT_float_blend", "graphics"))
    page.wait("player.statistics.gaussians > 0")
    assert page.evaluate("await player.seekFrame(4); return player.statistics.format") == "16-bit floats"
    difference = np.abs(page.snapshot() - exact)
    assert 0 < difference.max() <= 3


@pytest.mark.parametrize("where", ["graphics", "processor"])
def test_a_lost_graphics_context_comes_back(where: str, media: Path, open_player: Callable[..., Any]) -> None:
    clip(media)
    page = open_player("/media/clip.gsv", f'{{resolution: "source", drawing: "{where}"}}')
    page.evaluate("await player.seekFrame(4);")
    before = page.snapshot()
    page.evaluate("""
        const lose = player.canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
        const gone = new Promise((done) => player.canvas.addEventListener("webglcontextlost", done));
        lose.loseContext();
        await gone;
        await new Promise((r) => setTimeout(r, 50));
        const back = new Promise((done) => player.canvas.addEventListener("webglcontextrestored", done));
        lose.restoreContext();
        await back;
    """)
    assert (page.snapshot() == before).all()


def test_before_anything_is_known_of_the_stream(media: Path, open_page: Callable[..., Any]) -> None:
    """Wishes are kept, nothing fails in silence: the menu opens, a step goes nowhere, a frame is refused in words."""
    address = clip(media, num_layers=3, count=200)
    page = open_page(address)
    told = page.evaluate(f"""
      const {{ PlayerView }} = await import("/player/ui/controls.js");
      const view = new PlayerView(document.body.appendChild(document.createElement("div")), "{address}");
      window.other = view;
      view.player.quality = 0;
      view.menu.toggle(true);
      const shown = view.menu.element.querySelectorAll("fieldset").length;
      const stepped = view.player.step(1);
      const refused = await view.player.seekFrame(3).catch((error) => `${{error.name}}: ${{error.message}}`);
      await stepped;
      return [shown, refused, view.player.quality, view.player.currentFrame];
    """)
    assert told == [5, 'GVideoError: The stream is not open yet: wait for the event "ready".', 0, 0]
    page.wait("other.player.statistics.gaussians > 0")
    assert page.evaluate("return [other.player.quality, other.player.statistics.layers]") == [0, "1 of 3"]
    page.evaluate("other.dispose();")
