"""Clips of every kind through encoder and decoder: formats and times exact, pictures above a floor."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gvideo import VideoDecoder, encode
from gvideo.cli import main
from gvideo.media import VideoSource, open_sink, planes_to_code_values
from gvideo.media.chroma import chroma_shape
from gvideo.types import VideoFormat

#: Luma PSNR that the fast preset must reach on these smooth clips.
FLOOR_DB = 29.0


@dataclass(frozen=True)
class Case:
    """A clip to be made, and what its format must be."""

    size: tuple[int, int] = (48, 32)
    pix_fmt: str = "yuv420p"
    pts: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    time_base: Fraction = Fraction(1, 25)
    colour: tuple[int, int, int, int] = (6, 6, 6, 1)  # primaries, transfer, matrix, range
    rotation: int = 0
    aspect: Fraction = Fraction(1)
    depth: int = 8
    chroma: str = "420"
    container: str = "mp4"
    options: dict[str, object] = field(default_factory=dict)


CASES = {
    "plain": Case(),
    "10 bit 4:2:2 full BT.2020": Case(pix_fmt="yuv422p10le", depth=10, chroma="422", colour=(9, 16, 9, 2)),
    "4:4:4 BT.709": Case(pix_fmt="yuv444p", chroma="444", colour=(1, 1, 1, 1)),
    "10 bit 4:2:0": Case(pix_fmt="yuv420p10le", depth=10),
    "full range": Case(colour=(5, 6, 5, 2)),
    "rotated": Case(rotation=90),
    "wide pixels": Case(aspect=Fraction(4, 3)),
    "odd": Case(size=(45, 27), pix_fmt="yuv444p", chroma="444"),
    "odd 4:2:0": Case(size=(45, 27), container="mkv", time_base=Fraction(1, 1000), pts=(0, 40, 80, 120)),
    "portrait": Case(size=(27, 48), pix_fmt="yuv444p", chroma="444", pts=(0, 1, 2)),
    "variable rate": Case(pts=(0, 1001, 3003, 3500, 9000, 9001), time_base=Fraction(1, 30000)),
    "late start": Case(pts=(90, 91, 92)),
    "one frame": Case(pts=(0,)),
}


def picture(time: float, size: tuple[int, int]) -> list[np.ndarray]:
    """A smooth scene that moves: luma and chroma f64 [H,W] in 0..1."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    blob = np.exp(-((x - 12 - 20 * time) ** 2 + (y - size[1] / 2) ** 2) / 60)
    luma = 0.3 + 0.2 * np.sin(x / 9) * np.cos(y / 7) + 0.4 * blob
    return [luma, 0.5 + 0.2 * blob, 0.5 - 0.15 * np.sin(x / 11)]


