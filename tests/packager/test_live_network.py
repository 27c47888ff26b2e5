"""Live sources that come over a network, stall, change or die."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np
import pytest
from packaged import free_port, quick_segment, write_clip

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.commands.encoding import live
from gvideo.commands.encoding.live_inputs import connections
from gvideo.errors import MediaError
from gvideo.media import VideoSource
from gvideo.media.reading import growing
from gvideo.media.reading.growing import LiveSource
from gvideo.media.reading.network import shown_name
from gvideo.media.reading.packets import PacketReader
from packager.check import check_presentation

FFMPEG = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    monkeypatch.setattr(live, "SILENCE_SECONDS", 4.0)


@pytest.fixture
def send() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Sends a clip in real time; what a failing test leaves running is killed."""
    children = []

    def sent(clip: Path, *where: str) -> subprocess.Popen[bytes]:
        command = [FFMPEG, "-v", "error", "-re", "-i", str(clip), "-c", "copy", *where]
        children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return children[-1]

    yield sent
    for child in children:
        child.kill()
        child.wait()


def publish(source: object, folder: Path, *options: object) -> None:
    arguments = ["encode", source, "-o", f"{folder}/", "--live", "--segment", "0.4", "--no-keep-up", *options]
    assert main([str(a) for a in arguments]) == 0


def discontinuities(folder: Path) -> int:
    return sum(s.discontinuity for s in m3u8.load(f"{folder}/v0.m3u8").segments)


@pytest.mark.parametrize("kind", ["tcp", "rtmp"])
def test_a_connection_that_is_lost_is_made_again(kind, quick, tmp_path, capfd, send):
    """The sender ends, comes again, and goes for good: two parts, each said."""
    clip, port = write_clip(tmp_path / "clip.mkv", 2), free_port()
    if kind == "tcp":
        url, where = f"tcp://127.0.0.1:{port}", ("-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1")
    else:
        url = f"rtmp://127.0.0.1:{port}/live/x"
        where = ("-f", "flv", "-listen", "1", url)

    def send_twice() -> None:
        for _ in range(2):
            send(clip, *where).wait()

    sender = threading.Thread(target=send_twice)
    sender.start()
    end = time.monotonic() + 30
    while True:  # until it listens; a try would be taken for the reader
        if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text():
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    publish(url, tmp_path / "out", "--give-up", "4")
    sender.join()
    said = capfd.readouterr().err
    assert said.count("tries again for 4 s") == 2
    assert said.count("is there again") == 1
    assert "has been gone for 4 s; ended" in said
    assert discontinuities(tmp_path / "out") == 1
    assert check_presentation(f"{tmp_path}/out")[0] == []
    assert len(VideoDecoder(tmp_path / "out" / "manifest.mpd")) >= 90
    times = [s.program_date_time for s in m3u8.load(f"{tmp_path}/out/v0.m3u8").segments]
    assert times == sorted(times)


