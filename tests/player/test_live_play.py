"""Playing what still grows: the publisher of the packager as the other side, streams that die or go away."""

from __future__ import annotations

import functools
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import reels
from faults import serving
from packaged import write_stream

from gvideo import VideoDecoder
from gvideo.errors import MediaError
from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink
from player.presentation import playback
from player.source import follow
from player.source.dash_clock import clock_of
from player.source.fetch import Fetcher


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stream(tmp_path_factory.mktemp("live") / "s.gsv", count=12)


def published(stream: Path, folder: Path, window: int | None = None) -> tuple[LivePublisher, GsvFile]:
    return LivePublisher(LocalSink(folder), datetime.now(UTC), Fraction(2), window and Fraction(window)), GsvFile(
        stream
    )


until = functools.partial(reels.until, seconds=15.0)


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_it_grows_over_a_discontinuity_to_its_end(manifest, stream, tmp_path, fast):
    """A second input behind the first, times go on; at the end nothing is waited for."""
    live, source = published(stream, tmp_path / "p")
    pieces = list(source.pieces())
    live.begin(source.track())
    live.add(pieces[0])
    with serving(tmp_path / "p") as served:
        reel = reels.opened(f"{served.url}/{manifest}")
        assert reel.is_live
        assert reel.is_waiting(1)
        assert reel.starts == [0.0]
        live.add(pieces[1])
        live.add(pieces[2])
        live.begin(source.track())
        live.add(pieces[0])
        until(lambda: len(reel.starts) == 4)
        live.end()
        until(lambda: not reel.is_live)
        assert not reel.is_waiting(4)
        found = [reel.piece(n) for n in range(4)]
        np.testing.assert_allclose([p.times[0] for p in found], [0, 2, 4, 6])
        assert reel.end == pytest.approx(8.0)
        local = VideoDecoder(stream, dimension_order="NHWC")
        picture = found[3].pictures(found[3].times[5:6], (64, 48), (0, 0, 1, 1))[0]
        np.testing.assert_array_equal(picture, local[5])
        reel.close()


def test_it_begins_near_the_end_and_the_window_slides(stream, tmp_path, fast):
    live, source = published(stream, tmp_path / "p", window=8)
    pieces = list(source.pieces())
    for _ in range(4):
        live.begin(source.track())
        for piece in pieces:
            live.add(piece)
    with serving(tmp_path / "p") as served:
        reel = reels.opened(f"{served.url}/v0.m3u8")
        count = len(reel.starts)
        assert count == 6
        assert reel.begin == pytest.approx(2.0 * (count - 3))  # three target durations before the end
        assert reel.piece(count - 1).times[0] == pytest.approx(2.0 * (count - 1))
        live.begin(source.track())
        for piece in pieces:
            live.add(piece)
        until(lambda: len(reel.starts) == count + 3)
        assert reel.oldest == pytest.approx(6.0)
        assert reel.piece(count + 2).times[-1] == pytest.approx(2.0 * (count + 3))
        reel.close()


def test_real_time(stream, tmp_path, fast):
    """Shown from its edge to its end, waiting where there is nothing yet."""
    live, source = published(stream, tmp_path / "p")
    pieces = list(source.pieces())
    live.begin(source.track())
    live.add(pieces[0])

    def go_on() -> None:
        time.sleep(0.5)
        live.add(pieces[1])
        live.end()

    thread = threading.Thread(target=go_on)
    with serving(tmp_path / "p") as served:
        reel = reels.opened(served.url)
        thread.start()
        report = playback.play(reel, playback.nothing, size=(16, 12))
        reel.close()
    thread.join()
    assert report.num_frames == 100
    assert report.seconds >= 3.9


def test_a_stream_that_died(stream, tmp_path, fast, monkeypatch):
    monkeypatch.setattr(follow, "_DEAD_SECONDS", 0.2)
    monkeypatch.setattr(follow, "_DEAD_TARGETS", 0.0)
    live, source = published(stream, tmp_path / "p")
    live.begin(source.track())
    live.add(next(iter(source.pieces())))
    reel = reels.opened(str(tmp_path / "p" / "v0.m3u8"))
    with pytest.raises(MediaError, match=r"v0\.m3u8: is live, but has not grown for"):
        until(lambda: not reel.is_waiting(1))
    reel.close()


