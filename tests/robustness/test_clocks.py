"""The clock of the machine is set forwards and backwards while the programs run: durations are not taken from it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import m3u8
import pytest
from packaged import quick_segment, write_clip, write_stream
from starlette.types import ASGIApp

from gvideo.cli import main
from gvideo.commands.terminal.progress import ProgressLine
from packager.check import check_presentation
from packager.server.app import make_app
from player.presentation import playback
from player.presentation.stream_reel import open_reel
from player.source.fetch import Fetcher


@pytest.fixture
def jumps(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The clock is a day on, an hour back, right, ... at every look; how many looks there were."""
    real, looks = time.time, itertools.count()
    offsets = itertools.cycle((86_400.0, -3_600.0, 0.0))

    def jumping() -> float:
        next(looks)
        return real() + next(offsets)

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(time, "time_ns", lambda: int(jumping() * 1e9))
    return lambda: next(looks)


def test_the_clock_of_these_tests_jumps(jumps):
    first, second, third = time.time(), time.time(), time.time()
    assert first - second > 80_000
    assert third - second > 3_000
    assert jumps() == 3


def test_live_times_go_on(jumps, tmp_path, monkeypatch):
    """What is published has the times of the source behind the moment of the first frame."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    clip, folder = write_clip(tmp_path / "clip.mkv", 1.6), tmp_path / "out"
    words = ["encode", str(clip), "-o", f"{folder}/", "--live", "--segment", "0.4", "--idle", "0.1", "--device", "cpu"]
    before = datetime.now(UTC)
    assert main(words) == 0
    playlist = m3u8.load(str(folder / "v0.m3u8"))
    times = [s.program_date_time for s in playlist.segments]
    wanted = itertools.accumulate((s.duration for s in playlist.segments[:-1]), initial=0.0)
    assert [(t - times[0]).total_seconds() for t in times] == pytest.approx(list(wanted), abs=0.001)
    assert before.timestamp() - 1 <= times[0].timestamp() <= datetime.now(UTC).timestamp()
    assert check_presentation(str(folder))[0] == []


def test_pictures_come_at_their_times(jumps, tmp_path):
    reel = open_reel(str(write_stream(tmp_path / "a.gsv", num_segments=1, num_frames=25)), Fetcher())
    report = playback.play(reel, playback.nothing, size=(16, 12))
    reel.close()
    assert report.num_frames == 25
    assert 0.99 <= report.seconds - report.stall_seconds < 10  # a second of pictures on a busy machine
    assert 0 <= report.startup_seconds < 60


def test_time_left(jumps, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    began = time.monotonic()
    line = ProgressLine()
    time.sleep(0.05)
    line.show(10, 40)
    elapsed = time.monotonic() - began
    rate = re.search(r"([\d.e+]+) frames/s", capsys.readouterr().err)
    assert rate
    assert 10 / elapsed <= float(rate[1]) * 1.01
    assert float(rate[1]) <= 10 / 0.05 * 1.01


def answers(app: ASGIApp, count: int, headers: dict[str, str] | None = None) -> list[httpx.Response]:
    """Of so many requests for /a.m4s, one after the other."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
            return [await client.get("/a.m4s", headers=headers) for _ in range(count)]

    return asyncio.run(ask())


def test_seconds_of_the_access_log_and_the_metrics(jumps, tmp_path, caplog):
    from prometheus_client import REGISTRY

    def seconds() -> float:
        return REGISTRY.get_sample_value("gvideo_http_request_seconds_sum", {"kind": "segment"}) or 0.0

    (tmp_path / "a.m4s").write_bytes(b"x" * 1000)
    caplog.set_level(logging.INFO)
    app = make_app(tmp_path, count=True)
    before, began = seconds(), time.monotonic()
    assert [a.content for a in answers(app, 4)] == [b"x" * 1000] * 4
    elapsed = time.monotonic() - began
    assert 0 < seconds() - before <= elapsed
    told = [float(n) for n in re.findall(r'200 1000 ([\d.]+) "', caplog.text)]
    assert len(told) == 4
    assert all(0 <= n <= 1000 * elapsed for n in told)


def test_validators_of_files_do_not_follow_the_clock(jumps, tmp_path):
    """What a cache compares is of the file alone."""
    (tmp_path / "a.m4s").write_bytes(b"x")
    app = make_app(tmp_path)
    tags = {a.headers["etag"] for a in answers(app, 4)}
    assert len(tags) == 1
    assert [a.status_code for a in answers(app, 2, {"If-None-Match": tags.pop()})] == [304, 304]