def test_datagrams_that_stop(quick, tmp_path, capfd, send):
    """Nobody says that UDP has ended: after some seconds of silence it is lost, and given up."""
    clip, port = write_clip(tmp_path / "clip.mkv", 3), free_port()
    child = send(clip, "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
    publish(f"udp://127.0.0.1:{port}", tmp_path / "out", "--give-up", "1")
    child.wait()
    assert "nothing came any more; tries again for 1 s" in capfd.readouterr().err
    assert m3u8.load(f"{tmp_path}/out/v0.m3u8").is_endlist
    assert check_presentation(f"{tmp_path}/out")[0] == []


def test_a_whole_file_over_http_ends(quick, tmp_path, capfd):
    from faults import serving

    folder = tmp_path / "files"
    folder.mkdir()
    write_clip(folder / "clip.mkv", 1)
    with serving(folder) as served:
        publish(f"{served.url}/clip.mkv", tmp_path / "out")
    assert "tries again" not in capfd.readouterr().err
    assert len(VideoDecoder(tmp_path / "out")) == 25


def test_sources_that_are_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live, "SILENCE_SECONDS", 1.0)
    for url, words in (
        (f"tcp://user:secret@127.0.0.1:{free_port()}", "cannot be opened (Connection refused)"),
        (f"udp://127.0.0.1:{free_port()}", "nothing came within 1 s"),
    ):
        assert main(["encode", url, "-o", f"{tmp_path}/o/", "--live"]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
        assert "secret" not in said
        assert not (tmp_path / "o").exists()
    assert main(["encode", "srt://127.0.0.1:9", "-o", f"{tmp_path}/o.gsv"]) == 2
    assert "give --live" in capsys.readouterr().err
    assert shown_name("rtsp://me:word@host/cam") == "rtsp://host/cam"


def test_tries_are_further_and_further_apart():
    """With a clock of its own: how often, and until when."""

    class Source:
        is_network, is_whole, failure, name = True, False, MediaError("x: gone"), "x"

    now, opened, said = [0.0], [], []

    def connect() -> Source:
        opened.append(now[0])
        if len(opened) in (1, 4):
            return Source()
        raise MediaError("x: not there")

    def wait(seconds: float) -> None:
        now[0] += seconds

    connect_: Callable[[], LiveSource] = connect  # type: ignore[assignment]
    assert len(list(connections(connect_, 20, said.append, lambda: now[0], wait))) == 2
    assert opened == [0, 0.5, 1.5, 3.5, 4, 5, 7, 11, 19, 23.5]
    assert said == [
        "gone; tries again for 20 s", "is there again after 4 s; goes on behind a discontinuity",
        "gone; tries again for 20 s", "has been gone for 20 s; ended",
    ]  # fmt: skip


# --- stalls and changes


def transport_stream(path: Path, sizes: tuple[tuple[int, int, int], ...], start: float = 0.0) -> bytes:
    """Pictures of some sizes and rates, a second of each: (width, height, rate), one behind the other."""
    joined, at, noise = b"", start, np.random.default_rng(0)
    for width, height, rate in sizes:
        with av.open(str(path), "w", format="mpegts", options={"mpegts_flags": "resend_headers"}) as out:
            stream = out.add_stream("mpeg2video", rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for k in range(rate):
                frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (height, width, 3), np.uint8))
                frame.pts, frame.time_base = round(at * rate) + k, Fraction(1, rate)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        joined, at = joined + path.read_bytes(), at + 1
    return joined


def test_a_pipe_that_stalls_goes_on_behind_a_discontinuity(quick, tmp_path, monkeypatch, capsys):
    """What was there is published while nothing comes; what comes later has the time of day; silence is the end."""
    monkeypatch.setattr(growing, "STALL_SECONDS", 1.0)
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    first, second = (transport_stream(tmp_path / "x.ts", ((160, 120, 25),), at) for at in (0.0, 1.0))
    seen: list[float] = []

    def feed() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(first)
            end = time.monotonic() + 40
            while time.monotonic() < end:
                playlist = out / "v0.m3u8"
                if playlist.exists() and sum(s.duration for s in m3u8.load(str(playlist)).segments) > 0.8:
                    seen.append(sum(s.duration for s in m3u8.load(str(playlist)).segments))
                    break
                time.sleep(0.05)
            file.write(second)
            thread_may_end.wait(60)

    thread_may_end = threading.Event()
    thread = threading.Thread(target=feed)
    thread.start()
    publish(pipe, out, "--give-up", "3")
    thread_may_end.set()
    thread.join()
    said = capsys.readouterr().err
    assert seen  # before anything else came
    assert re.search(r"pipe: nothing comes; waits\n.*goes on behind a discontinuity", said)
    playlist = m3u8.load(f"{out}/v0.m3u8")
    assert discontinuities(out) == 1
    assert playlist.is_endlist
    assert check_presentation(str(out))[0] == []
    (join,) = (n for n, s in enumerate(playlist.segments) if s.discontinuity)
    before, after = playlist.segments[join - 1], playlist.segments[join]
    gap = (after.program_date_time - before.program_date_time).total_seconds() - before.duration
    assert gap > 0  # how much of the stall shows depends on how late the encoder was


def written_in_two(pipe: Path, parts: tuple[bytes, bytes], go_on: threading.Event) -> threading.Thread:
    """Writes something, waits, writes the rest and holds the pipe open for a moment."""

    def feed() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(parts[0])
            go_on.wait(60)
            file.write(parts[1])
            time.sleep(0.5)

    os.mkfifo(pipe)
    thread = threading.Thread(target=feed)
    thread.start()
    return thread


