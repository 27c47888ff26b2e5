"""The command line as users meet it: what comes out, and one line for everything that can be wrong with the input."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream.headers import Grain, SequenceHeader
from gvideo.cli import COMMANDS, main
from gvideo.media import VideoSource
from gvideo.media.timing import frame_rate_of

MADE = make_stream(num_segments=3, num_frames=6, num_layers=2)
NTSC = SequenceHeader(
    48, 32, 30000, 1001, chroma_format="422", bit_depth=10, primaries=9, transfer=16, matrix=9, full_range=True,
    sample_aspect=Fraction(4, 3), rotation=90,
)  # fmt: skip


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "in.gsv"
    path.write_bytes(MADE.data)
    return path


def run(*arguments: object) -> int:
    try:
        return main([str(a) for a in arguments])
    except SystemExit as leaving:  # argparse
        return int(leaving.code or 0)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help(arguments, capsys):
    assert run(*arguments) == 0
    assert "gvideo" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["encode"], ["encode", "a", "-o", "b.gsv", "--preset", "x"]])
def test_usage(arguments, capsys):
    assert run(*arguments) == 2
    assert "usage: gvideo" in capsys.readouterr().err


def test_the_callers_signals_stay(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["info", "nothing.gsv"]) == 2
    assert signal.getsignal(signal.SIGTERM) == before


def test_help_and_errors_load_nothing_heavy():
    code = (
        "import sys; from gvideo.cli import main\n"
        "try: main(['encode', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numba', 'cv2', 'av', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- decode


@pytest.mark.parametrize("suffix", [".y4m", ".mkv", ".mp4", ".npy"])
def test_decode_to_files(stream, tmp_path, suffix, capsys):
    out = tmp_path / f"out{suffix}"
    assert run("decode", stream, "-o", out) == 0
    assert capsys.readouterr().err == f"{out}: 18 frames of 48x32, 0.720 s\n"
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(out), VideoDecoder(stream)[:])
        return
    with VideoSource(out) as source:
        frames = list(source.code_frames())
    assert len(frames) == 18
    assert [Fraction(f.pts, source.format.timescale) for f in frames] == [Fraction(k, 25) for k in range(18)]


def test_decode_to_pictures(stream, tmp_path):
    assert run("decode", stream, "-o", tmp_path / "p_%03d.png", "--frames", "5:8") == 0
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["p_000.png", "p_001.png", "p_002.png"]
    assert run("decode", stream, "-o", tmp_path / "one.png", "--frames", "-1:") == 0
    assert run("decode", stream, "-o", tmp_path / "many.png") == 2
    assert not (tmp_path / "many.png").exists()


@pytest.mark.parametrize("text", ["3:9", ":4", "15:", "-2:", ":99"])
def test_decode_frames(stream, tmp_path, text):
    assert run("decode", stream, "-o", tmp_path / "o.npy", "--frames", text) == 0
    first, stop = (int(part) if part else None for part in text.split(":"))
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), VideoDecoder(stream)[first:stop])


def test_decode_layers_and_size(stream, tmp_path):
    assert run("decode", stream, "-o", tmp_path / "o.npy", "--layers", 1, "--size", "24x50") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), VideoDecoder(stream, layers=1, size=(24, 50))[:])


def test_the_format_comes_out_as_it_went_in(tmp_path):
    path = tmp_path / "in.gsv"
    path.write_bytes(make_stream(sequence=NTSC, durations=(1001, 2002, 1001, 1001, 500, 501)).data)
    assert run("decode", path, "-o", tmp_path / "o.mkv") == 0
    with VideoSource(tmp_path / "o.mkv") as source:
        f, c = source.format, source.format.colour
    assert (f.width, f.height, f.chroma_format, f.bit_depth, f.rotation) == (48, 32, "422", 10, 90)
    assert f.sample_aspect == Fraction(4, 3)
    assert (c.primaries, c.transfer, c.matrix, c.full_range) == (9, 16, 9, True)
    assert run("decode", path, "-o", tmp_path / "o.mp4") == 0
    with VideoSource(tmp_path / "o.mp4") as source:
        times = [(Fraction(f.pts, source.format.timescale), f.duration) for f in source.code_frames()]
    decoder = VideoDecoder(path)
    assert [t for t, _ in times] == [Fraction(int(t), 30000) for t in decoder.pts]
    assert run("decode", path, "-o", tmp_path / "wide.mkv", "--size", "96x32") == 0
    with VideoSource(tmp_path / "wide.mkv") as source:
        assert source.format.sample_aspect == Fraction(2, 3)


@pytest.mark.parametrize(
    ("rate", "count"), [("25", 18), ("24000/1001", 18), ("50", 36), ("12.5", 9), ("60", 44), ("1", 1)]
)
def test_decode_at_another_rate(stream, tmp_path, rate, count):
    assert run("decode", stream, "-o", tmp_path / "o.mp4", "--fps", rate) == 0
    with VideoSource(tmp_path / "o.mp4") as source:
        frames = list(source.code_frames())
        assert [Fraction(f.pts, source.format.timescale) for f in frames] == [k / Fraction(rate) for k in range(count)]
    assert run("decode", stream, "-o", tmp_path / "o.y4m", "--fps", rate) == 0
    with VideoSource(tmp_path / "o.y4m") as source:
        assert source.average_rate == Fraction(rate)
    assert frame_rate_of(count, count, 1) == 1


def test_the_same_rate_gives_the_same_frames(stream, tmp_path):
    assert run("decode", stream, "-o", tmp_path / "o.npy", "--fps", "25", "--frames", "2:9") == 0
    same = np.load(tmp_path / "o.npy").astype(int)
    assert np.abs(same - VideoDecoder(stream)[2:9]).max() <= 1


# --- info


def test_info(stream, capsys):
    assert run("info", stream) == 0
    text = capsys.readouterr().out
    for words in ("18 frames", "48x32", "4:2:0", "bits go to", f"total          {len(MADE.data):.1f}", "framing"):
        assert words in text, words
    assert run("info", stream, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["bits"].values()) == pytest.approx(8 * len(MADE.data))
    assert found["num_frames"] == 18
    assert [len(s["layers"]) for s in found["segments"]] == [2, 2, 2]
    assert run("info", stream, "--trace") == 0
    assert "segment.num_frames" in capsys.readouterr().out
    assert run("info", stream, "--trace", "--json") == 0
    assert {"offset": 6, "name": "sequence.version", "value": 1} in json.loads(capsys.readouterr().out)


def test_info_lists_symbols(stream, capsys):
    assert run("info", stream, "--symbols") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"sha256 {hashlib.sha256(''.join(f'{line}{chr(10)}' for line in lines).encode()).hexdigest()}"
    assert lines[:2] == ["gvideo symbols 1", "sequence 48 32 1000 3"]
    h = MADE.segment_headers[0]
    assert lines[2] == f"segment 0 0 6 2 2 3 2 0 1 2 0 {h.base[0]} {h.base[1]} {h.base[2]}"
    assert lines[3] == "frames 0 40 80 120 160 200 240"
    rows = [line.split() for line in lines]
    symbols = MADE.symbols[1]
    start = next(k for k, row in enumerate(rows) if row[:2] == ["segment", "1"])
    end = next(k for k, row in enumerate(rows) if row[:2] == ["segment", "2"])
    part = rows[start:end]
    assert [int(row[2]) for row in part if row[0] == "trajectory"] == symbols.parents.tolist()
    control = [[int(v) for v in row[2:]] for row in part if row[0] == "control"]
    assert control == symbols.control.reshape(-1, 6).tolist()
    gaussians = [[int(v) for v in row[1:]] for row in part if row[0] == "gaussian"]
    assert gaussians == np.hstack([symbols.table, symbols.residual]).tolist()
    layers = [row for row in part if row[0] == "layer"]
    ends = (0, *symbols.layer_ends)
    assert [int(row[3]) for row in layers] == [b - a for a, b in pairwise(ends)]
    assert {row[2] for row in layers} == {str(h.distortion)}
    assert run("info", stream, "--symbols", "--json") == 2
    assert "--symbols: has a format of its own" in capsys.readouterr().err


def test_grain_is_shown_drawn_and_left_out(stream, tmp_path, capsys):
    grain = Grain(2, (160,) * 8, (63, 1, 0, 2, 0, 0, 0, 0, -4))
    grained = tmp_path / "grained.gsv"
    grained.write_bytes(make_stream(num_segments=3, num_layers=2, sequence=replace(MADE.sequence, grain=grain)).data)
    assert run("info", grained) == 0
    assert "grain: 9.96, 9.96" in capsys.readouterr().out
    assert run("info", grained, "--json") == 0
    assert json.loads(capsys.readouterr().out)["sequence"]["grain"]["strengths"] == [160] * 8
    assert run("info", grained, "--trace") == 0
    assert capsys.readouterr().out.count("grain.kernel") == 9
    assert run("decode", stream, "-o", tmp_path / "plain.npy") == 0
    assert run("decode", grained, "-o", tmp_path / "with.npy") == 0
    assert run("decode", grained, "-o", tmp_path / "without.npy", "--no-grain") == 0
    assert run("play", grained, "--dump", tmp_path / "played.npy", "--no-grain") == 0
    plain, drawn, left, played = (np.load(tmp_path / f"{n}.npy") for n in ("plain", "with", "without", "played"))
    np.testing.assert_array_equal(left, plain)
    np.testing.assert_array_equal(played, plain)
    assert np.abs(drawn.astype(int) - plain).mean() > 3


def test_info_into_a_closed_pipe(stream):
    command = f"{sys.executable} -m gvideo info {stream} --trace | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


# --- what can be wrong


def make_bad_files(folder: Path) -> None:
    good = MADE.data
    middle = len(good) // 2
    for name, data in {
        "empty.gsv": b"",
        "cut.gsv": good[:-40],
        "flipped.gsv": good[:middle] + bytes([good[middle] ^ 4]) + good[middle + 1 :],
        "magic.gsv": b"\x00" + good[1:],
        "empty.mp4": b"",
        "text.mp4": b"this is a letter, not a film\n" * 40,
    }.items():
        (folder / name).write_bytes(data)
    future = bytearray(good)
    future[6] = 9
    from streams import join_units, split_units

    parts = split_units(good)
    (folder / "future.gsv").write_bytes(join_units([(1, b"\x09" + parts[0][1][1:]), *parts[1:]]))
    (folder / "good.gsv").write_bytes(good)
    import wave

    with wave.open(str(folder / "audio.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))


GOOD_CLIP = "samples/bunny_180p25.mp4"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("decode empty.gsv -o out.y4m", "empty.gsv: signature: the file is empty"),
        ("decode cut.gsv -o out.y4m", "cut.gsv: layer unit at byte"),
        ("decode flipped.gsv -o out.y4m", "flipped.gsv: .*crc: the checksum differs"),
        ("decode magic.gsv -o out.y4m", "magic.gsv: signature: not a gvideo stream"),
        ("decode future.gsv -o out.y4m", "future.gsv: sequence.version: 9.*update gvideo"),
        ("decode none.gsv -o out.y4m", "none.gsv: cannot be read .No such file"),
        ("decode text.mp4 -o out.y4m", "text.mp4: signature"),
        ("decode good.gsv -o nowhere/out.y4m", "nowhere/out.y4m: its folder does not exist"),
        ("decode good.gsv -o .", "is a folder"),
        ("decode good.gsv -o out.avi", "out.avi: cannot write .avi; use"),
        ("decode good.gsv -o out", "cannot write a name without ending"),
        ("decode good.gsv -o /dev/full", "/dev/full: is a device"),
        ("decode good.gsv -o /proc/out.y4m", "/proc/out.y4m: cannot be written"),
        ("decode good.gsv -o good.gsv", "is the source itself"),
        ("decode good.gsv -o out.y4m --frames 18:", "holds none of the stream's 18 frames"),
        ("decode good.gsv -o out.y4m --frames 9:9", "holds none"),
        ("decode good.gsv -o out.y4m --frames nine", "A:B wanted"),
        ("decode good.gsv -o out.y4m --size 99999x2", "--size 99999x2: each side"),
        ("decode good.gsv -o out.y4m --size big", "WIDTHxHEIGHT wanted"),
        ("decode good.gsv -o out.y4m --fps 0", "--fps 0"),
        ("decode good.gsv -o out.y4m --layers 0", "--layers 0: at least 1"),
        ("info empty.gsv", "empty.gsv: signature"),
        ("info flipped.gsv", "flipped.gsv: .*crc"),
        ("info .", "is a folder"),
        ("info /dev/null", "/dev/null: is a device"),
        ("encode empty.mp4 -o out.gsv", "empty.mp4: cannot be read as video"),
        ("encode text.mp4 -o out.gsv", "text.mp4: "),
        ("encode audio.wav -o out.gsv", "audio.wav: holds no video stream"),
        ("encode none.mp4 -o out.gsv", "none.mp4: no such file"),
        (f"encode {GOOD_CLIP} -o out.avi", "a name in .gsv or .mp4"),
        (f"encode {GOOD_CLIP} -o nowhere/out.gsv", "its folder does not exist"),
        (f"encode {GOOD_CLIP} -o /proc/out.gsv", "/proc/out.gsv: cannot be written"),
        (f"encode {GOOD_CLIP} -o out.gsv --crf 99", "--crf 99: from 0 to 63"),
        (f"encode {GOOD_CLIP} -o out.gsv --crf nan", "--crf nan"),
        (f"encode {GOOD_CLIP} -o out.gsv --size 0x10", "--size 0x10"),
        (f"encode {GOOD_CLIP} -o out.gsv --frames 64:", "no frame of it is in the range"),
        (f"encode {GOOD_CLIP} -o out.gsv --frames 5:5", "holds no frame"),
        (f"encode {GOOD_CLIP} -o out.gsv --frames=-5:", "no negative numbers"),
        (f"encode {GOOD_CLIP} -o out.gsv --segment 0", "--segment 0"),
        (f"encode {GOOD_CLIP} -o out.gsv --workers 0", "--workers 0: at least 1"),
        pytest.param(
            f"encode {GOOD_CLIP} -o out.gsv --device cuda",
            "--device cuda: .* (finds no CUDA device|triton is missing)",
            marks=pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a GPU"),
        ),
    ],
)
def test_bad_input_is_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    import re

    make_bad_files(tmp_path)
    root = Path(__file__).parent.parent.parent
    before = sorted(os.listdir(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(*(str(root / a) if a == GOOD_CLIP else a for a in arguments.split())) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("gvideo: ")
    assert shown.err.count("\n") == 1
    assert re.search(words, shown.err), shown.err
    assert sorted(os.listdir(tmp_path)) == before, "something half-written was left"
    assert (tmp_path / "good.gsv").read_bytes() == MADE.data


def test_bugs_of_ours_keep_their_traceback(stream, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("gvideo.decoder.survey.survey", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        run("info", stream)


@pytest.mark.parametrize("suffix", [".y4m", ".mkv", ".mp4", ".npy"])
def test_a_full_disk_leaves_nothing(stream, tmp_path, suffix):
    """The limit on a file's size stands for the end of the disk."""
    out = tmp_path / "out"
    out.mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    environment = os.environ | {"NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", "")}
    size = "48x32" if suffix != ".mp4" else "480x320"
    command = [sys.executable, "-m", "gvideo", "decode", str(stream), "-o", str(out / f"o{suffix}"), "--size", size]
    done = subprocess.run(
        command, preexec_fn=limit, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert os.listdir(out) == []
