"""Writing: what is written is read back by VideoSource, NumPy, OpenCV; failures leave nothing behind."""

from __future__ import annotations

import itertools
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from gvideo.errors import MediaError, OptionError
from gvideo.media import (
    VideoSource,
    chroma_shape,
    code_values_to_planes,
    open_sink,
    planes_to_code_values,
    planes_to_rgb,
)
from gvideo.types import ColourDescription, Float32, VideoFormat

TIMES = [(3000, 1001), (4001, 2002), (6003, 1001), (7004, 700)]


def random_codes(video_format: VideoFormat, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    low = chroma_shape(video_format.height, video_format.width, video_format.chroma_format)
    kind = np.uint8 if video_format.bit_depth == 8 else np.uint16
    sizes = ((video_format.height, video_format.width), low, low)
    y, cb, cr = (rng.integers(0, 1 << video_format.bit_depth, size).astype(kind) for size in sizes)
    return y, cb, cr


def smooth_planes(height: int, width: int, phase: float) -> Float32:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([0.5 + 0.4 * np.sin(x / 9 + phase), 0.2 * np.cos(y / 7), 0.2 * np.sin((x + y) / 11)])


FORMATS = [
    VideoFormat(33, 17, sample_aspect=Fraction(4, 3), rotation=90, timescale=30000),
    VideoFormat(32, 16, ColourDescription(9, 16, 9, True), "422", 10, timescale=90000, rotation=180),
    VideoFormat(32, 16, ColourDescription(6, 6, 6), "444", 12, timescale=15360),
    VideoFormat(18, 32, ColourDescription(5, 6, 5, True), "420", 8, timescale=1000, rotation=270),
]


@pytest.mark.parametrize("suffix", [".mkv", ".y4m"])
@pytest.mark.parametrize("video_format", FORMATS)
def test_lossless_ones_keep_every_integer(tmp_path: Path, video_format: VideoFormat, suffix: str) -> None:
    frames = [random_codes(video_format, seed) for seed in range(len(TIMES))]
    path = tmp_path / f"out{suffix}"
    with open_sink(path, video_format) as sink:
        for codes, (pts, duration) in zip(frames, TIMES, strict=True):
            sink.write_codes(codes, pts, duration)
    with VideoSource(path) as source:
        found, read = source.format, list(source.code_frames())
    assert found.sample_aspect == video_format.sample_aspect
    assert found.colour.full_range == video_format.colour.full_range
    assert (found.chroma_format, found.bit_depth) == (video_format.chroma_format, video_format.bit_depth)
    for got, expected in zip(read, frames, strict=True):
        for a, b in zip(got.planes, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    if suffix == ".mkv":
        assert found.colour == video_format.colour
        assert found.rotation == video_format.rotation
        for frame, (pts, duration) in zip(read, TIMES, strict=True):
            assert abs(frame.pts - pts * 1000 / video_format.timescale) <= 0.5
            assert abs(frame.duration - duration * 1000 / video_format.timescale) <= 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("video_format", FORMATS)
def test_mp4_keeps_times_and_tags_exactly(tmp_path: Path, video_format: VideoFormat) -> None:
    path = tmp_path / "out.mp4"
    frames = [smooth_planes(video_format.height, video_format.width, seed) for seed in range(len(TIMES))]
    with open_sink(path, video_format, crf=8) as sink:
        for planes, (pts, duration) in zip(frames, TIMES, strict=True):
            sink.write(planes, pts, duration)
    with VideoSource(path) as source:
        found, read = source.format, list(source)
    assert (found.width, found.height) == (video_format.width, video_format.height)
    assert found.timescale == video_format.timescale
    assert found.colour == video_format.colour
    assert (found.rotation, found.sample_aspect) == (video_format.rotation, video_format.sample_aspect)
    assert [(frame.pts, frame.duration) for frame in read] == TIMES
    for got, expected in zip(read, frames, strict=True):
        assert np.sqrt(np.mean((got.planes - expected) ** 2)) < 0.02


def test_y4m_rate_is_an_exact_fraction(tmp_path: Path) -> None:
    path = tmp_path / "out.y4m"
    video_format = VideoFormat(16, 8, timescale=1000)
    with open_sink(path, video_format) as sink:
        for k in range(30):
            pts, after = (round(n * 1001 / 30) for n in (k, k + 1))
            sink.write_codes(random_codes(video_format, k), pts, after - pts)
    header = path.read_bytes().split(b"\n")[0].decode()
    assert header.startswith("YUV4MPEG2 W16 H8 F30000:1001 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED X-")
    assert path.stat().st_size == 96 + 30 * (6 + 16 * 8 * 3 // 2)


def test_y4m_states_a_given_rate(tmp_path: Path) -> None:
    video_format = VideoFormat(16, 8, timescale=1000)
    with open_sink(tmp_path / "out.y4m", video_format, frame_rate=Fraction(24000, 1001)) as sink:
        sink.write_codes(random_codes(video_format, 0), 0, 42)
    assert b" F24000:1001 " in (tmp_path / "out.y4m").read_bytes()[:96]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_last_frame_that_lasts_is_no_shortfall(tmp_path: Path, suffix: str) -> None:
    """What a file promises of its end is met, also where its last frame lasts long."""
    path, video_format = tmp_path / f"out{suffix}", VideoFormat(32, 16, timescale=1000)
    with open_sink(path, video_format) as sink:
        for pts, duration in ((0, 40), (40, 40), (80, 3000)):
            sink.write(smooth_planes(16, 32, 0), pts, duration)
    with VideoSource(path, strict=True) as source:
        assert [(frame.pts, frame.duration) for frame in source.code_frames()] == [(0, 40), (40, 40), (80, 3000)]
        assert source.notes == ()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_start_before_zero_loses_no_frame(tmp_path: Path, suffix: str) -> None:
    """Other readers find all frames as well, from zero on and as far apart as they were."""
    path, times = tmp_path / f"out{suffix}", [-20000, -16400, -12800, -9200, -1000, 2600]
    video_format = VideoFormat(32, 16, timescale=90000)
    with open_sink(path, video_format) as sink:
        for k, (pts, after) in enumerate(itertools.pairwise([*times, 6200])):
            sink.write(np.full((3, 16, 32), [[[0.1 + 0.1 * k]], [[0]], [[0]]], np.float32), pts, after - pts)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-enc_time_base", "1:90000"]
    command += ["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    shown = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    assert shown == pytest.approx([t + 20000 for t in times], abs=45)  # half a millisecond
    with VideoSource(path) as source:
        means = [float(frame.y.mean()) for frame in source.code_frames()]
    assert means == pytest.approx([16 + 219 * (0.1 + 0.1 * k) for k in range(6)], abs=1)


def test_npy(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    video_format = VideoFormat(15, 9)
    frames = [smooth_planes(9, 15, k) for k in range(3)]
    with open_sink(path, video_format) as sink:
        for k, planes in enumerate(frames):
            sink.write(planes, k, 1)
    found = np.load(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, planes_to_rgb(np.stack(frames), video_format.colour, channels_last=False))


@pytest.mark.parametrize(("rotation", "turn"), [(0, None), (90, cv2.ROTATE_90_CLOCKWISE), (180, cv2.ROTATE_180)])
def test_numbered_png_upright(tmp_path: Path, rotation: int, turn: int | None) -> None:
    video_format = VideoFormat(20, 12, rotation=rotation)
    codes = random_codes(video_format, 1)
    with open_sink(tmp_path / "out_%03d.png", video_format) as sink:
        sink.write_codes(codes, 0, 1)
        sink.write_codes(codes, 1, 1)
        assert not list(tmp_path.glob("out_*.png"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out_000.png", "out_001.png"]
    expected = planes_to_rgb(code_values_to_planes(*codes, video_format), video_format.colour)
    expected = expected if turn is None else cv2.rotate(expected, turn)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out_001.png"))[..., ::-1], expected)


def test_one_png_holds_one_frame(tmp_path: Path) -> None:
    video_format = VideoFormat(8, 8)
    with open_sink(tmp_path / "one.png", video_format) as sink:
        sink.write(smooth_planes(8, 8, 0), 0, 1)
    assert (tmp_path / "one.png").exists()
    with (
        pytest.raises(MediaError, match=r"one \.png holds one frame"),
        open_sink(tmp_path / "two.png", video_format) as sink,
    ):
        for k in range(2):
            sink.write(smooth_planes(8, 8, 0), k, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


ALL = ["out.mkv", "out.mp4", "out.y4m", "out.npy", "out_%02d.png"]


@pytest.mark.parametrize("name", ALL)
def test_an_error_leaves_nothing_behind_and_the_old_file_alone(tmp_path: Path, name: str) -> None:
    old = tmp_path / (name % 0 if "%" in name else name)
    old.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), open_sink(tmp_path / name, VideoFormat(16, 8)) as sink:
        sink.write(smooth_planes(8, 16, 0), 0, 1)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("name", ALL)
def test_no_frame_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError, match="no frame"), open_sink(tmp_path / name, VideoFormat(16, 8)):
        pass
    assert not list(tmp_path.iterdir())


@contextmanager
def small_files_only(limit_bytes: int) -> Iterator[None]:
    """As on a full disk: files cannot grow past the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ALL)
def test_full_disk_is_a_media_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    video_format = VideoFormat(256, 256, chroma_format="444")
    frames = [random_codes(video_format, k) for k in range(6)]
    with small_files_only(60000), pytest.raises(MediaError, match=r"out.*cannot be written"):  # noqa: SIM117
        with open_sink(tmp_path / name, video_format) as sink:
            for k, codes in enumerate(frames):
                sink.write_codes(codes, k, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("out.avi", OptionError),
        ("out", OptionError),
        ("out_%s%d.png", OptionError),
        ("missing/out.mkv", MediaError),
        ("missing/out.y4m", MediaError),
    ],
)
def test_bad_destinations(tmp_path: Path, name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="out"):
        open_sink(tmp_path / name, VideoFormat(16, 8))


def test_a_folder_is_no_destination(tmp_path: Path) -> None:
    (tmp_path / "out.mkv").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        open_sink(tmp_path / "out.mkv", VideoFormat(16, 8))


def test_times_must_increase_and_shapes_fit(tmp_path: Path) -> None:
    with (
        pytest.raises(MediaError, match="does not come after"),
        open_sink(tmp_path / "a.y4m", VideoFormat(16, 8)) as sink,
    ):
        for _ in range(2):
            sink.write(smooth_planes(8, 16, 0), 5, 1)
    with pytest.raises(MediaError, match="does not fit"), open_sink(tmp_path / "a.y4m", VideoFormat(16, 8)) as sink:
        sink.write(smooth_planes(16, 8, 0), 5, 1)
    assert planes_to_code_values(smooth_planes(8, 16, 0), VideoFormat(16, 8))[0].shape == (8, 16)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_same_frame_gives_the_same_file(suffix: str, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        path = tmp_path / (name + suffix)
        with open_sink(path, VideoFormat(32, 16, timescale=25)) as sink:
            sink.write(smooth_planes(16, 32, 0.5), 0, 1)
        files.append(path.read_bytes())
    assert files[0] == files[1]
