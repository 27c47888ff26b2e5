"""Browsers that cannot draw Gaussians: the AVC rung plays instead, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from avc_rung import publish

HLS_JS = Path(__file__).parents[1] / "players" / "node_modules" / "hls.js" / "dist"
#: From here on there is no WebGL2.
WITHOUT = """
const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" ? null : real.call(this, kind, ...rest);
};
"""
NO_WEBGL = (
    "This browser has no WebGL2, which this player draws with. Try another browser or turn on hardware acceleration."
)
#: A view with controls, and what it says or plays.
VIEW = """
const { PlayerView } = await import("/player/ui/controls.js");
const view = new PlayerView(document.body.appendChild(document.createElement("div")), ADDRESS);
window.view = view;
"""


@pytest.mark.skipif(not HLS_JS.is_dir(), reason="needs hls.js (npm ci in tests/players)")
def test_hls_js_of_the_page_plays_the_avc_rung(media: Path, server: Any, browser: Any) -> None:
    publish(media)
    server.folders["hls"] = HLS_JS
    page = browser.open(f"{server.url}/tests/element.html")
    page.wait("window.ready")
    page.evaluate(WITHOUT)
    page.evaluate("""
        window.Hls = (await import("/hls/hls.mjs")).default;
        show('<gvideo-player src="/media/master.m3u8" muted></gvideo-player>');
    """)
    page.wait("element.readyState >= 2 && element.videoWidth === 96")
    assert page.evaluate("return [element.player, element.error, element.muted, Math.round(element.duration)]") == [
        None, None, True, 2
    ]  # fmt: skip
    page.evaluate("events.length = 0; await element.play();")
    page.wait("element.currentTime > 0.2")
    page.evaluate("element.pause();")
    page.wait("events.includes('pause')")
    assert page.evaluate("return events.slice(0, 2)") == ["play", "playing"]
    page.evaluate(VIEW.replace("ADDRESS", '"/media/master.m3u8"'))
    page.wait("view.container.querySelector('video')?.readyState >= 2")
    assert page.evaluate("return [view.error.hidden, view.bar.hidden, view.notes.textContent]") == [
        True, True, "This browser cannot draw Gaussian video: the AVC rung plays instead."
    ]  # fmt: skip
    page.evaluate("view.dispose(); element.remove();")
    page.close()


def test_a_browser_that_plays_hls_is_given_the_playlist(media: Path, server: Any, browser: Any) -> None:
    publish(media)
    page = browser.open(f"{server.url}/tests/element.html")
    page.wait("window.ready")
    page.evaluate(WITHOUT)
    page.evaluate("""
        HTMLMediaElement.prototype.canPlayType = () => "maybe";
        const src = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
        Object.defineProperty(HTMLMediaElement.prototype, "src", { ...src, set(value) { window.given = value; } });
        show('<gvideo-player src="/media/master.m3u8"></gvideo-player>');
    """)
    page.wait("window.given")
    assert page.evaluate("return given") == f"{server.url}/media/master.m3u8"
    page.close()


def test_one_line_says_why_nothing_plays(media: Path, server: Any, open_player: Callable[..., Any]) -> None:
    publish(media)
    plain = media / "plain"
    plain.mkdir()
    publish(plain, fallback=False)
    page = open_player("/media/none.gsv", wait=False)
    page.wait("failed")
    page.evaluate(WITHOUT + 'HTMLMediaElement.prototype.canPlayType = () => "";')
    said = {}
    for address in ("clip.gsv", "plain/master.m3u8", "manifest.mpd", "master.m3u8"):
        page.evaluate(VIEW.replace("ADDRESS", f'"/media/{address}"'))
        page.wait("!view.error.hidden")
        said[address] = page.evaluate("const text = view.errorText.textContent; view.dispose(); return text;")
    assert said == {
        "clip.gsv": f"{NO_WEBGL} There is no AVC rung of clip.gsv to play instead.",
        "plain/master.m3u8": f"{NO_WEBGL} There is no AVC rung of master.m3u8 to play instead.",
        "manifest.mpd": f"{NO_WEBGL} There is no AVC rung of manifest.mpd to play instead.",
        "master.m3u8": f"{NO_WEBGL} To play the AVC rung of master.m3u8 instead the page needs hls.js.",
    }
    page.evaluate("""
        await import("/player/element/element.js");
        window.element = document.createElement("gvideo-player");
        element.src = "/media/clip.gsv";
        document.body.append(element);
    """)
    page.wait("element.error")
    assert page.evaluate("return [element.error.code, element.error.message, element.networkState]") == [
        4, said["clip.gsv"], 3
    ]  # fmt: skip
    assert page.evaluate("return element.play().catch((error) => error.name)") == "NotSupportedError"