@pytest.mark.parametrize("later_s", [2.0, 30.0])
def test_what_waits_is_left_out(later_s, tmp_path):
    """Pictures that were not taken are gone, however long their time; those behind them are whole, and where they are
    in the file."""
    pipe, more = tmp_path / "pipe", threading.Event()
    parts = [transport_stream(tmp_path / "x.ts", ((160, 120, 25),) * 2, at) for at in (0.0, later_s)]
    (tmp_path / "whole.ts").write_bytes(b"".join(parts))
    with VideoSource(tmp_path / "whole.ts") as source:
        wanted = [(frame.pts, frame.y.tobytes()) for frame in source.code_frames()]
    assert len(wanted) == 100
    thread = written_in_two(pipe, (parts[0], parts[1]), more)
    with LiveSource(pipe) as source:
        taken = [next(source.code_frames())]
        end = time.monotonic() + 20
        while len(source._frames._packets._queue) < 45 and time.monotonic() < end:
            time.sleep(0.02)
        assert not source.all_read
        source.leave_out()
        threading.Timer(0.3, more.set).start()
        assert source.go_on()
        taken += source.code_frames()
        assert source.all_read
    thread.join()
    assert 50 <= len(taken) - 1 < 57  # what the decoder and the demultiplexer held when nothing more had come
    assert [(frame.pts, frame.y.tobytes()) for frame in taken[1:]] == wanted[1 - len(taken) :]


def test_an_encoder_that_is_too_late_goes_on_at_the_present(tmp_path, monkeypatch, capsys):
    """A fit that takes long: what came meanwhile is left out, which is said, and what comes then is shown."""
    pipe, out, more = tmp_path / "pipe", tmp_path / "out", threading.Event()
    fitted: list[object] = []

    def fit(job, report=None):
        fitted.append(job)
        if len(fitted) == 2:  # the first tells nothing
            time.sleep(3)
        return quick_segment(job)

    def go_on(source):
        threading.Timer(0.3, more.set).start()
        return goes_on(source)

    goes_on = LiveSource.go_on
    monkeypatch.setattr(LiveSource, "go_on", go_on)
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", fit)
    parts = [transport_stream(tmp_path / "x.ts", ((160, 120, 25),) * 4, at) for at in (0.0, 4.0)]
    thread = written_in_two(pipe, (parts[0], parts[1]), more)
    assert main(["encode", str(pipe), "-o", f"{out}/", "--live", "--segment", "0.4", "--max-lag", "1"]) == 0
    thread.join()
    said = capsys.readouterr().err
    assert re.search(r"pipe: \d+ s behind; leaves out what waits, goes on behind a discontinuity", said)
    playlist = m3u8.load(f"{out}/v0.m3u8")
    assert discontinuities(out) >= 1
    assert playlist.is_endlist
    assert sum(s.duration for s in playlist.segments) < 7
    assert check_presentation(str(out))[0] == []


def test_a_size_and_a_rate_that_change(quick, tmp_path, capsys):
    """Pictures are brought to the first size, which is said; frames keep their times."""
    (tmp_path / "in.ts").write_bytes(transport_stream(tmp_path / "x.ts", ((64, 48, 25), (32, 24, 25), (64, 48, 25))))
    publish(tmp_path / "in.ts", tmp_path / "out", "--idle", "0.2")
    said = capsys.readouterr().err
    assert re.search(r"pictures are 32x24 from \d\.\d+ s on, scaled to the 64x48 of the first", said)
    with VideoSource(tmp_path / "in.ts") as source:
        wanted = [frame.pts for frame in source.code_frames()]
    assert len(wanted) > 70
    found = VideoDecoder(tmp_path / "out").pts
    np.testing.assert_array_equal(found - found[0], np.array(wanted) - wanted[0])
    assert check_presentation(f"{tmp_path}/out")[0] == []


def test_a_writer_is_not_held_up(tmp_path):
    """A pipe is emptied while nobody takes frames, up to a bound."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = transport_stream(tmp_path / "x.ts", ((320, 240, 25),) * 3)
    assert len(data) > 3 * 65536  # more than a pipe holds
    written = threading.Event()

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(data)
        written.set()

    threading.Thread(target=write, daemon=True).start()
    with LiveSource(pipe) as source:
        assert written.wait(20)
        assert len(list(source.code_frames())) == 75


def test_what_is_read_ahead_is_bounded():
    class Packet:
        size = 10

    made: list[int] = []

    def packets():
        for n in range(100):
            made.append(n)
            yield Packet()

    reader = PacketReader(packets(), most_bytes=50)
    time.sleep(0.3)
    assert 5 <= len(made) <= 7
    assert sum(1 for _ in iter(reader.get, None)) == 100
    assert reader.close()
