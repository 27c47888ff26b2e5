"""Live publishing: what is on offer after every segment, and whole runs over files that grow and pipes."""

from __future__ import annotations

import io
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
from packaged import beeps, quick_segment
from torch import cuda

from gvideo import VideoDecoder
from gvideo.bitstream.container import format_sequence_unit
from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main
from gvideo.errors import MediaError, OptionError
from gvideo.media import VideoSource
from gvideo.media.reading.growing import GrowingFile, LiveSource
from packager.check import check_presentation
from packager.gsv import GsvFile, gsv_track
from packager.live import LivePublisher
from packager.live_sound import LiveSound
from packager.sink import LocalSink
from player.source.fetch import Fetcher
from player.source.stream import read_presentation

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
    live.begin(gsv_track(header, format_sequence_unit(header), 1, Fraction(25), lambda: iter(())))
    pieces = list(stream.pieces())
    from dataclasses import replace

    for n in range(10):
        p = pieces[0]
        live.add(replace(p, start=25600 * n, chunks=tuple(replace(c, start=25600 * n) for c in p.chunks)))
    text = (tmp_path / "manifest.mpd").read_text()
    assert 'startNumber="5"' in text
    assert 't="102400" r="5"' in text
    assert check_presentation(str(tmp_path))[0] == []


class FullSink(LocalSink):
    """A folder whose disk has room for so many files more."""

    room = 10**9

    def put(self, name, parts):
        if self.room == 0:
            raise MediaError(f"{name}: cannot be written (No space left on device)")
        self.room -= 1
        super().put(name, parts)


@pytest.mark.parametrize("room", range(6))
def test_a_segment_is_on_offer_whole_or_not_at_all(room, inputs, tmp_path):
    """Two rungs; the disk is full after so many files of the second segment, and has room again for the end."""
    sink = FullSink(tmp_path)
    live = LivePublisher(sink, STARTED, Fraction(2), None)
    stream = GsvFile(inputs["small"])
    pieces = list(stream.pieces())
    live.begin(stream.track(), stream.track())
    live.add(pieces[0], pieces[0])
    sink.room = room
    with pytest.raises(MediaError, match="No space left"):
        live.add(pieces[1], pieces[1])
    sink.room = 100
    live.end()
    counts = {len(m3u8.load(str(tmp_path / f"{name}.m3u8")).segments) for name in ("v0", "v1")}
    assert counts == ({1} if room < 2 else {2})
    assert len(list(tmp_path.rglob("*.m4s"))) == 2 * counts.pop()
    assert check_presentation(str(tmp_path))[0] == []


def test_nothing_is_published_where_not_even_the_first_segment_fits(inputs, tmp_path):
    sink = FullSink(tmp_path)
    live = LivePublisher(sink, STARTED, Fraction(2), None)
    stream = GsvFile(inputs["small"])
    live.begin(stream.track())
    sink.room = 0
    with pytest.raises(MediaError, match="No space left"):
        live.add(next(iter(stream.pieces())))
    sink.room = 100
    live.end()
    assert not list(tmp_path.glob("*.*"))


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
            lost = [note for note in live.notes if "left out: video stream(s)" in note]
            assert len(lost) == (name == "no_default.mkv")
            assert [note for note in live.notes if note not in lost] == list(file.notes)
            assert len(file.notes) == (name == "restart.ts")


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
    assert main([str(a) for a in [*arguments, "--then", tmp_path / "clip.bin", "--idle", "0.2", "--no-keep-up"]]) == 0
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
        (["--live", "--ladder", "32x32", "--size", "9x9"], "--size: the ladder says the sizes"),
        (["--live", "--single-file"], "--single-file: not for a live folder"),
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


# --- sound, rungs and text


