"""A folder as the command line makes it: whole, consistent, and refused in one line where the input does not fit."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np
import pytest
from packaged import package, quick_segment, write_clip, write_stream
from PIL import Image
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream import units
from gvideo.cli import main
from gvideo.encoder.segment import SegmentJob, SegmentResult
from gvideo.media import VideoSource
from packager.check import check_presentation
from packager.gsv import GsvFile
from packager.isobmff.box import find_all, parse_boxes
from packager.isobmff.entries import GaussianConfiguration
from packager.isobmff.fragments import MediaData
from packager.package import open_rungs
from packager.sink import LocalSink, open_sink

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.mark.parametrize("which", ["published", "published_single"])
def test_a_published_folder_keeps_all_rules(which, request):
    faults, summary = check_presentation(str(request.getfixturevalue(which)))
    assert faults == []
    assert int(summary.split()[0]) >= 20


@pytest.mark.parametrize("which", ["published", "published_single"])
def test_samples_put_together_are_the_stream_again(which, request, inputs):
    """The unit in gsvC and the samples of k tracks, segment by segment, are a .gsv that decodes like its k layers."""
    folder = request.getfixturevalue(which)
    for layer in (1, 2, 3):
        playlist = m3u8.load(str(folder / f"v0_{layer}.m3u8"))
        data = units.SIGNATURE
        for n, segment in enumerate(playlist.segments):
            if n == 0:
                init = parse_boxes(moov_of((folder / segment.init_section.uri).read_bytes()))
                data += find_all(init, GaussianConfiguration)[0].sequence_unit
            size, _, offset = segment.byterange.partition("@")
            part = (folder / segment.uri).read_bytes()[int(offset) : int(offset) + int(size)]
            data += b"".join(m.data for m in find_all(parse_boxes(part), MediaData))
        again, original = VideoDecoder(data), VideoDecoder(inputs["layered"], layers=layer)
        assert list(again.pts) == list(original.pts)
        np.testing.assert_array_equal(again[48:53], original[48:53])


def moov_of(data: bytes) -> bytes:
    """The file up to the end of its second box, moov."""
    ftyp = int.from_bytes(data[:4], "big")
    return data[: ftyp + int.from_bytes(data[ftyp : ftyp + 4], "big")]


def test_pyav_plays_the_playlists(published):
    """FFmpeg's HLS client finds pictures and sound in the fallback's playlist, and gsv1 packets with exact times."""
    with av.open(str(published / "f0.m3u8")) as file:
        frames = [f.pts * f.time_base for f in file.decode(video=0)]
    assert frames == [Fraction(k, 25) for k in range(150)]
    with av.open(str(published / "v1.m3u8")) as file:
        packets = [p for p in file.demux() if p.size]
    assert [(p.pts, p.duration, p.is_keyframe) for p in packets] == [(25600 * k, 25600, True) for k in range(3)]
    with av.open(str(published / "a0.m3u8")) as file:
        sound = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    onset = int(np.argmax(np.abs(sound) > 0.2)) / 48000
    assert onset == pytest.approx(0.4, abs=0.002)


def test_the_fallback_has_key_frames_at_the_cuts_and_nowhere_else(published):
    with av.open(str(published / "f0.m3u8")) as file:
        keys = [p.pts * p.time_base for p in file.demux(video=0) if p.is_keyframe]
    assert keys == [0, 2, 4]


def test_sound_and_subtitles_of_the_source(published):
    master = m3u8.load(str(published / "master.m3u8"))
    assert [(m.type, m.language, m.name) for m in master.media] == [
        ("AUDIO", "en", "English"), ("AUDIO", "de", "Deutsch"),
        ("SUBTITLES", "en", "English"), ("SUBTITLES", "de", "Deutsch"),
    ]  # fmt: skip
    texts = [(published / "s0" / f"seg_{n}.vtt").read_text() for n in (1, 2, 3)]
    assert ["over <i>the</i> cut" in t for t in texts] == [True, True, False]
    assert "00:00:01.500 --> 00:00:02.500 line:0" in texts[0]
    assert "::cue { color: lime }" in texts[0]
    german = (published / "s1" / "all.vtt").read_text()
    assert german == "WEBVTT\n\n00:00:00.100 --> 00:00:00.900\nGuten\nTag\n\n00:00:05.000 --> 00:00:09.000\nEnde\n"


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_pictures(published):
    assert size_of(published / "poster.jpg") == (64, 48)
    assert size_of(published / "thumbnails.jpg") == (6 * 64, 48)
    cues = (published / "thumbnails.vtt").read_text()
    assert cues.count("thumbnails.jpg#xywh=") == 6
    assert "00:00:05.000 --> 00:00:06.000\nthumbnails.jpg#xywh=320,0,64,48" in cues


def test_packaging_again_writes_no_media_anew(inputs, tmp_path):
    folder = package(inputs, tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("seg_*.m4s")}
    names = sorted(p.relative_to(folder) for p in folder.rglob("*"))
    package(inputs, folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("seg_*.m4s")} == before
    assert sorted(p.relative_to(folder) for p in folder.rglob("*")) == names


@pytest.mark.parametrize("name", ["units_other", "index", "gaps", "durations", "layers_absent", "varints"])
def test_other_units_and_times_of_conformance_streams(tmp_path, name):
    """What stands between a stream's segments is left out; frames and their times are the file's."""
    source = Path(__file__).parents[1] / "conformance" / "streams" / f"{name}.gsv"
    assert main(["package", str(source), "-o", str(tmp_path / "out")]) == 0
    with VideoDecoder(source) as one, VideoDecoder(tmp_path / "out") as other:
        np.testing.assert_array_equal(other[:], one[:])
        np.testing.assert_array_equal(other.pts - other.pts[0], one.pts - one.pts[0])


def test_one_file_with_picture_sound_and_subtitles(inputs, tmp_path, capsys):
    out = tmp_path / "film.mp4"
    assert run("package", inputs["layered"], "-o", out, "--source", inputs["clip"], "--subtitles", inputs["vtt"]) == 0
    assert "6.000 s, 2 audio and 1 subtitle track(s)" in capsys.readouterr().err
    with av.open(str(out)) as file:
        assert [s.type for s in file.streams] == ["video"] * 3 + ["audio"] * 2 + ["subtitle"]
        assert [s.metadata.get("language") for s in file.streams.audio] == ["eng", "deu"]
        packets = [p for p in file.demux() if p.size]
    layers = [[bytes(p) for p in packets if p.stream_index == k] for k in range(3)]
    stream = GsvFile(inputs["layered"])
    assert [list(x) for x in zip(*layers, strict=True)] == [stream.read(s) for s in stream.segments]
    assert [p.pts for p in packets if p.stream_index == 0] == [0, 25600, 51200]
    words = [(p.pts, p.duration, bytes(p)[2:].decode()) for p in packets if p.stream_index == 5 and len(bytes(p)) > 2]
    assert words == [(1500, 500, "over the cut"), (2000, 500, "over the cut")]
    with av.open(str(out)) as file:
        sound = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    assert len(sound) / 48000 == pytest.approx(6, abs=0.03)
    assert int(np.argmax(np.abs(sound) > 0.2)) / 48000 == pytest.approx(0.4, abs=0.002)
    boxes = parse_boxes(out.read_bytes())
    assert [b.kind for b in boxes[:4]] == ["ftyp", "moov", "sidx", "moof"]
    assert sum(r.num_bytes for r in boxes[2].references) == sum(b.size for b in boxes[3:])


def test_streams_of_another_start_and_of_odd_times(tmp_path):
    """A stream that starts at 7.3 s, with frames of unequal duration and a rotation, is at zero in the folder."""
    from gvideo.bitstream.headers import SequenceHeader

    header = SequenceHeader(48, 32, 30000, 1001, start=219000, rotation=90, sample_aspect=Fraction(4, 3))
    made = make_stream(sequence=header, num_segments=3, durations=(1001, 2002, 1001, 1001, 500, 501))
    (tmp_path / "s.gsv").write_bytes(made.data)
    assert run("package", tmp_path / "s.gsv", "-o", tmp_path / "out", "--fallback", "avc", "--thumbnails") == 0
    assert check_presentation(str(tmp_path / "out"))[0] == []
    with av.open(str(tmp_path / "out" / "v0.m3u8")) as file:
        assert [p.pts for p in file.demux() if p.size] == [0, 6006, 12012]
    with av.open(str(tmp_path / "out" / "f0.m3u8")) as file:
        assert [p.pts for p in file.demux() if p.size][:7] == [0, 1001, 3003, 4004, 5005, 5505, 6006]
    assert "RESOLUTION=32x64" in (tmp_path / "out" / "master.m3u8").read_text()
    assert size_of(tmp_path / "out" / "poster.jpg") == (32, 64)


# --- bad input


def broken(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_bad_input_is_one_line(inputs, tmp_path, capsys):
    whole = inputs["layered"].read_bytes()
    longer = write_stream(tmp_path / "longer.gsv", num_segments=4)
    other = write_stream(tmp_path / "other.gsv", num_frames=40)
    silent = write_clip(tmp_path / "silent.mp4", 1, audio=())
    damaged = bytearray(inputs["clip"].read_bytes())
    damaged[100:] = bytes(len(damaged) - 100)
    sound = broken(tmp_path / "x.mp4", bytes(damaged))
    empty, latin = broken(tmp_path / "e.vtt", b"WEBVTT\n"), broken(tmp_path / "l.srt", b"\xff\xfe\0")
    cases = {
        "segment 1 ends at 1.600 s, that of": [inputs["layered"], other, "-o", tmp_path / "o"],
        "4 segments": [inputs["layered"], longer, "-o", tmp_path / "o"],
        "byte(s) missing": [broken(tmp_path / "cut.gsv", whole[:-20]), "-o", tmp_path / "o"],
        "checksum differs": [broken(tmp_path / "bad.gsv", whole[:30] + b"?" + whole[31:]), "-o", tmp_path / "o"],
        "not a gvideo stream": [inputs["clip"], "-o", tmp_path / "o"],
        "no such": [tmp_path / "absent.gsv", "-o", tmp_path / "o"],
        "holds no audio": [inputs["small"], "-o", tmp_path / "o", "--audio", silent],
        "cannot be read as audio": [inputs["small"], "-o", tmp_path / "o", "--audio", sound],
        "WebVTT or SRT wanted": [inputs["small"], "-o", tmp_path / "o", "--subtitles", empty],
        "UTF-8": [inputs["small"], "-o", tmp_path / "o", "--subtitles", latin],
        "one stream wanted": [inputs["layered"], inputs["small"], "-o", tmp_path / "o.mp4"],
        "not for an .mp4 file": [inputs["small"], "-o", tmp_path / "o.mp4", "--fallback", "avc"],
        "no such folder": ["--check", tmp_path / "nowhere"],
        "streams and --output wanted": [inputs["small"]],
        "s3://, gs:// or az://": [inputs["small"], "-o", "ftp://host/folder"],
    }  # fmt: skip
    for words, arguments in cases.items():
        assert run("package", *arguments) == 2, words
        err = capsys.readouterr().err
        assert words.lower() in err.lower(), (words, err)
        assert err.count("\n") == 1, err
        assert not (tmp_path / "o" / "master.m3u8").exists()
        assert not (tmp_path / "o.mp4").exists()


def test_a_full_disk_leaves_no_manifest(inputs, tmp_path, monkeypatch, capsys):
    count = 0
    put = LocalSink.put

    def full(self: LocalSink, name: str, parts: object) -> None:
        nonlocal count
        count += 1

        def failing():
            yield b"some"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        put(self, name, failing() if count == 9 else parts)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalSink, "put", full)
    assert run("package", inputs["layered"], inputs["small"], "-o", tmp_path / "o") == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    left = [p.name for p in (tmp_path / "o").rglob("*") if p.is_file()]
    assert len(left) == 8
    assert not [n for n in left if n.endswith((".m3u8", ".mpd", ".partial"))]
    monkeypatch.undo()
    assert run("package", inputs["layered"], inputs["small"], "-o", tmp_path / "o") == 0
    assert check_presentation(str(tmp_path / "o"))[0] == []


def test_an_interrupted_run_leaves_the_old_publication(inputs, tmp_path):
    """Killed while media are written, the folder still shows the old presentation; the next run finishes the new."""
    folder = tmp_path / "out"
    assert run("package", inputs["small"], "-o", folder) == 0
    old = {p.name: p.read_bytes() for p in folder.glob("*.m3u8")}
    command = [sys.executable, "-m", "gvideo", "package", inputs["layered"], "-o", folder, "--fallback", "avc"]
    child = subprocess.Popen([str(c) for c in command], cwd=ROOT, stderr=subprocess.DEVNULL)
    while child.poll() is None and not list(folder.glob("f0-*")) and not list(folder.glob("v0-*/seg_3.m4s"))[1:]:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    if (folder / "master.m3u8").read_bytes() == old["master.m3u8"]:
        assert check_presentation(str(folder))[0] == []
    assert run("package", inputs["layered"], "-o", folder, "--fallback", "avc") == 0
    assert check_presentation(str(folder))[0] == []


def test_rungs_must_be_cut_alike_to_the_tick(tmp_path):
    a, b = write_stream(tmp_path / "a.gsv"), write_stream(tmp_path / "b.gsv", seed=3)
    assert [r.cuts for r in open_rungs([a, b])] == [(2, 4, 6)] * 2


# --- sinks


def test_an_object_store_holds_the_same_files(bucket, inputs, tmp_path):
    assert run("package", inputs["layered"], inputs["small"], "-o", "s3://films/a/b") == 0
    assert run("package", inputs["layered"], inputs["small"], "-o", tmp_path / "o") == 0
    local, remote = LocalSink(tmp_path / "o"), open_sink("s3://films/a/b")
    names = sorted(local.list())
    assert sorted(remote.list()) == names
    for name in names:
        size = (tmp_path / "o" / name).stat().st_size
        assert remote.get_range(name, 0, size) == (tmp_path / "o" / name).read_bytes()
    head = bucket.head_object(Bucket="films", Key="a/b/master.m3u8")
    assert (head["ContentType"], head["CacheControl"]) == ("application/vnd.apple.mpegurl", "public, max-age=2")
    segment = next(n for n in names if n.endswith("seg_1.m4s"))
    head = bucket.head_object(Bucket="films", Key=f"a/b/{segment}")
    assert (head["ContentType"], head["CacheControl"]) == ("video/iso.segment", "public, max-age=31536000, immutable")
    remote.delete(segment)
    assert not remote.exists(segment)
    assert remote.exists("master.m3u8")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "a/./b", "x\0"])
def test_names_stay_in_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="no name inside"):
        LocalSink(tmp_path).put(name, [b""])


def test_a_refusing_store_is_one_line(bucket, inputs, capsys):
    assert run("package", inputs["small"], "-o", "s3://absent/x") == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- encode to a folder


def test_encode_makes_a_ladder_that_is_cut_alike(tmp_path, capsys, monkeypatch):
    """A real clip with its sound; only the fit is left out. The second rung takes the cuts of the first."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    clip = ROOT / "samples" / "bunny_180p25.mp4"
    arguments = ["encode", clip, "-o", f"{tmp_path}/out/", "--ladder", "64x36:40,32x18:44", "--workers", "1"]
    assert run(*arguments, "--frames", "10:60", "--segment", "1", "--fallback", "avc", "--thumbnails") == 0
    err = capsys.readouterr().err
    assert "v0: gsv1.00.10.08, 64x36" in err
    assert "v1: gsv1.00.10.08, 32x18" in err
    assert check_presentation(f"{tmp_path}/out")[0] == []
    assert not (tmp_path / ".out.rungs").exists()
    cuts = [[s.duration for s in m3u8.load(f"{tmp_path}/out/{n}.m3u8").segments] for n in ("v0", "v1", "f0")]
    assert cuts[0] == cuts[1] == cuts[2]
    assert sum(cuts[0]) == 2
    assert len(cuts[0]) >= 2
    with av.open(f"{tmp_path}/out/f0.m3u8") as file, VideoSource(clip, size=(64, 36), first=10, last=59) as source:
        shown = [f.to_ndarray(format="gray8").astype(float) for f in file.decode(video=0)]
        frames = [f.y.astype(float) for f in source.code_frames()]
    assert len(shown) == len(frames) == 50
    assert max(np.abs(a - b).mean() for a, b in zip(shown, frames, strict=True)) < 12  # the source's own pictures


