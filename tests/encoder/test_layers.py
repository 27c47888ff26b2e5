"""Layers: what the stages fit is what the stream holds, prefix by prefix."""

from __future__ import annotations

from pathlib import Path

import m3u8
import numpy as np
import pytest
from packaged import serve

from gvideo import VideoDecoder, encode
from gvideo.cli import main
from gvideo.decoder.stream import Stream
from gvideo.encoder.fitting.layers import layer_distortions
from gvideo.encoder.jobs.report import PrefixReport
from gvideo.media import VideoSource, planes_to_code_values

#: Of the synthetic clip.
NUM_LAYERS = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("layers") / "clip.mkv"
    synthetic.write_clip(path, "pan", num_frames=8, height=48, width=64)
    return path


@pytest.fixture(scope="module")
def layered(clip):
    """(the stream, its report); two segments."""
    path = clip.with_name("layered.gsv")
    return path, encode(clip, path, crf=21, preset="veryfast", segment_seconds=0.16, layers=NUM_LAYERS, workers=1)


def psnr_of(path: Path, clip: Path, layers: int) -> float:
    with VideoSource(clip) as source, VideoDecoder(path, layers=layers) as decoder:
        fmt, frames = source.format, source.code_frames()
        luma = planes_to_code_values(decoder.planes_at(range(len(decoder))), fmt)[0].astype(float)
        return float(10 * np.log10(255**2 / np.mean([(y - f.y) ** 2 for y, f in zip(luma, frames, strict=True)])))


def test_every_prefix_is_the_picture_that_was_reported(layered, clip):
    path, report = layered
    stream = Stream(path)
    assert [len(stream.segment_units(n)) for n in range(len(stream.segments))] == [NUM_LAYERS] * 2
    stream.close()
    assert report.prefixes[-1].num_bytes == report.num_bytes == path.stat().st_size
    assert report.prefixes[-1].luma_psnr_db == report.luma_psnr_db
    for k, prefix in enumerate(report.prefixes):
        assert psnr_of(path, clip, k + 1) == pytest.approx(prefix.luma_psnr_db, abs=1e-6)
    bytes_of, quality = zip(*[(p.num_bytes, p.luma_psnr_db) for p in report.prefixes], strict=True)
    assert list(bytes_of) == sorted(set(bytes_of))
    assert list(quality) == sorted(set(quality))
    assert quality[-1] - quality[0] > 2


def test_the_base_is_as_good_as_a_stream_of_its_rate(tmp_path):
    """About, on a real clip: bytes of streams without layers, drawn between two of them at the base's quality."""
    sample = Path(__file__).parents[2] / "samples" / "bunny_180p25.mp4"

    def made(crf: float, layers: int) -> PrefixReport:
        options = {"preset": "veryfast", "size": (96, 54), "last": 15, "workers": 1}
        return encode(sample, tmp_path / "a.gsv", crf=crf, layers=layers, **options).prefixes[0]

    base, low, high = made(34, 4), made(40, 1), made(37, 1)
    assert low.luma_psnr_db < base.luma_psnr_db < high.luma_psnr_db
    share = (base.luma_psnr_db - low.luma_psnr_db) / (high.luma_psnr_db - low.luma_psnr_db)
    assert base.num_bytes < 1.25 * low.num_bytes * (high.num_bytes / low.num_bytes) ** share


def test_distortions_of_layers():
    assert layer_distortions(100, 1) == [100]
    assert layer_distortions(100, 4) == [90, 96, 102, 100]
    assert layer_distortions(100, 8) == [66, 72, 78, 84, 90, 96, 102, 100]
    assert layer_distortions(0, 4) == [0, 0, 2, 0]
    assert layer_distortions(255, 2) == [255, 255]


def test_plain_content_has_layers_without_gaussians(tmp_path, synthetic):
    """All layers are there however little they hold, so that the rungs of a ladder are whole."""
    synthetic.write_clip(tmp_path / "a.mkv", "sync", num_frames=6, height=32, width=32)
    report = encode(tmp_path / "a.mkv", tmp_path / "a.gsv", crf=40, preset="veryfast", layers=3, workers=1)
    assert len(report.prefixes) == 3
    stream = Stream(tmp_path / "a.gsv")
    assert len(stream.segment_units(0)) == 3
    stream.close()


def test_info_shows_bytes_and_quality_of_prefixes(layered, clip, capsys):
    path, report = layered
    assert main(["info", str(path), "--source", str(clip)]) == 0
    rows = capsys.readouterr().out.splitlines()[-NUM_LAYERS:]
    for k, (row, prefix) in enumerate(zip(rows, report.prefixes, strict=True)):
        assert row.split()[:2] == [str(k + 1), str(prefix.num_bytes)]
        assert float(row.split()[-1]) == pytest.approx(prefix.luma_psnr_db, abs=0.006)
    assert main(["info", str(path)]) == 0
    assert "PSNR" not in capsys.readouterr().out


def test_info_refuses_another_clip(layered, tmp_path, synthetic, capsys):
    synthetic.write_clip(tmp_path / "short.mkv", "pan", num_frames=3, height=48, width=64)
    assert main(["info", str(layered[0]), "--source", str(tmp_path / "short.mkv")]) == 2
    said = capsys.readouterr().err
    assert "lacks 5 frame(s)" in said
    assert said.count("\n") == 1


def test_published_layers_play_one_by_one(layered, tmp_path):
    """Encoded, packaged, served over HTTP: each rung fetches its prefix and shows the picture of the file's."""
    path, _ = layered
    folder = tmp_path / "out"
    assert main(["package", str(path), "-o", str(folder)]) == 0
    rungs = m3u8.load(str(folder / "master.m3u8")).playlists
    assert len(rungs) == NUM_LAYERS
    for base in serve(folder):
        for layers in range(1, NUM_LAYERS + 1):
            with (
                VideoDecoder(f"{base}/master.m3u8", layers=layers) as published,
                VideoDecoder(path, layers=layers) as own,
            ):
                np.testing.assert_array_equal(published[5], own[5])
        break
