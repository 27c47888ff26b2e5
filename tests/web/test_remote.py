"""The AVC rung on another device. There is none here: the test plays the browser's interface to devices, while the
video that is handed over is the browser's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from avc_rung import publish

#: video.remote of every video from here on; window.device has it found, chosen and left.
DEVICE = """
class Remote extends EventTarget {
  state = "disconnected";
  async watchAvailability(found) { this.found = found; found(true); return 1; }
  async prompt() {
    if (device.refuses) throw new DOMException("The prompt was dismissed.", device.refuses);
    this.become(this.state === "connected" ? "disconnected" : "connected");
  }
  become(state) {
    this.state = state;
    this.dispatchEvent(new Event(state === "connected" ? "connect" : "disconnect"));
  }
}
const remotes = new WeakMap();
Object.defineProperty(HTMLMediaElement.prototype, "remote", { get() {
  if (!remotes.has(this)) remotes.set(this, new Remote());
  return remotes.get(this);
} });
window.device = { refuses: "" };
"""


@pytest.fixture
def page(media: Path, browser: Any, server: Any) -> Iterator[Any]:
    """A page with a device, and in the folder two seconds with an AVC rung."""
    publish(media)
    page = browser.open(f"{server.url}/tests/element.html")
    page.wait("window.ready")
    page.evaluate(DEVICE)
    yield page
    page.close()


def test_the_element_hands_over_and_takes_back(page: Any, server: Any) -> None:
    page.evaluate("""show('<gvideo-player src="/media/master.m3u8" muted></gvideo-player>');""")
    page.wait("element.readyState >= 2")
    page.evaluate("window.video = element.shadowRoot.querySelector('video.remote'); element.currentTime = 0.5;")
    page.wait("!element.seeking")
    assert page.evaluate("return [video.src, element.remote === video.remote, element.remote.state, video.paused]") == [
        f"{server.url}/media/master.m3u8", True, "disconnected", True
    ]  # fmt: skip
    # nothing of it is fetched before
    assert page.evaluate("return [video.networkState, video.readyState]") == [1, 0]
    page.evaluate("await element.play(); events.length = 0; await element.remote.prompt();")
    page.wait("events.includes('playing') && element.currentTime > 0.6")
    assert page.evaluate("return [player.paused, video.paused, element.paused, element.videoWidth, video.muted]") == [
        True, False, False, 96, True
    ]  # fmt: skip
    assert page.evaluate("return events.includes('loadeddata') || events.includes('resize')") is False
    # what is asked of the element reaches the device
    page.evaluate("element.pause(); element.playbackRate = 1.5; element.currentTime = 1.2;")
    page.wait("video.paused && !video.seeking")
    assert page.evaluate("return [video.currentTime, video.playbackRate, element.currentTime]") == [1.2, 1.5, 1.2]
    page.evaluate("events.length = 0; await element.remote.prompt();")
    page.wait("events.includes('seeked')")
    assert page.evaluate("return [element.currentTime, element.paused, element.playbackRate, events]") == [
        1.2, True, 1.5, ["ratechange", "seeking", "seeked"]
    ]  # fmt: skip
    # it goes on here if it played there, and a second time is like the first
    page.evaluate("await element.remote.prompt(); await element.play(); await element.remote.prompt();")
    page.wait("!player.paused && !element.paused && video.paused")
    page.evaluate("element.pause();")


def test_another_source_ends_it(page: Any) -> None:
    page.evaluate("""show('<gvideo-player src="/media/master.m3u8" muted></gvideo-player>');""")
    page.wait("element.readyState >= 2")
    page.evaluate("""
        window.video = element.shadowRoot.querySelector('video.remote');
        await element.remote.prompt();
        element.src = "/media/clip.gsv";
    """)
    page.wait("element.currentSrc.endsWith('clip.gsv') && element.readyState >= 2")
    assert page.evaluate("return [video.getAttribute('src'), player !== null]") == [None, True]  # it has no AVC rung
    page.evaluate("element.setAttribute('disableremoteplayback', ''); element.src = '/media/master.m3u8';")
    page.wait("element.currentSrc.endsWith('m3u8') && element.readyState >= 2")
    assert page.evaluate("return [video.getAttribute('src'), video.disableRemotePlayback]") == [None, True]


def test_the_controls_have_a_button(page: Any) -> None:
    page.evaluate("""
        const { PlayerView } = await import("/player/ui/controls.js");
        document.head.insertAdjacentHTML("beforeend", '<link rel="stylesheet" href="/player/style.css">');
        window.view = new PlayerView(document.body.appendChild(document.createElement("div")), "/media/master.m3u8");
        window.shown = (part) => getComputedStyle(part).display !== "none";
    """)
    page.wait("view.player.timeline && !view.castButton.hidden")
    state = "[shown(view.canvas), shown(view.remote.video), shown(view.bar)]"
    page.wait(f"JSON.stringify({state}) === '[true,false,true]'")
    page.evaluate("device.refuses = 'NotAllowedError'; view.castButton.click();")
    page.evaluate("device.refuses = 'NotFoundError'; await new Promise(setTimeout); view.castButton.click();")
    page.wait("!view.notes.hidden")
    assert page.evaluate("return [view.notes.textContent, view.remote.connected]") == [
        "The prompt was dismissed.", False
    ]  # fmt: skip
    page.evaluate("device.refuses = ''; view.castButton.click();")
    page.wait("view.remote.connected")
    assert page.evaluate(f"return {state}") == [False, True, False]
    page.evaluate("view.remote.video.remote.become('disconnected');")
    assert page.evaluate(f"return [...{state}, view.remote.connected]") == [True, False, True, False]
    page.evaluate("view.remote.video.remote.found(false);")
    assert page.evaluate("return view.castButton.hidden") is True
    page.evaluate("view.dispose();")


def test_another_stream_has_the_button_again(page: Any) -> None:
    page.evaluate("""show('<gvideo-player src="/media/master.m3u8" controls muted></gvideo-player>');
        window.hidden = () => element.shadowRoot.querySelector("[aria-label='Play on another device']")?.hidden;
    """)
    page.wait("hidden() === false")
    page.evaluate("element.src = '/media/clip.gsv';")
    page.wait("element.currentSrc.endsWith('clip.gsv') && element.readyState >= 2 && hidden()")
    page.evaluate("element.src = '/media/master.m3u8';")
    page.wait("hidden() === false")


def test_no_button_without_anything_to_cast(page: Any) -> None:
    page.evaluate("""
        const { PlayerView } = await import("/player/ui/controls.js");
        window.view = new PlayerView(document.body.appendChild(document.createElement("div")), "/media/clip.gsv");
    """)
    page.wait("view.player.timeline")
    assert page.evaluate("return [view.castButton.hidden, view.remote.video.getAttribute('src')]") == [True, None]
    page.evaluate("view.dispose();")