def test_an_interrupted_ladder_goes_on_with_the_next_rung(tmp_path, monkeypatch):
    sizes = []

    def fit(job: SegmentJob, report: object = None) -> SegmentResult:
        sizes.append(job.format.width)
        if job.format.width == 32 and sizes.count(32) == 2:
            raise KeyboardInterrupt
        return quick_segment(job)

    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", fit)
    clip = ROOT / "samples" / "bunny_180p25.mp4"
    arguments = ["encode", clip, "-o", tmp_path / "out", "--ladder", "64x36,32x18", "--workers", "1"]
    arguments += ["--frames", "0:50", "--segment", "1"]
    assert run(*arguments) == 130
    assert not (tmp_path / "out").exists()
    first = sizes.count(64)
    assert run(*arguments) == 0
    assert sizes.count(64) == first
    assert check_presentation(str(tmp_path / "out"))[0] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "o/", "--ladder", "64y36"], "WIDTHxHEIGHT[:CRF or :BITRATE]"),
        (["-o", "o/", "--ladder", "64x36,64x36"], "twice"),
        (["-o", "o.gsv", "--ladder", "64x36"], "--ladder"),
        (["-o", "o.gsv", "--fallback", "avc"], "--fallback"),
        (["-o", "o.mp4", "--ladder", "64x36"], "not for an .mp4 file"),
        (["-o", "o/", "--ladder", "64x36", "--size", "64x36"], "--size"),
        (["-o", "o.mkv"], ".gsv or .mp4"),
        (["-o", "ftp://b/x"], "a local name, s3://"),
    ],
)
def test_encode_refuses_what_makes_no_sense(options, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("encode", ROOT / "samples" / "bunny_180p25.mp4", *options) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from gvideo.cli import main\n"
        "try: main(['package', '--help'])\nexcept SystemExit: pass\n"
        "import json; heavy = ('torch', 'numba', 'av', 'starlette', 'numpy')\n"
        "print(json.dumps([m for m in heavy if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout.splitlines()[-1]) == ["numpy"]
