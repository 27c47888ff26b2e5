"""Reading: exact samples and times of clips that PyAV wrote, and errors of one line for what is no video."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gvideo.errors import MediaError, OptionError
from gvideo.media import VideoSource, chroma_shape, planes_to_rgb
from gvideo.media.reading.pixels import layout_of
from gvideo.media.resize import resize_plane
from gvideo.types import ColourDescription

MakeClip = Callable[..., tuple[Path, list[list[np.ndarray]]]]


@pytest.mark.parametrize("size", [(32, 18), (33, 17), (17, 40)])
@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le"]
)
def test_planes_come_out_as_written(make_clip: MakeClip, pix_fmt: str, size: tuple[int, int]) -> None:
    path, written = make_clip(pix_fmt=pix_fmt, size=size)
    with VideoSource(path) as source:
        frames = list(source.code_frames())
        assert (source.format.width, source.format.height) == size
        layout = layout_of(pix_fmt)
        assert (source.format.chroma_format, source.format.bit_depth) == (layout.chroma_format, layout.bit_depth)
        assert source.format.colour.full_range == pix_fmt.startswith("gray")
    assert len(frames) == len(written)
    for frame, planes in zip(frames, written, strict=True):
        for got, expected in zip(frame.planes, planes, strict=False):
            np.testing.assert_array_equal(got, expected)
        assert frame.cb.shape == chroma_shape(size[1], size[0], layout.chroma_format)


@pytest.mark.parametrize("pix_fmt", ["bgr0", "gbrp10le", "gbrp12le", "rgb48le"])
def test_rgb_comes_back_as_rgb(make_clip: MakeClip, pix_fmt: str) -> None:
    path, written = make_clip(pix_fmt=pix_fmt, size=(16, 8), pts=(0,))
    with VideoSource(path) as source:
        frame = next(iter(source))
        assert source.format.chroma_format == "444"
        assert source.format.colour == ColourDescription(1, 1, 1, False)
        depth = source.format.bit_depth
        rgb = planes_to_rgb(frame.planes, source.format.colour).astype(int)
    if pix_fmt == "bgr0":
        red = written[0][0].view(np.uint8).reshape(8, -1)[:, : 16 * 4].reshape(8, -1, 4)[..., 2][:, :16]
        assert abs(rgb[:, : red.shape[1], 0] - red).max() <= 3
    elif pix_fmt.startswith("gbrp"):
        green, blue, red = written[0]
        for channel, plane in enumerate((red, green, blue)):
            assert abs(rgb[..., channel] - plane.astype(float) * 255 / ((1 << depth) - 1)).max() <= 3


def test_packed_formats_lose_nothing() -> None:
    for name, chroma, depth in [
        ("nv12", "420", 8),
        ("p010le", "420", 10),
        ("yuyv422", "422", 8),
        ("yuva420p", "420", 8),
        ("yuv440p", "444", 8),
        ("yuv411p", "422", 8),
        ("pal8", "444", 8),
        ("ya8", "420", 8),
    ]:
        layout = layout_of(name)
        assert (layout.chroma_format, layout.bit_depth) == (chroma, depth), name


def test_float_planes_follow_range_and_depth(make_clip: MakeClip) -> None:
    path, written = make_clip(pix_fmt="yuv444p10le", pts=(0,), colour=(9, 16, 9, 2))
    with VideoSource(path) as source:
        assert source.format.colour == ColourDescription(9, 16, 9, True)
        planes = next(iter(source)).planes
    np.testing.assert_allclose(planes[0], written[0][0] / 1023, atol=1e-6)
    np.testing.assert_allclose(planes[1], (written[0][1].astype(float) - 512) / 1023, atol=1e-6)
    path, written = make_clip(pix_fmt="yuv444p", pts=(0,), colour=(1, 1, 1, 1))
    with VideoSource(path) as source:
        planes = next(iter(source)).planes
    np.testing.assert_allclose(planes[0], (written[0][0].astype(float) - 16) / 219, atol=1e-6)
    np.testing.assert_allclose(planes[2], (written[0][2].astype(float) - 128) / 224, atol=1e-6)


@pytest.mark.parametrize(
    "pts", [(0, 1001, 2002, 3003), (0, 1001, 4004, 4505), (9000, 9100, 12000), (77,)], ids=["cfr", "vfr", "late", "one"]
)
def test_times_are_exact(make_clip: MakeClip, pts: tuple[int, ...]) -> None:
    ticks = {"video_track_timescale": "30000", "movie_timescale": "30000"}
    options = {"bf": "0", "preset": "ultrafast"}
    path, _ = make_clip(
        "clip.mp4", codec="libx264", pts=pts, time_base=Fraction(1, 30000), options=options, container_options=ticks
    )
    with VideoSource(path) as source:
        assert source.format.timescale == 30000
        assert source.num_frames == len(pts)
        assert source.start_pts == pts[0]
        frames = list(source.code_frames())
    assert [frame.pts for frame in frames] == list(pts)
    assert [frame.duration for frame in frames][:-1] == [b - a for a, b in itertools.pairwise(pts)]
    assert frames[-1].duration > 0


def test_b_frames_come_in_presentation_order(make_clip: MakeClip) -> None:
    path, _ = make_clip("clip.mp4", codec="libx264", pts=range(12), options={"bf": "3", "b-adapt": "0"})
    with VideoSource(path) as source:
        ticks = source.format.timescale // 25
        assert [frame.pts for frame in source.code_frames()] == [k * ticks for k in range(12)]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, None, range(6)), (2, None, range(2, 6)), (1, 3, range(1, 4)), (4, 99, range(4, 6)), (9, None, [])],
)
def test_first_and_last_are_inclusive(make_clip: MakeClip, first: int, last: int | None, expected: range) -> None:
    path, _ = make_clip("clip.mp4", codec="libx264", pts=range(6), options={"bf": "0"})
    with VideoSource(path, first=first, last=last) as source:
        ticks = source.format.timescale // 25
        frames = list(source)
        assert [f.pts for f in frames] == [k * ticks for k in expected]
        assert all(f.duration == ticks for f in frames if f.pts != 5 * ticks)  # the file's last is the muxer's guess
        assert source.num_frames == len(frames)


@pytest.mark.parametrize(("matrix_degrees", "clockwise"), [(90, 270), (-90, 90), (180, 180), (0, 0)])
def test_rotation_turns_clockwise(make_clip: MakeClip, matrix_degrees: int, clockwise: int) -> None:
    path, _ = make_clip("clip.mp4", codec="libx264", rotation=matrix_degrees)
    with VideoSource(path) as source:
        assert source.format.rotation == clockwise


def test_resizing_keeps_shape_and_phase(make_clip: MakeClip) -> None:
    path, _ = make_clip("clip.mp4", codec="libx264", size=(64, 48), sample_aspect_ratio=Fraction(4, 3))
    with VideoSource(path, size=(48, 24)) as source:
        assert source.format.sample_aspect * Fraction(48, 24) == Fraction(4, 3) * Fraction(64, 48)
        codes, floats = next(source.code_frames()), next(iter(source))
        assert codes.y.shape == (24, 48)
        assert codes.cb.shape == (12, 24)
        np.testing.assert_allclose(floats.planes[0], (codes.y.astype(float) - 16) / 219, atol=1e-6)
    ramp = np.tile(np.arange(64, dtype=np.float32), (48, 1))
    for width in (32, 16, 40, 128, 100):
        centres = (np.arange(width) + 0.5) * 64 / width - 0.5
        np.testing.assert_allclose(resize_plane(ramp, width, 48)[20, 4:-4], centres[4:-4], atol=0.12)


def test_other_sampling(make_clip: MakeClip) -> None:
    path, written = make_clip(pix_fmt="yuv444p", size=(33, 17))
    with VideoSource(path, chroma_format="420") as source:
        frame = next(source.code_frames())
        assert frame.cb.shape == (9, 17)
    np.testing.assert_array_equal(frame.y, written[0][0])


@pytest.mark.parametrize("name", ["still.png", "still.jpg", "still.webp"])
def test_still_image_is_one_frame(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    picture = np.full((20, 31, 3), (40, 90, 200), np.uint8)
    assert cv2.imwrite(str(path), picture)
    with VideoSource(path) as source:
        frames = list(source)
        assert source.num_frames == 1
        assert Fraction(frames[0].duration, source.format.timescale) == Fraction(1, 25)
        rgb = planes_to_rgb(frames[0].planes, source.format.colour)
    assert len(frames) == 1
    assert abs(rgb.astype(int) - picture[..., ::-1]).max() <= 4


def test_numbered_pictures(tmp_path: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"in_{k:03d}.png"), np.full((8, 8, 3), 50 * k, np.uint8))
    with VideoSource(tmp_path / "in_%03d.png") as source:
        assert source.num_frames is None
        assert len(list(source)) == 3


def test_a_name_with_a_colon(make_clip: MakeClip) -> None:
    path, _ = make_clip()
    odd = path.with_name("http:clip.mkv")
    path.rename(odd)
    assert len(list(VideoSource(odd))) == 4


def test_damaged_packets_are_skipped(make_clip: MakeClip) -> None:
    path, _ = make_clip("clip.mp4", codec="libx264", size=(64, 64), pts=range(10), options={"bf": "0", "g": "1"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 40
    data[start + 9000 : start + 9200] = bytes(200)
    path.write_bytes(data)
    with VideoSource(path) as source:
        assert 1 <= len(list(source)) <= 10


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def header_only(path: Path) -> None:
    path.write_bytes(b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420mpeg2\n")


def absurd(path: Path) -> None:
    path.write_bytes(b"YUV4MPEG2 W20000 H16 F25:1 Ip A1:1 C420mpeg2\nFRAME\n" + bytes(20000 * 24))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("none.mp4", None, "no such file"),
        ("text.mp4", lambda path: path.write_text("This is no video.\n" * 50), "cannot be read as video"),
        ("text.txt", lambda path: path.write_text("This is no video.\n" * 50), "is text or a list"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "cannot be read as video"),
        ("noise.mkv", lambda path: path.write_bytes(bytes(range(256)) * 40), "cannot be read as video"),
        ("list.m3u8", lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n"), "list.m3u8"),
        ("sound.mkv", audio_only, "no video stream.*audio"),
        ("zero.y4m", header_only, "not one frame|cannot be read"),
        ("wide.y4m", absurd, "20000x16"),
        ("folder", lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_what_is_no_video_is_one_line(
    tmp_path: Path, name: str, make: Callable[[Path], object] | None, message: str
) -> None:
    path = tmp_path / name
    if make:
        make(path)
    with pytest.raises(MediaError, match=message) as caught:
        VideoSource(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"size": (0, 10)}, {"size": (10, 20000)}, {"first": -1}, {"first": 5, "last": 4}])
def test_bad_options(make_clip: MakeClip, options: dict[str, object]) -> None:
    path, _ = make_clip()
    with pytest.raises(OptionError):
        VideoSource(path, **options)  # type: ignore[arg-type]


def test_nothing_reaches_stderr(tmp_path: Path) -> None:
    """Neither FFmpeg's log nor a traceback of its own, for a damaged file."""
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20)
    code = f"from gvideo.media import VideoSource\ntry:\n  VideoSource({str(path)!r})\nexcept Exception as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "broken.mp4" in done.stdout