def test_a_manifest_that_goes_away(stream, tmp_path, fast):
    live, source = published(stream, tmp_path / "p")
    live.begin(source.track())
    live.add(next(iter(source.pieces())))
    with serving(tmp_path / "p", lambda path, count: "404" if path == "v0.m3u8" and count else "") as served:
        reel = reels.opened(f"{served.url}/v0.m3u8")
        with pytest.raises(MediaError, match=r"v0\.m3u8: cannot be fetched \(status 404\)"):
            until(lambda: not reel.is_waiting(1))
        reel.close()


# --- the clock of a live manifest


class Clock(BaseHTTPRequestHandler):
    """A server whose clock is an hour ahead."""

    asked: ClassVar[list[str]] = []

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + 3600)

    def _answer(self, body: bytes) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer((datetime.now(UTC) + timedelta(hours=1)).isoformat().encode())

    do_HEAD = do_GET  # noqa: N815  # a name of http.server

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def clock_server() -> Iterator[str]:
    Clock.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Clock) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/live/manifest.mpd"
        server.shutdown()


@pytest.mark.parametrize(
    ("timings", "hours", "asked"),
    [
        ([("http-head:2014", "manifest.mpd")], 1, ["HEAD /live/manifest.mpd"]),
        ([("ntp:2014", "a b"), ("http-iso:2014", "/now")], 1, ["GET /now"]),
        ([("http-xsdate:2014", "http://127.0.0.1:9/ /now")], 1, ["GET /now"]),
        ([("direct:2014", "2026-01-01T00:00:00Z")], None, []),
        ([("direct:2014", "noon")], 0, []),
        ([], 0, []),
    ],
)
def test_the_manifests_clock_counts(timings, hours, asked, clock_server):
    root = ElementTree.Element("MPD")
    for scheme, value in timings:
        ElementTree.SubElement(root, "UTCTiming", schemeIdUri=f"urn:mpeg:dash:utc:{scheme}", value=value)
    now = clock_of(root, clock_server, Fetcher(attempts=1, backoff_seconds=0.01), lambda: datetime.now(UTC))
    found = [now(), now()]
    if hours is None:
        assert found[0] == datetime(2026, 1, 1, tzinfo=UTC)
    else:
        assert (found[1] - datetime.now(UTC)).total_seconds() == pytest.approx(3600 * hours, abs=20)
    assert Clock.asked == asked  # once


@pytest.mark.parametrize("jump", [-86_400.0, 3.0, 86_400.0])
def test_a_clock_that_is_set_anew_is_compared_again(jump, clock_server):
    """The own clock steps while a live manifest is followed; that of the manifest goes on."""
    root = ElementTree.Element("MPD")
    ElementTree.SubElement(root, "UTCTiming", schemeIdUri="urn:mpeg:dash:utc:http-iso:2014", value="/now")
    off, seconds = 0.0, 0.0
    begun = datetime.now(UTC)

    def own() -> datetime:
        return begun + timedelta(seconds=seconds + off)

    now = clock_of(root, clock_server, Fetcher(attempts=1, backoff_seconds=0.01), own, steady=lambda: seconds)
    first = now()
    seconds = 100.0
    assert (now() - first).total_seconds() == 100
    assert len(Clock.asked) == 1
    off = jump
    assert (now() - datetime.now(UTC)).total_seconds() == pytest.approx(3600, abs=20)
    assert len(Clock.asked) == 2


def test_our_live_manifest_names_the_clock_of_its_server(stream, tmp_path):
    live, source = published(stream, tmp_path / "p")
    live.begin(source.track())
    live.add(next(iter(source.pieces())))
    with serving(tmp_path / "p") as served:
        root = ElementTree.fromstring((tmp_path / "p" / "manifest.mpd").read_text())
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        (timing,) = root.findall("UTCTiming")
        assert (timing.get("schemeIdUri"), timing.get("value")) == ("urn:mpeg:dash:utc:http-head:2014", "manifest.mpd")
        off = datetime(2000, 1, 1, tzinfo=UTC)
        now = clock_of(root, f"{served.url}/manifest.mpd", Fetcher(), lambda: off)
        assert abs((now() - datetime.now(UTC)).total_seconds()) < 30
    live.end()
    assert "UTCTiming" not in (tmp_path / "p" / "manifest.mpd").read_text()