def write_clip(path: Path, case: Case) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if case.container == "mp4" else "ffv1", options={"crf": "0", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *case.size, case.pix_fmt
        stream.time_base = stream.codec_context.time_base = case.time_base
        stream.codec_context.sample_aspect_ratio = case.aspect
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = case.colour
        if case.rotation:
            stream.set_display_rotation(-case.rotation)
        for pts in case.pts:
            frame = av.VideoFrame(*case.size, case.pix_fmt)
            time = float((pts - case.pts[0]) * case.time_base)
            for plane, values in zip(frame.planes, picture(time, case.size), strict=True):
                view = np.frombuffer(plane, np.uint8 if case.depth == 8 else np.dtype("<u2")).reshape(plane.height, -1)
                small = cv2.resize(values, (plane.width, plane.height), interpolation=cv2.INTER_AREA)
                view[:, : plane.width] = np.rint(small * ((1 << case.depth) - 1))
            frame.pts, frame.time_base = pts, case.time_base
            frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = case.colour
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("name", CASES)
def test_clips(name, tmp_path):
    case = CASES[name]
    clip = tmp_path / f"clip.{case.container}"
    write_clip(clip, case)
    report = encode(clip, tmp_path / "clip.gsv", preset="veryfast", crf=30, workers=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([clip.name, "clip.gsv"])
    with VideoSource(clip) as source, VideoDecoder(tmp_path / "clip.gsv") as decoder:
        frames = list(source.code_frames())
        assert decoder.metadata.format == source.format
        assert (source.format.chroma_format, source.format.bit_depth) == (case.chroma, case.depth)
        assert source.format.colour.full_range == (case.colour[3] == 2)
        assert (source.format.rotation, source.format.sample_aspect) == (case.rotation, case.aspect)
        np.testing.assert_array_equal(decoder.pts, [f.pts for f in frames])
        np.testing.assert_array_equal(decoder.durations, [f.duration for f in frames])
        assert [Fraction(int(t), decoder.timescale) for t in decoder.pts] == [t * case.time_base for t in case.pts]
        codes = [planes_to_code_values(p, source.format) for p in decoder.planes_at(range(len(decoder)))]
        scale = 2.0 ** (8 - case.depth)
        error = np.mean(
            [np.mean(((c[0].astype(float) - f.y) * scale) ** 2) for c, f in zip(codes, frames, strict=True)]
        )
        chroma_error = max(
            np.abs((c[1].astype(float) - f.cb) * scale).mean() for c, f in zip(codes, frames, strict=True)
        )
        assert codes[0][1].shape == chroma_shape(case.size[1], case.size[0], case.chroma)
    psnr = 10 * np.log10(255**2 / error)
    assert psnr == pytest.approx(report.luma_psnr_db, abs=1e-6)
    assert psnr > FLOOR_DB
    assert chroma_error < 10
    assert report.num_bytes == (tmp_path / "clip.gsv").stat().st_size < 2500
    assert (report.num_frames, report.num_segments, report.num_resumed) == (len(frames), 1, 0)


def test_still_picture(tmp_path):
    luma, blue, red = (np.rint(255 * p) for p in picture(0.2, (40, 30)))
    cv2.imwrite(str(tmp_path / "a.png"), np.stack([luma, blue, red], -1).astype(np.uint8))
    options = ["--preset", "veryfast", "--workers", "1", "--crf", "30"]
    assert main(["encode", str(tmp_path / "a.png"), "-o", str(tmp_path / "a.gsv"), *options]) == 0
    assert main(["decode", str(tmp_path / "a.gsv"), "-o", str(tmp_path / "b.png")]) == 0
    written, read = (cv2.imread(str(tmp_path / n)).astype(float) for n in ("a.png", "b.png"))
    assert 10 * np.log10(255**2 / np.mean((written - read) ** 2)) > 24


def test_nothing_worth_a_gaussian(tmp_path):
    """A plain picture: the base colour says it all, and every Gaussian leaves."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 40, 3), 118, np.uint8))
    report = encode(tmp_path / "a.png", tmp_path / "a.gsv", preset="veryfast", crf=50, workers=1)
    assert report.num_gaussians == 0
    assert np.ptp(VideoDecoder(tmp_path / "a.gsv")[0]) <= 1


def test_size_and_frames(tmp_path, capsys):
    write_clip(tmp_path / "a.mp4", Case())
    options = "--preset veryfast --workers 1 --size 24x32 --frames 2:5 --json"
    assert main(f"encode {tmp_path}/a.mp4 -o {tmp_path}/a.gsv {options}".split()) == 0
    assert '"num_frames": 3' in capsys.readouterr().out
    m = VideoDecoder(tmp_path / "a.gsv").metadata
    assert (m.width, m.height, m.num_frames, m.format.sample_aspect) == (24, 32, 3, 2)
    assert m.begin_stream_seconds == 0.08


SMALL = [(1, 1), (3, 3), (33, 1), (1, 200), (4, 64), (1, 4096), (4096, 1)]


@pytest.mark.parametrize("size", SMALL, ids=lambda size: f"{size[0]}x{size[1]}")
def test_pictures_too_small_for_optical_flow(tmp_path, size):
    """No point of a grid that tracks could start from lies in them."""
    fmt = VideoFormat(*size, timescale=25, chroma_format="444")
    clip, stream = tmp_path / "small.y4m", tmp_path / "small.gsv"
    rng = np.random.default_rng(0)
    planes = [np.stack([rng.uniform(0.2, 0.8, size[::-1]), *np.zeros((2, *size[::-1]))]) for _ in range(4)]
    with open_sink(clip, fmt, frame_rate=Fraction(25)) as sink:
        for k, picture_planes in enumerate(planes):
            sink.write(picture_planes.astype(np.float32), k, 1)
    encode(clip, stream, preset="veryfast", crf=30)
    decoder = VideoDecoder(stream)
    assert len(decoder) == 4
    assert decoder.get_all_frames().data.shape == (4, 3, size[1], size[0])
