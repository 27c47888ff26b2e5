"""Live publishing: what is on offer after every segment, and whole runs over files that grow and pipes."""

from __future__ import annotations

import itertools
import os
import threading
import time
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np
import pytest
from corpus.odd_inputs import INPUTS
from packaged import quick_segment
from torch import cuda

from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main
from gvideo.errors import MediaError, OptionError
from gvideo.media import VideoSource
from gvideo.media.growing import GrowingFile, LiveSource
from packager.check import check_presentation
from packager.gsv import GsvFile, gsv_track, sequence_unit_of
from packager.live import LivePublisher
from packager.sink import LocalSink

ROOT = Path(__file__).parents[2]
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def publisher_with(inputs: dict[str, Path], folder: Path, window: Fraction | None) -> LivePublisher:
    return LivePublisher(LocalSink(folder), STARTED, Fraction(2), window)


def feed(live: LivePublisher, stream: GsvFile, times: int = 1) -> None:
    """The stream as so many inputs, one after the other."""
    for _ in range(times):
        live.begin(stream.track())
        for piece in stream.pieces():
            live.add(piece)


def test_an_event_keeps_everything_and_ends(inputs, tmp_path):
    live = publisher_with(inputs, tmp_path, None)
    stream = GsvFile(inputs["small"])
    counts = []
    live.begin(stream.track())
    for piece in stream.pieces():
        live.add(piece)
        playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
        assert not playlist.is_endlist
        assert playlist.playlist_type == "event"
        counts.append(len(playlist.segments))
        assert check_presentation(str(tmp_path))[0] == []
    assert counts == [1, 2, 3]
    live.end()
    assert m3u8.load(str(tmp_path / "v0.m3u8")).is_endlist
    assert 'type="static"' in (tmp_path / "manifest.mpd").read_text()
    assert check_presentation(str(tmp_path))[0] == []


def test_a_new_input_is_a_discontinuity(inputs, tmp_path):
    live = publisher_with(inputs, tmp_path, None)
    feed(live, GsvFile(inputs["small"]))
    feed(live, GsvFile(inputs["layered"]))
    playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
    assert [s.discontinuity for s in playlist.segments] == [False] * 3 + [True] + [False] * 2
    assert len({s.init_section.uri for s in playlist.segments}) == 2
    times = [s.program_date_time for s in playlist.segments]
    assert [(t - STARTED).total_seconds() for t in times] == [0, 2, 4, 6, 8, 10]
    assert (tmp_path / "manifest.mpd").read_text().count("<Period ") == 2
    assert '<Period id="1" start="PT6S">' in (tmp_path / "manifest.mpd").read_text()


def test_a_window_slides_and_files_go_later(inputs, tmp_path):
    live = publisher_with(inputs, tmp_path, Fraction(8))
    stream = GsvFile(inputs["small"])
    seen: dict[int, set[str]] = {}
    for round_ in range(8):
        feed(live, stream)
        playlist = m3u8.load(str(tmp_path / "v0.m3u8"))
        seen[round_] = {s.uri for s in playlist.segments}
        assert all((tmp_path / s.uri).exists() for s in playlist.segments)
        assert all((tmp_path / s.init_section.uri).exists() for s in playlist.segments)
        assert check_presentation(str(tmp_path))[0] == []
    assert [s.duration for s in playlist.segments] == [2.0] * 6
    assert playlist.media_sequence == 19
    assert playlist.discontinuity_sequence == 6
    assert playlist.target_duration == 2
    assert all((tmp_path / uri).exists() for uri in seen[5])  # a client may still hold that playlist
    assert not any((tmp_path / uri).exists() for uri in seen[0])
    assert 'timeShiftBufferDepth="PT8S"' in (tmp_path / "manifest.mpd").read_text()
    live.end()
    assert check_presentation(str(tmp_path))[0] == []


def test_the_numbers_of_the_manifest_are_those_of_the_files(inputs, tmp_path):
    live = publisher_with(inputs, tmp_path, Fraction(1))
    stream = GsvFile(inputs["small"])
    header = SequenceHeader(64, 48, 12800, 512)
    live.begin(gsv_track(header, sequence_unit_of(header), 1, Fraction(25), lambda: iter(())))
    pieces = list(stream.pieces())
    from dataclasses import replace

    for n in range(10):
        p = pieces[0]
        live.add(replace(p, start=25600 * n, chunks=tuple(replace(c, start=25600 * n) for c in p.chunks)))
    text = (tmp_path / "manifest.mpd").read_text()
    assert 'startNumber="5"' in text
    assert 't="102400" r="5"' in text
    assert check_presentation(str(tmp_path))[0] == []


# --- inputs that grow


