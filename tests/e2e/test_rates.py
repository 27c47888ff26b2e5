"""Rates through the whole encoder, on a clip with a cut and a still passage: what counts is the length of the file."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from packaged import sized_segment

from gvideo import encode
from gvideo.cli import main
from gvideo.decoder.stream import Stream
from gvideo.encoder.jobs.live import encode_live
from gvideo.encoder.jobs.pool import ProcessExecutor
from gvideo.encoder.jobs.report import EncodeProgress
from gvideo.encoder.rate.buffer import first_miss
from gvideo.encoder.rate.model import RateTarget
from gvideo.encoder.settings import EncodeSettings
from gvideo.media import VideoSource, open_sink
from gvideo.types import VideoFormat

SIZE, RATE = (48, 32), 25
#: Frames of a segment; the clip has four: moving, still, and two behind a cut.
LENGTH = 8
OPTIONS = {"preset": "medium", "segment_seconds": LENGTH / RATE, "workers": 1}


@pytest.fixture
def quick_fits(monkeypatch) -> None:
    """Fits that take no time, of sizes that follow the content."""
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", sized_segment)


@pytest.fixture(scope="module")
def clip(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("rates") / "clip.mkv"
    wide, other = (synthetic.texture(SIZE[1], SIZE[0] + 2 * LENGTH, seed) for seed in (2, 3))
    pictures = [wide[:, k : k + SIZE[0]] for k in range(LENGTH)]
    pictures += [pictures[-1]] * LENGTH
    pictures += [other[:, k : k + SIZE[0]] for k in range(2 * LENGTH)]
    with open_sink(path, VideoFormat(*SIZE, timescale=RATE), frame_rate=Fraction(RATE)) as sink:
        for k, picture in enumerate(pictures):
            planes = np.stack([picture.mean(2), 0.3 * (picture[..., 2] - 0.5), 0.3 * (picture[..., 0] - 0.5)])
            sink.write(planes.astype(np.float32), k, 1)
    return path


def segments_of(path: Path) -> tuple[list[float], list[float], list[int]]:
    """(bits with what stands in front counted to the first, seconds, distortions) of a stream's segments."""
    stream = Stream(path)
    places = stream.segments
    bits = [8.0 * p.num_bytes for p in places]
    bits[0] += 8.0 * stream.source.size - sum(bits)
    seconds = [(p.end - p.start) / stream.header.timescale for p in places]
    distortions = [stream.decode_segment(n).header.distortion for n in range(len(places))]
    stream.close()
    return bits, seconds, distortions


@pytest.mark.parametrize("maxrate", [None, 36e3])
def test_the_files_length_is_the_rate(quick_fits, clip, tmp_path, maxrate):
    bitrate, out = 30e3, tmp_path / "out.gsv"
    stages: list[str] = []

    def note(p: EncodeProgress) -> None:
        if p.stage not in stages:
            stages.append(p.stage)

    report = encode(clip, out, bitrate=bitrate, maxrate=maxrate, **OPTIONS, progress=note)
    assert report.num_bytes == out.stat().st_size
    bits, seconds, distortions = segments_of(out)
    assert 8 * out.stat().st_size / sum(seconds) == pytest.approx(bitrate, rel=0.05)
    assert (report.num_segments, len(distortions)) == (4, 4)
    if maxrate is None:
        assert max(distortions) - min(distortions) <= 3
    else:
        assert first_miss(bits, seconds, maxrate, 2 * OPTIONS["segment_seconds"] * maxrate) is None
    assert stages[0] == "pass 1"
    assert os.listdir(tmp_path) == ["out.gsv"]


def test_an_interrupted_search_gives_the_same_bytes(quick_fits, clip, tmp_path):
    whole, out = tmp_path / "whole.gsv", tmp_path / "out.gsv"
    encode(clip, whole, bitrate=20e3, **OPTIONS, last=3 * LENGTH - 1)

    def stop(p: EncodeProgress) -> None:
        if p.stage.startswith("pass 2") and p.num_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(clip, out, bitrate=20e3, **OPTIONS, last=3 * LENGTH - 1, progress=stop)
    assert sorted(os.listdir(tmp_path)) == ["out.gsv.resume", "whole.gsv"]
    report = encode(clip, out, bitrate=20e3, **OPTIONS, last=3 * LENGTH - 1)
    assert report.num_resumed >= 3
    assert out.read_bytes() == whole.read_bytes()


def test_a_bound_on_constant_quality(quick_fits, clip, tmp_path):
    free, bounded = tmp_path / "free.gsv", tmp_path / "bounded.gsv"
    encode(clip, free, crf=24, **OPTIONS)
    bits, seconds, distortions = segments_of(free)
    assert len(set(distortions)) == 1
    bufsize = 0.8 * max(bits)
    encode(clip, bounded, crf=24, maxrate=bufsize / seconds[0], bufsize=bufsize, **OPTIONS)
    fewer, _, lower = segments_of(bounded)
    assert first_miss(fewer, seconds, bufsize / seconds[0], bufsize) is None
    assert max(lower) == distortions[0]
    assert min(lower) < distortions[0]


def test_one_pass(quick_fits, clip):
    """Four segments are few to learn from: only the buffer is certain."""
    target = RateTarget.of(30e3, 40e3, None, OPTIONS["segment_seconds"])
    assert target is not None
    with VideoSource(clip) as video:
        settings = EncodeSettings(preset="veryfast", segment_seconds=OPTIONS["segment_seconds"])
        found = list(encode_live(video, settings, ProcessExecutor(1), target))
        seconds = [s.duration / video.format.timescale for s in found]
    bits = [8.0 * sum(map(len, s.layers)) for s in found]
    assert first_miss(bits, seconds, target.maxrate, target.bufsize) is None
    assert sum(bits) / sum(seconds) == pytest.approx(30e3, rel=0.25)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--crf 30 --bitrate 300k", "--crf, --bitrate"),
        ("--bitrate 300q", "--bitrate 300q"),
        ("--bitrate -5", "--bitrate -5"),
        ("--bitrate 300k --maxrate 200k", "--maxrate 200000: below --bitrate"),
        ("--bufsize 1M", "--bufsize: only with"),
        ("--layers 9", "--layers 9"),
        ("--layers 0", "--layers 0"),
    ],
)
@pytest.mark.parametrize("destination", ["out.gsv --workers 1", "folder/ --workers 1", "live/ --live"])
def test_options_that_make_no_sense(options, words, destination, clip, tmp_path, capsys):
    arguments = f"encode {clip} -o {tmp_path}/{destination} --preset veryfast {options}"
    assert main(arguments.split()) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert os.listdir(tmp_path) == []
