"""Low latency of the server: answers that wait for parts, and playlists without what a client has."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import httpx
import m3u8
import pytest
from packaged import serve, write_stream

from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.server.low_latency import read_progress, without_old
from packager.sink import LocalSink
from packager.tracks import TrackSegment
from player.presentation.stream_reel import open_reel
from player.source import follow
from player.source.fetch import Fetcher

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: What comes later than this in an answer was waited for, on a machine however busy (s).
HELD = 0.4


class Feed:
    """A live stream of parts of 0.48 s in segments of 0.96 s, added one by one."""

    def __init__(self, folder: Path, stream: GsvFile) -> None:
        self.folder, self._stream = folder, stream
        self.live = LivePublisher(LocalSink(folder), STARTED, Fraction(1), partial=Fraction(1, 2))
        self.live.begin(stream.track())
        self._pieces = self._endless()
        self.count = 0

    def _endless(self) -> Iterator[TrackSegment]:
        start = 0
        while True:
            for p in self._stream.pieces():
                yield replace(p, start=start, chunks=tuple(replace(c, start=start) for c in p.chunks))
                start += p.duration

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.live.add(next(self._pieces))
            self.count += 1

    @property
    def hint(self) -> str:
        return re.search(r'PRELOAD-HINT:TYPE=PART,URI="(.*?)"', (self.folder / "v0.m3u8").read_text())[1]

    @property
    def following(self) -> str:
        """The query for the part that comes next."""
        return f"_HLS_msn={1 + self.count // 2}&_HLS_part={self.count % 2}"


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> GsvFile:
    path = tmp_path_factory.mktemp("short") / "short.gsv"
    return GsvFile(write_stream(path, num_segments=10, num_frames=12, count=8))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("site")
    for url in serve(folder, "--quiet"):
        yield folder, url


@pytest.fixture
def live(site, stream, request) -> tuple[Feed, str]:
    """A folder of its own, with four segments and a part, and its URL."""
    folder, url = site
    feed = Feed(folder / request.node.name, stream)
    feed.add(9)
    return feed, f"{url}/{request.node.name}"


def asked(url: str) -> Future[httpx.Response]:
    """An answer that may take a while."""
    pool = ThreadPoolExecutor(1)
    found = pool.submit(httpx.get, url, timeout=60)
    pool.shutdown(wait=False)
    return found


def test_a_playlist_is_held_until_the_part_is_there(live):
    feed, url = live
    first = asked(f"{url}/v0.m3u8?{feed.following}")
    whole = asked(f"{url}/v0.m3u8?_HLS_msn=5")
    time.sleep(HELD)
    assert not first.done()
    assert not whole.done()
    named = feed.hint
    feed.add()  # closes segment 5
    for answer in (first.result(), whole.result()):
        assert answer.status_code == 200
        assert f'URI="{named}"' in answer.text
        assert "seg_5.m4s" in answer.text
        assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    # a part behind the last one of a segment is the first of the next
    behind = asked(f"{url}/v0.m3u8?_HLS_msn=5&_HLS_part=2")
    time.sleep(HELD)
    assert not behind.done()
    feed.add()
    assert "part_11.m4s" in behind.result().text


def test_what_is_there_is_answered_at_once(live):
    feed, url = live
    for query in ("", "?_HLS_msn=1", "?_HLS_msn=4&_HLS_part=1", "?_HLS_msn=5&_HLS_part=0", "?_HLS_msn=1&_HLS_part=7"):
        answer = httpx.get(f"{url}/v0.m3u8{query}", timeout=60)
        assert answer.text == (feed.folder / "v0.m3u8").read_text()
    again = httpx.get(f"{url}/v0.m3u8?_HLS_msn=1", headers={"If-None-Match": answer.headers["etag"]}, timeout=60)
    assert again.status_code == 304
    compressed = httpx.get(f"{url}/v0.m3u8?_HLS_msn=1", headers={"Accept-Encoding": "gzip"}, timeout=60)
    assert compressed.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "query", ["_HLS_msn=7", "_HLS_msn=5&_HLS_part=7", "_HLS_part=1", "_HLS_msn=x", "_HLS_msn=5&_HLS_part=-1"]
)
def test_what_no_client_can_want_is_refused(query, site, stream):
    folder, url = site
    feed = Feed(folder / re.sub("[^0-9a-z]", "-", f"refused {query}"), stream)
    feed.add(9)
    answer = httpx.get(f"{url}/{feed.folder.name}/v0.m3u8?{query}", timeout=60)
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"


def test_a_part_that_does_not_come_is_given_up(live):
    feed, url = live
    began = time.monotonic()
    answer = httpx.get(f"{url}/v0.m3u8?{feed.following}", timeout=60)
    assert answer.status_code == 503
    assert time.monotonic() - began >= 3  # three target durations


def test_the_part_that_comes_next_is_waited_for(live):
    feed, url = live
    named = feed.hint
    answer = asked(f"{url}/{named}")
    assert httpx.get(f"{url}/{named.replace('part_10', 'part_11')}", timeout=60).status_code == 404
    assert not answer.done()
    feed.add()
    assert answer.result().status_code == 200
    assert answer.result().content == (feed.folder / named).read_bytes()
    behind = asked(f"{url}/{feed.hint}")
    feed.live.end()
    assert behind.result().status_code == 404


def test_the_end_answers_who_waits(live):
    feed, url = live
    answer = asked(f"{url}/v0.m3u8?_HLS_msn=6")
    time.sleep(HELD)
    assert not answer.done()
    feed.live.end()
    assert "#EXT-X-ENDLIST" in answer.result().text


def test_old_segments_are_skipped(live):
    """What is left and what is skipped is the whole playlist."""
    feed, url = live
    whole = httpx.get(f"{url}/v0.m3u8?_HLS_skip=YES", timeout=60).text
    assert "EXT-X-SKIP" not in whole  # the skip boundary is six seconds
    feed.add(15)
    whole = m3u8.load(str(feed.folder / "v0.m3u8"))
    found = httpx.get(f"{url}/v0.m3u8?_HLS_msn=12&_HLS_skip=YES", timeout=60)
    (count,) = map(int, re.findall(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", found.text))
    left = m3u8.loads(found.text)
    assert [s.uri for s in left.segments] == [s.uri for s in whole.segments][count:]
    ends = [s.duration for s in whole.segments]
    assert sum(ends[count:]) >= 6 > sum(ends[count + 1 :])
    assert left.media_sequence == whole.media_sequence
    assert left.segments[0].init_section.uri == whole.segments[0].init_section.uri
    assert found.headers["etag"] != httpx.get(f"{url}/v0.m3u8?_HLS_msn=12", timeout=60).headers["etag"]


def test_skipping_keeps_the_init_segment_and_the_rest_as_it_stands():
    head = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n"
    segments = [f"#EXTINF:1.000000,\ns{n}\n" for n in range(4)]
    text = (
        head + '#EXT-X-MAP:URI="a"\n' + segments[0] + '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="b"\n' + segments[1]
        + segments[2] + segments[3] + '#EXT-X-PART:DURATION=0.5,URI="p"\n'
    )  # fmt: skip
    rest = segments[2] + segments[3] + '#EXT-X-PART:DURATION=0.5,URI="p"\n'
    assert without_old(text, Fraction(5, 2)) == head + '#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-MAP:URI="b"\n' + rest
    assert without_old(text, Fraction(9, 2)) == text
    assert without_old(head, Fraction(1)) == head
    turned = text.replace('DURATION=0.5,URI="p"', 'URI="p,q",DURATION=0.5')
    assert without_old(turned, Fraction(5, 2)).count("EXTINF") == 2
    assert without_old(turned.replace("0.5", "x"), Fraction(5, 2)).count("EXTINF") == 3


def test_attributes_stand_in_any_order():
    found = read_progress(
        '#EXTM3U\n#EXT-X-SERVER-CONTROL:X-NOTE="a,CAN-SKIP-UNTIL=1",PART-HOLD-BACK=3,CAN-SKIP-UNTIL=12.5,'
        'CAN-BLOCK-RELOAD=YES\n#EXT-X-PART-INF:X=1,PART-TARGET=0.25\n#EXT-X-PRELOAD-HINT:URI="p,3",TYPE=PART\n'
    )
    assert (found.blocks, found.skip_until, found.part_target, found.hint) == (
        True, Fraction(25, 2), Fraction(1, 4), "p,3",
    )  # fmt: skip


def test_a_playlist_without_parts_is_answered_as_it_is():
    """Nothing is held where the playlist does not offer it."""
    found = read_progress("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:3\n#EXTINF:2,\na\n#EXTINF:2,\nb\n")
    assert (found.first, found.parts, found.open, found.blocks, found.skip_until) == (3, [0, 0], 0, False, None)


def test_a_viewer_sees_all_of_a_stream_in_parts(live, monkeypatch):
    """The player of this project reads parts while they come, over HTTP."""
    monkeypatch.setattr(follow, "_LONGEST_SECONDS", 0.1)
    feed, url = live
    reel = open_reel(f"{url}/master.m3u8", Fetcher(backoff_seconds=0.01))
    assert len(reel.starts) == 8  # the first segment is whole, of the others there are parts

    def publish() -> None:
        for _ in range(6):
            feed.add()
            time.sleep(0.1)
        feed.live.end()

    thread = threading.Thread(target=publish)
    thread.start()
    end = time.monotonic() + 60
    while reel.is_live:
        assert time.monotonic() < end
        time.sleep(0.05)
    thread.join()
    lengths = []
    for n in range(len(reel.starts)):
        reel.move(reel.starts[n])
        lengths.append(reel.piece(n).num_frames)
    assert lengths == [24] + [12] * 13
    reel.close()
