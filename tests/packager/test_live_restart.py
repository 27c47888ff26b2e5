"""A live encode that is started again into the folder of one that ended or was killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import m3u8
import numpy as np
import pytest
from packaged import QUICK_PROGRAM, ROOT, quick_segment, serve, write_clip

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import MediaError, OptionError
from packager.check import check_presentation
from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink
from player.presentation.stream_reel import open_reel
from player.source import follow
from player.source.fetch import Fetcher

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run_of(folder: Path, stream: GsvFile, later: float, window: int | None, *, end: bool, **options: bool) -> None:
    """A publisher that is there `later` seconds after the first, and publishes the three segments of a stream."""
    at = STARTED + timedelta(seconds=later)
    live = LivePublisher(LocalSink(folder), at, Fraction(2), window and Fraction(window), **options)
    live.begin(stream.track())
    for piece in stream.pieces():
        live.add(piece)
    if end:
        live.end()


@pytest.mark.parametrize("end", [True, False], ids=["ended", "killed"])
@pytest.mark.parametrize("window", [None, 200])
def test_numbers_rise_over_a_restart(window, end, inputs, tmp_path):
    """What was on offer stays, what comes is a discontinuity at the time of day that it is."""
    stream = GsvFile(inputs["small"])
    run_of(tmp_path, stream, 0, window, end=end)
    before = m3u8.load(str(tmp_path / "v0.m3u8"))
    run_of(tmp_path, stream, 100, window, end=False)
    after = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert [s.uri for s in after.segments[:3]] == [s.uri for s in before.segments]
    assert [s.discontinuity for s in after.segments] == [False] * 3 + [True] + [False] * 2
    assert [(s.program_date_time - STARTED).total_seconds() for s in after.segments] == [0, 2, 4, 100, 102, 104]
    assert [int(re.search(r"seg_(\d+)", s.uri)[1]) for s in after.segments] == [1, 2, 3, 4, 5, 6]
    assert (after.media_sequence, after.is_endlist) == (1, False)
    mpd = ElementTree.parse(tmp_path / "manifest.mpd").getroot()
    namespace = {"m": "urn:mpeg:dash:schema:mpd:2011"}
    assert mpd.get("availabilityStartTime") == "2026-01-02T03:04:05.000Z"
    periods = mpd.findall("m:Period", namespace)
    assert [(p.get("id"), p.get("start"), p.get("duration")) for p in periods] == [
        ("0", "PT0S", "PT6S"), ("1", "PT100S", None),
    ]  # fmt: skip
    assert [p.find(".//m:SegmentTemplate", namespace).get("startNumber") for p in periods] == ["1", "4"]
    assert check_presentation(str(tmp_path))[0] == []
    for name in ("master.m3u8", "manifest.mpd"):
        frames = VideoDecoder(tmp_path / name).get_all_frames().data
        np.testing.assert_array_equal(frames[:150], frames[150:])


def test_a_window_slides_over_a_restart(inputs, tmp_path):
    """Segments and periods of the run before leave the window, and their files go in the end."""
    stream = GsvFile(inputs["small"])
    run_of(tmp_path, stream, 0, 4, end=False)
    old = {p for p in tmp_path.rglob("*.m*4*") if p.parent.name.startswith("v0-")}
    for again in range(1, 6):
        run_of(tmp_path, stream, 10 * again, 4, end=False)
        assert check_presentation(str(tmp_path))[0] == []
    playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert (playlist.media_sequence, playlist.discontinuity_sequence, len(playlist.segments)) == (13, 4, 6)
    assert not any(p.exists() for p in old)


def test_what_is_not_there_any_more_is_not_offered(inputs, tmp_path):
    """Files that somebody removed, and those that a killed run had written before it could say so."""
    stream = GsvFile(inputs["small"])
    run_of(tmp_path, stream, 0, None, end=False)
    files = {p.name: p for p in tmp_path.rglob("seg_*.m4s")}
    files["seg_2.m4s"].unlink()
    torn = files["seg_3.m4s"].with_name("seg_4.m4s")
    torn.write_bytes(b"half a segment")
    run_of(tmp_path, stream, 10, None, end=False)
    playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert [s.uri.rpartition("/")[2] for s in playlist.segments] == [f"seg_{n}.m4s" for n in (3, 4, 5, 6)]
    assert playlist.media_sequence == 3
    assert not torn.exists()
    assert check_presentation(str(tmp_path))[0] == []


def test_what_does_not_fit_is_refused(inputs, tmp_path):
    """Other rungs, layers, segments or kinds of playlist; nothing that is published changes."""
    small, layered = GsvFile(inputs["small"]), GsvFile(inputs["layered"])
    run_of(tmp_path, small, 0, 8, end=False)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(OptionError, match=r"has 64x48 in 1 layer\(s\), this input would give 64x48 in 3 layer\(s\)"):
        run_of(tmp_path, layered, 10, 8, end=True)
    with pytest.raises(OptionError, match="--window: the live stream in this folder has a window"):
        run_of(tmp_path, small, 10, None, end=True)
    with pytest.raises(OptionError, match=r"--segment: .* 2 s at most"):
        LivePublisher(LocalSink(tmp_path), STARTED, Fraction(3), Fraction(8))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    run_of(tmp_path, layered, 10, 8, end=True, anew=True)
    assert m3u8.load(str(tmp_path / "v0_1.m3u8")).media_sequence == 1
    (tmp_path / "live.json").write_text("{")
    with pytest.raises(MediaError, match=r"live\.json: .*--anew"):
        run_of(tmp_path, layered, 20, 8, end=True)
    run_of(tmp_path, layered, 20, 8, end=True, anew=True)


def test_the_command_is_killed_and_started_again(tmp_path, monkeypatch):
    """A viewer who watches the first run sees the second one to its end."""
    monkeypatch.setattr(follow, "_LONGEST_SECONDS", 0.2)
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    clip = write_clip(tmp_path / "clip.mkv", 1.6)
    data, pipe, folder = clip.read_bytes(), tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    arguments = ["-o", f"{folder}/", "--live", "--segment", "0.4", "--idle", "0.2", "--no-keep-up", "--layers", "2"]
    child = subprocess.Popen([sys.executable, "-c", QUICK_PROGRAM, "encode", str(pipe), *arguments], cwd=ROOT)
    with pipe.open("wb", buffering=0) as file:
        file.write(data)
        end = time.monotonic() + 90
        while not (folder / "master.m3u8").exists() or len(m3u8.load(f"{folder}/v0_1.m3u8").segments) < 2:
            assert time.monotonic() < end
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    count = len(m3u8.load(f"{folder}/v0_1.m3u8").segments)
    for url in serve(folder):
        reel = open_reel(f"{url}/manifest.mpd", Fetcher(backoff_seconds=0.01))
        assert main(["encode", str(clip), *arguments]) == 0
        end = time.monotonic() + 60
        while reel.is_live:
            assert time.monotonic() < end
            time.sleep(0.05)
        playlist = m3u8.load(f"{folder}/v0_1.m3u8")
        (join,) = (n for n, s in enumerate(playlist.segments) if s.discontinuity)
        assert join >= count  # one more, if it was killed before the playlists could name it
        assert len(reel.starts) == len(playlist.segments) >= join + 4
        frames = [len(reel.piece(n).times) - 1 for n in range(len(reel.starts))]
        assert sum(frames[join:]) == 40
        assert reel.end == pytest.approx(sum(frames) / 25, abs=0.01)
        reel.close()
    playlists = [m3u8.load(f"{folder}/{name}.m3u8") for name in ("v0_1", "v0_2", "a0")]
    for playlist in playlists:
        assert [n for n, s in enumerate(playlist.segments) if s.discontinuity] == [join]
        assert playlist.is_endlist
    assert check_presentation(str(folder))[0] == []
    assert len(VideoDecoder(folder)) == sum(frames)