def test_a_growing_file_is_waited_for(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            with path.open("ab") as more:
                more.write(b"def")

    with path.open("rb", buffering=0) as file:
        growing = GrowingFile(file, 0.5, wait)
        assert [growing.read(10), growing.read(10), growing.read(10)] == [b"abc", b"def", b""]
    assert len(waits) == 3 + 5


def clip_bytes(tmp_path: Path, seconds: float, container: str = "mpegts") -> bytes:
    path = tmp_path / "clip.bin"
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for k in range(round(25 * seconds)):
            picture = np.zeros((32, 32, 3), np.uint8)
            picture[:, (k * 2) % 32 :] = 200
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


def test_frames_of_a_growing_file_are_those_of_the_whole(tmp_path):
    data = clip_bytes(tmp_path, 2)
    growing = tmp_path / "growing.ts"
    growing.write_bytes(data[: len(data) // 3])

    def write() -> None:
        time.sleep(0.3)
        with growing.open("ab", buffering=0) as file:
            for at in range(len(data) // 3, len(data), 20000):
                file.write(data[at : min(at + 20000, len(data))])
                time.sleep(0.02)

    thread = threading.Thread(target=write)
    thread.start()
    with LiveSource(growing, idle=0.8) as source:
        frames = list(source.code_frames())
        with pytest.raises(OptionError, match="only once"):
            next(source.code_frames())
    thread.join()
    assert len(frames) == 50
    assert {b.pts - a.pts for a, b in itertools.pairwise(frames)} == {3600}


def test_bad_live_input_is_named(tmp_path):
    (tmp_path / "no.ts").write_bytes(b"no video at all" * 100)
    for name in ("no.ts", "absent.ts"):
        with pytest.raises(MediaError, match=name):
            LiveSource(tmp_path / name, idle=0.1)


def test_a_live_source_is_read_like_a_file(tmp_path):
    """The stream that ffmpeg chooses, times behind a join, and what is said."""
    inputs = {each.name: each for each in INPUTS}
    for name, options, size in (("restart.ts", {}, (48, 32)), ("no_default.mkv", {}, (48, 32)),
                                ("no_default.mkv", {"stream": 0}, (32, 32))):  # fmt: skip
        inputs[name].make(tmp_path / name)
        with LiveSource(tmp_path / name, idle=0.1, **options) as live, VideoSource(tmp_path / name, **options) as file:
            assert (live.format.width, live.format.height) == size
            found = [(frame.pts, frame.duration, frame.y.tobytes()) for frame in live.code_frames()]
            assert found == [(frame.pts, frame.duration, frame.y.tobytes()) for frame in file.code_frames()]
            assert live.notes == file.notes
            assert len(live.notes) == (name == "restart.ts")


def test_a_pipe_becomes_a_live_folder(tmp_path, monkeypatch, capsys):
    """The command line reads a pipe in real time, and then a file; the folder can be read while it runs."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    data = clip_bytes(tmp_path, 3)
    pipe, growing = tmp_path / "pipe", []
    os.mkfifo(pipe)

    def feed_pipe() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(data)
            for _ in range(400):
                if (tmp_path / "out" / "master.m3u8").exists():
                    growing.append(len(m3u8.load(f"{tmp_path}/out/v0.m3u8").segments))
                    growing.append(m3u8.load(f"{tmp_path}/out/v0.m3u8").is_endlist)
                    return
                time.sleep(0.05)

    thread = threading.Thread(target=feed_pipe)
    thread.start()
    arguments = ["encode", pipe, "-o", f"{tmp_path}/out/", "--live", "--segment", "0.4", "--window", "2"]
    assert main([str(a) for a in [*arguments, "--then", tmp_path / "clip.bin", "--idle", "0.2"]]) == 0
    thread.join()
    assert growing[0] >= 1
    assert growing[1] is False
    assert "150 frames, ended" in capsys.readouterr().err
    assert check_presentation(f"{tmp_path}/out")[0] == []
    playlist = m3u8.load(f"{tmp_path}/out/v0.m3u8")
    assert playlist.is_endlist
    assert sum(s.duration for s in playlist.segments) == pytest.approx(2.2, abs=0.4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--live", "--ladder", "32x32"], "--ladder: not for a live folder"),
        (["--live", "--grain"], "--grain: not for a live folder"),
        (["--live", "--workers", "8"], "--workers: not for a live folder"),
        pytest.param(
            ["--live", "--device", "cuda"],
            "--device cuda",
            marks=pytest.mark.skipif(cuda.is_available(), reason="it is there"),
        ),
        (["--live", "--window", "0"], "--window 0"),
        (["--live", "--idle", "0"], "--idle 0"),
        (["--window", "3"], "only for --live"),
        (["--then", "x"], "only for --live"),
    ],
)
def test_live_options_that_make_no_sense(options, words, tmp_path, capsys):
    assert main(["encode", str(ROOT / "samples" / "bunny_180p25.mp4"), "-o", f"{tmp_path}/o/", *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