@pytest.mark.parametrize(
    ("name", "width", "height", "num_frames", "timescale", "chroma", "full", "rotation", "aspect"),
    [
        ("room_vfr_720p.mp4", 1280, 720, 25, 90000, "420", False, 180, Fraction(1)),
        ("asl_book_480p30.mkv", 640, 480, 109, 1000, "420", True, 0, Fraction(1)),
        ("city_405p25.mpg", 720, 405, 190, 90000, "420", False, 0, Fraction(1)),
        ("carphone_qcif.mp4", 176, 144, 120, 30000, "420", False, 0, Fraction(128, 117)),
        ("vid4_city.mkv", 704, 576, 34, 1000, "444", False, 0, Fraction(1)),
    ],
)
def test_real_clips(
    real_clip: Callable[[str], Path],
    name: str,
    width: int,
    height: int,
    num_frames: int,
    timescale: int,
    chroma: str,
    full: bool,
    rotation: int,
    aspect: Fraction,
) -> None:
    with VideoSource(real_clip(name)) as source:
        found = source.format
        frames = [(f.pts, f.duration) for f in source.code_frames()]
    assert (found.width, found.height, found.timescale, found.chroma_format) == (width, height, timescale, chroma)
    assert (found.colour.full_range, found.rotation, found.sample_aspect) == (full, rotation, aspect)
    assert len(frames) == num_frames
    assert source.num_frames in (None, num_frames)
    assert all(pts + duration == after for (pts, duration), (after, _) in itertools.pairwise(frames))


def test_raw_stream_without_times(tmp_path: Path) -> None:
    """An elementary H.264 stream with B-frames: presentation order, times at the rate that its syntax states."""
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "3"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(8):
            gray = np.full((48, 64, 3), 30 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, "rgb24").reformat(format="yuv420p")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoSource(path) as source:
        frames = list(source.code_frames())
        tick = source.format.timescale // 30
    assert [frame.pts for frame in frames] == [k * tick for k in range(8)]
    assert np.all(np.diff([frame.y.mean() for frame in frames]) > 15)


def test_a_size_that_changes_midway_stays_that_of_the_start(tmp_path: Path) -> None:
    path = tmp_path / "change.mjpeg"
    pictures = [np.full((h, w, 3), 60 * k, np.uint8) for k, (w, h) in enumerate([(64, 48), (32, 24), (81, 61)])]
    path.write_bytes(b"".join(cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures))
    with VideoSource(path) as source:
        frames = list(source.code_frames())
    assert [(frame.y.shape, frame.cb.shape) for frame in frames] == [((48, 64), (24, 32))] * 3
    assert [round(float(frame.y.mean())) for frame in frames] == pytest.approx([0, 60, 120], abs=2)