def film(path: Path, seconds: float, *, late: float = 0.0, texts: bool = False, languages: int = 1) -> Path:
    """A clip of 32x24 as Matroska: pictures, beeps, cues. late: seconds by which sound is written behind the
    pictures of the same time."""
    with av.open(str(path), "w", format="matroska") as out:
        video = out.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 32, 24, "yuv420p"
        sounds = [out.add_stream("aac", rate=48000, layout="stereo") for _ in range(languages)]
        for sound, language in zip(sounds, ("eng", "ger"), strict=False):
            sound.metadata["language"] = language
        packets = []
        if texts:
            path.with_suffix(".srt").write_text(
                "1\n00:00:00,100 --> 00:00:00,700\none\n\n2\n00:00:00,900 --> 00:00:01,500\ntwo\n"
            )
            with av.open(str(path.with_suffix(".srt"))) as cues:
                text = out.add_stream_from_template(cues.streams[0])
                text.metadata["language"] = "eng"
                for packet in cues.demux(cues.streams[0]):
                    if packet.size:
                        packet.stream = text
                        packets.append((float(packet.pts * packet.time_base), packet))
        for k in range(round(25 * seconds)):
            picture = np.full((24, 32, 3), 40 + k, np.uint8)
            packets += [(float(p.pts * p.time_base), p) for p in video.encode(av.VideoFrame.from_ndarray(picture))]
        packets += [(float(p.pts * p.time_base), p) for p in video.encode(None)]
        for sound in sounds:
            for frame in [*beeps(seconds), None]:
                packets += [(late + float(p.pts * p.time_base), p) for p in sound.encode(frame)]
        for _, packet in sorted(packets, key=lambda p: p[0]):
            out.mux(packet)
    return path


