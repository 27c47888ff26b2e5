"""Sources that can be read once: pipes and standard input are read as files are, as often as needed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gvideo.cli import main
from gvideo.errors import MediaError
from gvideo.evaluate.frames import prepare
from gvideo.media import VideoSource
from gvideo.media.reading.pipe import PipeCopy, is_pipe, rereadable

MakeClip = Callable[..., tuple[Path, list[list[np.ndarray]]]]


@contextmanager
def fed(pipe: Path, data: bytes) -> Iterator[Path]:
    """A named pipe that somebody writes `data` into, once."""
    os.mkfifo(pipe)
    thread = threading.Thread(target=pipe.write_bytes, args=(data,))
    thread.start()
    yield pipe
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def film(make_clip: MakeClip) -> Path:
    """An MP4 with its index at the end, which must be read back and forth."""
    return make_clip("film.mp4", codec="libx264", size=(32, 24), pts=range(5), options={"bf": "0"})[0]


def times_and_pictures(source: VideoSource) -> list[tuple[int, bytes]]:
    return [(frame.pts, frame.y.tobytes()) for frame in source.code_frames()]


def test_a_pipe_is_read_as_the_file(film: Path, tmp_path: Path) -> None:
    with VideoSource(film) as source:
        expected = times_and_pictures(source)
    assert len(expected) == 5
    with fed(tmp_path / "pipe", film.read_bytes()) as pipe, VideoSource(pipe) as source:
        assert source.num_frames == 5
        assert times_and_pictures(source) == expected
        assert times_and_pictures(source) == expected  # a second pass


def test_what_is_a_pipe(film: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = [is_pipe(name) for name in (film, tmp_path, tmp_path / "none", "-", tmp_path / "pipe")]
    assert found == [False, False, False, True, True]
    with rereadable(film) as same:
        assert same == film


def test_the_copy_is_gone_when_it_is_given_up(film: Path, tmp_path: Path) -> None:
    with fed(tmp_path / "pipe", film.read_bytes()) as pipe, PipeCopy(pipe) as copy:
        assert copy.path.read_bytes() == film.read_bytes()
        assert copy.name == str(pipe)
        held = copy.path.resolve()
    assert not held.exists()


def test_standard_input_from_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(MediaError, match=r"^-: standard input is a terminal; pipe a video into it$"):
        VideoSource("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(MediaError, match=r"^-: standard input is closed; pipe a video into it$"):
        VideoSource("-")


def test_what_is_no_video_names_the_pipe(tmp_path: Path) -> None:
    with (
        fed(tmp_path / "pipe", b"no video at all" * 100) as pipe,
        pytest.raises(MediaError, match=f"^{pipe}: cannot be read as video"),
    ):
        VideoSource(pipe)


def test_evaluation_reads_a_pipe(film: Path, tmp_path: Path) -> None:
    expected = prepare(film, tmp_path / "a")
    with fed(tmp_path / "pipe", film.read_bytes()) as pipe:
        found = prepare(pipe, tmp_path / "b")
    assert (found.digest, found.num_frames) == (expected.digest, 5)


QUICK = ("--preset", "veryfast", "--workers", "1")


def test_encode_reads_pipes(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same bytes from a file, from a named pipe and from standard input."""
    files = [tmp_path / f"{name}.gsv" for name in ("file", "pipe", "input")]
    assert main(["encode", str(film), "-o", str(files[0]), *QUICK]) == 0
    with fed(tmp_path / "pipe", film.read_bytes()) as pipe:
        assert main(["encode", str(pipe), "-o", str(files[1]), *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_frames"] == 5
    command = [sys.executable, "-m", "gvideo", "encode", "-", "-o", str(files[2]), *QUICK]
    done = subprocess.run(command, input=film.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len({file.read_bytes() for file in files}) == 1


def test_a_ladder_reads_a_pipe_once(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fed(tmp_path / "pipe", film.read_bytes()) as pipe:
        arguments = ["encode", str(pipe), "-o", f"{tmp_path}/out/", "--ladder", "32x24,16x12", "--fallback", "avc"]
        assert main([*arguments, *QUICK]) == 0
    assert {path.name[:2] for path in (tmp_path / "out").glob("*.m3u8")} >= {"v0", "v1", "f0"}
    assert not (tmp_path / ".out.rungs").exists()
    capsys.readouterr()
