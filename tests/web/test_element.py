"""<gvideo-player>: attributes, properties, promises and events of a media element, and controls of others on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streams import make_stream

import gvideo

HERE = Path(__file__).parent


@pytest.fixture
def open_element(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    """A page whose show(html) puts an element there; window.events are those of the element."""
    pages = []

    def opened(html: str = "") -> Any:
        page = browser.open(f"{server.url}/tests/element.html")
        pages.append(page)
        page.wait("window.ready")
        if html:
            page.evaluate(f"show(`{html}`);")
        return page

    yield opened
    for page in pages:
        page.close()


def clip(media: Path, **options: Any) -> bytes:
    made = make_stream(
        **{"num_segments": 2, "num_frames": 25, "count": 60, "index": True, "width": 96, "height": 64, **options}
    )
    (media / "clip.gsv").write_bytes(made.data)
    return made.data


def test_loads_as_a_video_does(media: Path, open_element: Callable[..., Any]) -> None:
    data = clip(media)
    page = open_element()
    shows = """show('<gvideo-player src="/media/clip.gsv"></gvideo-player>');"""
    state = "return [element.paused, element.readyState, element.buffered.length];"
    assert page.evaluate(shows + state) == [True, 0, 0]
    page.wait("element.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA")
    order = ["loadstart", "durationchange", "resize", "loadedmetadata", "loadeddata", "canplay", "canplaythrough"]
    assert page.evaluate("return events") == order
    assert page.evaluate("return [element.duration, element.videoWidth, element.videoHeight, element.error]") == [
        2, 96, 64, None
    ]  # fmt: skip
    page.wait("element.networkState === HTMLMediaElement.NETWORK_IDLE")
    for ranges in ("element.buffered", "element.seekable"):
        assert page.evaluate(f"const r = {ranges}; return [r.length, r.start(0), r.end(0)];") == [1, 0, 2]
    assert page.evaluate("try { element.buffered.end(1) } catch (error) { return error.name }") == "IndexSizeError"
    assert page.evaluate("return [element.clientWidth, element.clientHeight]") == [96, 64]
    page.evaluate("element.player.resolution = 'source'; events.length = 0;")
    seeks = "element.currentTime = 1.5; return [element.seeking, element.currentTime];"
    assert page.evaluate(seeks) == [True, 1.5]
    page.wait("!element.seeking")
    assert page.evaluate("return events") == ["seeking", "seeked"]
    page.assert_shows(gvideo.VideoDecoder(data).get_frame_played_at(1.5).data)


def test_plays_pauses_ends_and_loops(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media)
    page = open_element('<gvideo-player src="/media/clip.gsv"></gvideo-player>')
    page.wait("element.readyState === 4")
    page.evaluate("events.length = 0; await element.play();")
    assert page.evaluate("return [element.paused, ...events]") == [False, "play", "playing"]
    page.evaluate("element.pause(); element.pause();")
    assert page.evaluate("return [element.paused, ...events]") == [True, "play", "playing", "pause"]
    refused = page.evaluate("""
        const said = element.play().then(() => "", (error) => error.name);
        const other = element.load() ?? element.play().then(() => "", (error) => error.name);
        element.pause();
        return [await said, await other];
    """)
    assert refused == ["", "AbortError"]
    page.evaluate("element.currentTime = 1.7; events.length = 0; await element.play();")
    page.wait("events.includes('ended')")  # the property is true once the time has come, the events follow
    assert page.evaluate("return events.slice(-2)") == ["pause", "ended"]
    assert page.evaluate("return [element.paused, element.currentTime]") == [True, 2]
    page.evaluate("element.loop = true; element.currentTime = 1.8; events.length = 0; await element.play();")
    page.wait("element.currentTime > 0 && element.currentTime < 1 && events.filter((e) => e === 'seeked').length > 0")
    assert page.evaluate("return [element.paused, events.includes('pause'), events.includes('ended')]") == [
        False, False, False
    ]  # fmt: skip


def test_settings_hold_over_a_change_of_source(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media)
    html = '<gvideo-player src="/media/clip.gsv" preload="none" muted poster="/player/icon.svg"></gvideo-player>'
    page = open_element(html)
    page.wait("events.includes('loadstart')")
    page.evaluate("element.volume = 0.25; element.playbackRate = 2; element.currentTime = 1;")
    state = "[element.muted, element.volume, element.playbackRate, element.currentTime]"
    assert page.evaluate(f"return [element.player, element.networkState, ...{state}]") == [None, 1, True, 0.25, 2, 1]
    assert page.evaluate("return element.shadowRoot.querySelector('.poster').hidden") is False
    page.evaluate("await element.play();")
    assert page.evaluate("return element.currentTime") >= 1
    assert page.evaluate("return element.shadowRoot.querySelector('.poster').hidden") is True
    page.evaluate("""
        element.preload = "auto";
        events.length = 0;
        element.src = "clip.gsv?again";
        element.src = "/media/clip.gsv?again";
    """)
    page.wait("element.readyState > 0")  # the address that was set last, and once
    assert page.evaluate("return [element.currentSrc.split('/').at(-1), ...events.slice(0, 2)]") == [
        "clip.gsv?again", "emptied", "loadstart"
    ]  # fmt: skip
    assert page.evaluate(f"return {state}") == [True, 0.25, 2, 0]
    assert page.evaluate("try { element.volume = 2 } catch (error) { return error.name }") == "IndexSizeError"
    page.evaluate("element.remove();")
    page.wait("element.player === null")


def test_what_cannot_be_played_is_an_error_of_media(media: Path, open_element: Callable[..., Any]) -> None:
    page = open_element('<gvideo-player src="/media/nothing.gsv" autoplay></gvideo-player>')
    page.wait("element.error")
    assert page.evaluate("return [element.error, element.networkState, element.readyState]") == [
        {"code": 4, "message": "nothing.gsv: the server answers 404 Not Found"}, 3, 0
    ]  # fmt: skip
    assert page.evaluate("return element.play().catch((error) => `${error.name}: ${error.message}`)") == (
        "NotSupportedError: nothing.gsv: the server answers 404 Not Found"
    )
    types = ["video/mp4", 'video/mp4; codecs="gsv1.00.20.08,mp4a.40.2"', 'video/mp4; codecs="vp09"', "video/ogg"]
    assert page.evaluate(f"return {types}.map((type) => element.canPlayType(type))") == ["maybe", "probably", "", ""]


def test_own_controls_in_the_shadow_tree(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media)
    page = open_element('<gvideo-player src="/media/clip.gsv" style="width: 400px" controls></gvideo-player>')
    page.wait("element.readyState === 4")
    page.evaluate("element.shadowRoot.querySelector('button.start').click();")
    page.wait("!element.paused && element.currentTime > 0")
    page.evaluate("""
        element.pause();
        element.shadowRoot.querySelector("button[aria-label=Settings]").click();
        const choice = element.shadowRoot.querySelector(".menu .compact label");
        choice.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, composed: true }));
    """)
    assert page.evaluate("return element.shadowRoot.querySelector('.menu').hidden") is False
    page.evaluate("document.body.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));")
    assert page.evaluate("return element.shadowRoot.querySelector('.menu').hidden") is True
    page.evaluate("window.time = element.currentTime; element.controls = false;")
    page.wait("element.readyState === 4")
    assert page.evaluate("return [element.currentTime === time, !!element.shadowRoot.querySelector('.menu')]") == [
        True, False
    ]  # fmt: skip


def test_the_picture_as_a_stream_and_in_a_window(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media)
    page = open_element('<gvideo-player src="/media/clip.gsv"></gvideo-player>')
    assert page.evaluate("try { element.captureStream() } catch (error) { return error.name }") == "InvalidStateError"
    page.wait("element.readyState === 4")
    page.evaluate("""
        element.player.resolution = "source"; element.loop = true;
        window.video = Object.assign(document.createElement("video"), { muted: true });
        video.srcObject = element.captureStream();
        await element.play(); await video.play();
    """)
    page.wait("video.videoWidth === 96 && video.currentTime > 0")
    # headless browsers have no such windows
    page.evaluate("""
        window.shown = null;
        HTMLVideoElement.prototype.requestPictureInPicture = async function () { shown = this; return "a window"; };
        window.told = [];
        for (const name of ["enterpictureinpicture", "leavepictureinpicture"])
          element.addEventListener(name, () => told.push(name));
    """)
    assert page.evaluate("return element.requestPictureInPicture()") == "a window"
    page.wait("shown.videoWidth === 96")
    assert page.evaluate("return [shown.getRootNode() === element.shadowRoot, ...told]") == [
        True, "enterpictureinpicture"
    ]  # fmt: skip
    page.evaluate("shown.pause();")
    page.wait("element.paused")
    page.evaluate("await element.play();")
    page.wait("!shown.paused")
    page.evaluate("shown.dispatchEvent(new Event('leavepictureinpicture'));")
    assert page.evaluate("return [shown.isConnected, ...told]") == [
        False, "enterpictureinpicture", "leavepictureinpicture"
    ]  # fmt: skip


def test_the_system_is_told_and_listened_to(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media)
    page = open_element()
    page.evaluate("""
        window.actions = {};
        navigator.mediaSession.setActionHandler = (action, act) => (actions[action] = act);
        navigator.mediaSession.setPositionState = (state) => (window.position = state);
        show('<gvideo-player src="/media/clip.gsv" title="A clip" poster="/player/icon.svg"></gvideo-player>');
    """)
    page.wait("element.readyState === 4")
    assert page.evaluate("return navigator.mediaSession.metadata") is None
    page.evaluate("await element.play();")
    shown = "[navigator.mediaSession.metadata.title, navigator.mediaSession.metadata.artwork.length]"
    assert page.evaluate(f"return [navigator.mediaSession.playbackState, ...{shown}]") == ["playing", "A clip", 1]
    page.evaluate("actions.pause(); actions.seekto({ seekTime: 1.5 });")
    page.wait("!element.seeking")
    assert page.evaluate("return [element.paused, element.currentTime, position.position, position.duration]") == [
        True, 1.5, 1.5, 2
    ]  # fmt: skip
    page.evaluate("actions.seekbackward({});")
    assert page.evaluate("return [element.currentTime, navigator.mediaSession.playbackState]") == [0, "paused"]
    page.evaluate("element.src = '/media/clip.gsv?other'; await new Promise((r) => setTimeout(r));")
    assert page.evaluate("return [navigator.mediaSession.metadata, actions.pause]") == [None, None]


@pytest.mark.skipif(not (HERE / "node_modules" / "media-chrome").is_dir(), reason="needs media-chrome (npm ci)")
def test_media_chrome_drives_it(media: Path, open_element: Callable[..., Any]) -> None:
    clip(media, num_segments=4)
    page = open_element()
    page.evaluate("""
        await import("/tests/node_modules/media-chrome/dist/iife/index.js");
        show(`<media-controller style="width: 400px">
          <gvideo-player slot="media" src="/media/clip.gsv"></gvideo-player>
          <media-control-bar><media-play-button></media-play-button><media-mute-button></media-mute-button>
            <media-time-range></media-time-range><media-time-display showduration></media-time-display>
            <media-playback-rate-button></media-playback-rate-button></media-control-bar></media-controller>`);
        window.controller = document.querySelector("media-controller");
        window.press = (name) => document.querySelector(name).click();
    """)
    page.wait("element.readyState === 4 && controller.getAttribute('mediaduration') === '4'")
    told = "[controller.hasAttribute('mediapaused'), controller.getAttribute('mediaseekable')]"
    assert page.evaluate(f"return {told}") == [True, "0:4"]
    page.evaluate("press('media-play-button');")
    page.wait("!element.paused && !controller.hasAttribute('mediapaused') && controller.hasAttribute('mediahasplayed')")
    page.wait("Number(controller.getAttribute('mediacurrenttime')) > 0")
    page.evaluate("press('media-mute-button'); press('media-playback-rate-button');")
    page.wait("element.muted && controller.getAttribute('mediavolumelevel') === 'off' && element.playbackRate > 1")
    page.evaluate("press('media-play-button');")
    page.wait("element.paused && controller.hasAttribute('mediapaused')")
    page.evaluate("""
        const range = document.querySelector("media-time-range");
        range.dispatchEvent(new CustomEvent("mediaseekrequest", { composed: true, bubbles: true, detail: 2.5 }));
    """)
    page.wait("element.currentTime === 2.5 && controller.getAttribute('mediacurrenttime') === '2.5'")
    assert page.evaluate("return controller.getAttribute('mediabuffered')") == "0:4"