def live(monkeypatch, folder: Path, source: Path, *options: object) -> Path:
    """The source as the command line publishes it, with fits that take no time."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    arguments = [
        "encode",
        source,
        "-o",
        f"{folder}/",
        "--live",
        "--segment",
        "0.4",
        "--idle",
        "0.1",
        "--no-keep-up",
        *options,
    ]
    assert main([str(a) for a in arguments]) == 0
    return folder


def heard(folder: Path, name: str) -> np.ndarray:
    """Loudness of every 10 ms of an audio playlist."""
    playlist = m3u8.load(str(folder / name))
    names = [playlist.segments[0].init_section.uri, *(s.uri for s in playlist.segments)]
    data = b"".join((folder / name).read_bytes() for name in names)
    with av.open(io.BytesIO(data)) as container:
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    return np.abs(samples[: len(samples) // 480 * 480].reshape(-1, 480)).max(1)


@pytest.mark.parametrize("late", [0.0, 0.9])
def test_sound_goes_with_the_picture(late, tmp_path, monkeypatch):
    """Beeps stand where the source has them, however its packets are interleaved, and segments go side by side."""
    folder = live(monkeypatch, tmp_path / "out", film(tmp_path / "clip.mkv", 2.4, late=late))
    assert check_presentation(str(folder))[0] == []
    pictures, sound = (m3u8.load(str(folder / name)) for name in ("v0.m3u8", "a0.m3u8"))
    assert len(pictures.segments) == len(sound.segments) == 6
    assert sound.is_endlist
    for a, b in zip(pictures.segments, sound.segments, strict=True):
        assert a.duration == pytest.approx(b.duration, abs=0.022)
        assert abs((a.program_date_time - b.program_date_time).total_seconds()) < 0.0125
    loud = heard(folder, "a0.m3u8") > 0.2
    assert len(loud) / 100 == pytest.approx(2.4, abs=0.025)
    for second in (0, 1):
        inside = loud[100 * second + 41 : 100 * second + 51]
        outside = loud[100 * second + 56 : 100 * second + 96]
        assert inside.all()
        assert not outside.any()
    text = (folder / "manifest.mpd").read_text()
    assert 'contentType="audio"' in text
    assert [len(VideoDecoder(folder / name)) for name in ("manifest.mpd", "master.m3u8")] == [60, 60]


def test_a_ladder_with_layers_fallback_sound_and_text(tmp_path, monkeypatch, capsys):
    source = film(tmp_path / "clip.mkv", 1.6, texts=True, languages=2)
    options = ["--ladder", "32x24:30,16x12:200k", "--layers", "3", "--fallback", "avc"]
    folder = live(monkeypatch, tmp_path / "out", source, *options)
    assert check_presentation(str(folder))[0] == []
    assert "left out" not in capsys.readouterr().err
    master = m3u8.load(str(folder / "master.m3u8"))
    names = ["v0_3", "v0_2", "v0_1", "v1_3", "v1_2", "v1_1", "f0"]
    assert [p.uri for p in master.playlists] == [f"{name}.m3u8" for name in names]
    cuts = {tuple(s.duration for s in m3u8.load(str(folder / p.uri)).segments) for p in master.playlists}
    assert cuts == {(0.4,) * 4}
    assert [(m.type, m.language, m.uri) for m in master.media] == [
        ("AUDIO", "en", "a0.m3u8"), ("AUDIO", "de", "a1.m3u8"), ("SUBTITLES", "en", "s0.m3u8"),
    ]  # fmt: skip
    cues = [(folder / s.uri).read_text() for s in m3u8.load(str(folder / "s0.m3u8")).segments]
    assert [("one" in c, "two" in c) for c in cues] == [(True, False), (True, False), (False, True), (False, True)]
    assert "00:00:00.900 --> 00:00:01.500\ntwo" in cues[2]
    text = (folder / "manifest.mpd").read_text()
    assert text.count("<AdaptationSet ") == 5
    assert 'mimeType="text/vtt"' in text
    for manifest in ("master.m3u8", "manifest.mpd"):
        levels = [len(t.levels) for t in read_presentation(str(folder / manifest), Fetcher())[0].tracks
                  if t.kind == "video"]  # fmt: skip
        assert levels == [3, 3]


def test_inputs_have_the_sound_of_the_first(tmp_path, monkeypatch, capsys):
    """An input without sound is silent; one with more than the first says what is left out."""
    sounding, two = film(tmp_path / "one.mkv", 0.8), film(tmp_path / "two.mkv", 0.8, languages=2)
    mute = tmp_path / "mute.mkv"
    mute.write_bytes(clip_bytes(tmp_path, 0.8, "matroska"))
    folder = live(monkeypatch, tmp_path / "out", sounding, "--then", mute, "--then", two)
    said = capsys.readouterr().err
    assert f"{mute}: has 0 sound track(s), the first input 1; silence in the place of the others" in said
    assert f"{two}: 1 of its 2 sound track(s) are left out; the first input has 1" in said
    sound = m3u8.load(str(folder / "a0.m3u8"))
    joints = [s.discontinuity for s in sound.segments]
    assert sum(joints) == 2
    assert joints == [s.discontinuity for s in m3u8.load(str(folder / "v0.m3u8")).segments]
    assert check_presentation(str(folder))[0] == []


def test_what_cannot_be_carried_is_said(tmp_path, monkeypatch, capsys):
    with av.open(str(tmp_path / "clip.mkv"), "w", format="matroska") as out:
        for _ in range(2):
            stream = out.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for stream in out.streams.video:
            for _ in range(5):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
            out.mux(stream.encode(None))
    live(monkeypatch, tmp_path / "out", tmp_path / "clip.mkv")
    assert "stream 0 is shown; left out: video stream(s) 1 (32x32)" in capsys.readouterr().err


def test_silence_stands_for_what_does_not_come():
    sound = LiveSound(48000, 2, "eng", "")
    frames = beeps(1.0)
    for frame in [f for f in frames if not 9600 <= f.pts < 19200]:  # a gap of 0.2 s
        sound.take(frame, Fraction(frame.pts, 48000))
    sound.take(frames[0], Fraction(0))  # an overlap, and a clock that starts anew
    assert sound.reached == 1
    pieces = [sound.cut(Fraction(n, 2)) for n in (1, 2, 3, 3)]
    assert [p.start for p in pieces] == [0, 23 * 1024, 47 * 1024, 70 * 1024]
    assert [len(p.chunks[0].samples) for p in pieces] == [23, 24, 23, 1]
    assert sound.reached > Fraction(3, 2)
