"""The page in a browser follows a live stream in parts from `gvideo serve`, and fetches what is new of its playlist."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from packaged import endless, serve, write_stream

from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink

PART_SECONDS = 0.48


def test_the_page_follows_a_stream_in_parts(tmp_path: Path, open_player: Callable[..., Any]) -> None:
    stream = GsvFile(write_stream(tmp_path / "short.gsv", num_segments=10, num_frames=12, count=8))
    live = LivePublisher(LocalSink(tmp_path / "out"), datetime.now(UTC), Fraction(2), partial=Fraction(1, 2))
    live.begin(stream.track())
    pieces, stop = endless(stream), threading.Event()
    for piece in islice(pieces, 40):  # 19 s: more than the 12 s that an answer may leave out
        live.add(piece)

    def add_in_time() -> None:
        while not stop.wait(PART_SECONDS):
            live.add(next(pieces))

    encoder = threading.Thread(target=add_in_time, daemon=True)
    log = tmp_path / "log"
    with contextmanager(serve)(tmp_path / "out", log=log) as url:
        encoder.start()
        page = open_player(f"{url}/master.m3u8")
        page.streams = (url,)
        page.evaluate("window.began = player.currentTime; player.play();")
        page.wait("player.currentTime > began + 4")
        behind = page.evaluate("return player.seekable[1] - player.currentTime")
        notices = page.evaluate("return notices")
        asked = page.evaluate("return performance.getEntriesByType('resource').map(({ name }) => name);")
        stop.set()
        encoder.join()
        live.end()
        page.wait("events.includes('ended')")
    answers = re.findall(r"GET /v0\.m3u8 .*? (\d{3}) ", log.read_text())
    assert notices == []
    assert -PART_SECONDS < behind < 4  # PART-HOLD-BACK is 1.5 s
    assert sum("?_HLS_msn=" in address and "&_HLS_skip=YES" in address for address in asked) > 5
    assert set(answers) == {"200"}
