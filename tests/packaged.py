"""Inputs for the packager: a clip whose flashes and beeps coincide, streams with its frame times, all packaged."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from streams import make_stream, random_symbols

from gvideo.bitstream import units
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader, format_sequence
from gvideo.cli import main
from gvideo.encoder.segment import SegmentJob, SegmentResult
from gvideo.entropy.segment import encode_segment
from gvideo.entropy.sequence import SequenceState

if TYPE_CHECKING:
    from packager.gsv import GsvFile
    from packager.tracks import TrackSegment

ROOT = Path(__file__).parents[1]
#: For `python -c`, in ROOT: the command line, with fits that take no time.
QUICK_PROGRAM = """
import sys
sys.path.insert(0, "tests")
import gvideo.encoder.jobs.pool as pool
from packaged import quick_segment
pool.encode_segment = quick_segment
from gvideo.cli import main
sys.exit(main(sys.argv[1:]))
"""
SIZE = (64, 48)
#: Frames a second, ticks a frame, seconds of a segment.
RATE, TICKS, SEGMENT_SECONDS = 25, 512, 2


def write_clip(path: Path, seconds: float, *, audio: tuple[tuple[str, str], ...] = (("aac", "eng"),)) -> Path:
    """A clip of gray that is white in frames 10 to 12 of every second, where there is a beep too."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, RATE * TICKS)
        sounds = []
        for codec, language in audio:
            sounds.append(container.add_stream(codec, rate=48000, layout="stereo"))
            sounds[-1].metadata["language"] = language
        for k in range(round(RATE * seconds)):
            level = 255 if k % RATE in (10, 11, 12) else 40 + k % RATE
            frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = k * TICKS, Fraction(1, RATE * TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for sound in sounds:
            for frame in beeps(seconds):
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def beeps(seconds: float) -> list[av.AudioFrame]:
    """Sound of 48 kHz: 1 kHz from 0.40 to 0.52 s of every second."""
    t = np.arange(round(48000 * seconds)) / 48000
    wave = (0.8 * np.sin(2000 * np.pi * t) * ((t % 1 >= 0.4) & (t % 1 < 0.52))).astype(np.float32)
    frames = []
    for start in range(0, len(wave), 960):
        part = wave[start : start + 960]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.stack([part, part])), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        frames.append(frame)
    return frames


def write_stream(path: Path, **options: int) -> Path:
    """A stream of three segments of 2 s with the clip's frame times."""
    sequence = SequenceHeader(*SIZE, RATE * TICKS, TICKS)
    options = {"num_segments": 3, "num_frames": RATE * SEGMENT_SECONDS, "count": 40, **options}
    path.write_bytes(make_stream(width=SIZE[0], height=SIZE[1], sequence=sequence, **options).data)
    return path


def package(inputs: dict[str, Path], folder: Path, *options: str) -> Path:
    """The streams with everything that goes with them, as the command line makes it."""
    arguments = ["package", inputs["layered"], inputs["small"], "-o", folder, "--source", inputs["clip"]]
    arguments += ["--subtitles", inputs["vtt"], "--subtitles", f"{inputs['srt']}:de", "--fallback", "avc"]
    assert main([str(a) for a in [*arguments, "--thumbnails", "--title", "A film", *options]]) == 0
    return folder


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def serve(folder: Path, *options: str, log: Path | None = None) -> Iterator[str]:
    """The base URL of a server process of the command line."""
    port = free_port()
    command = [sys.executable, "-m", "gvideo", "serve", str(folder), "--port", str(port), *options]
    with (log or folder.parent / f"log-{port}").open("wb") as out, subprocess.Popen(
        command, cwd=ROOT, stderr=out, stdout=subprocess.DEVNULL
    ) as child:  # fmt: skip
        try:
            for _ in range(400):
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert child.poll() is None
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            child.terminate()
            child.wait(10)


def sized_segment(job: SegmentJob, report: object = None) -> SegmentResult:
    """As quick_segment, with as many Gaussians as a fit might need: more at a better quality and for what moves."""
    lumas = [f.y.astype(float) for f in job.frames]
    moves = float(np.mean([np.abs(b - a).mean() for a, b in pairwise(lumas)] or [0.0]))
    return quick_segment(job, count=round((0.5 + moves) * 2 ** (0.67 * (job.rules.distortion - 60) / 8)))


def quick_segment(job: SegmentJob, report: object = None, count: int = 4) -> SegmentResult:
    """Stands in for the encoder's fit, which takes seconds: a legal segment of few Gaussians with the job's times."""
    fmt, durations = job.format, tuple(f.duration for f in job.frames)
    rules = job.rules
    symbols = random_symbols(
        np.random.default_rng(0), fmt.width, fmt.height, count=count, rules=rules, num_frames=len(durations)
    )
    header = SegmentHeader(
        len(durations), rules.distortion, symbols.num_control, symbols.num_trajectories, symbols.cell_bits, 1,
        symbols.base, symbols.margins, () if all(d == job.frame_duration for d in durations) else durations,
    )  # fmt: skip
    payloads = encode_segment(symbols, header, SequenceState(rules), fmt.width, fmt.height)
    return SegmentResult(tuple(payloads), len(durations), sum(durations), (1.0,), len(symbols.table), ())


def package_plain(stream: Path, folder: Path, *options: str) -> Path:
    """One stream as the command line packages it."""
    assert main(["package", str(stream), "-o", str(folder), *options]) == 0
    return folder


def write_flashes(path: Path, seconds: int) -> Path:
    """A stream with the clip's flashes: dark, white in frames 10 to 12 of every second, a segment for each."""
    sequence = SequenceHeader(*SIZE, RATE * TICKS, TICKS)
    state = SequenceState.of(sequence).with_distortion(56)
    parts = [units.SIGNATURE + units.format_unit(units.SEQUENCE, format_sequence(sequence))]
    for number in range(3 * seconds):
        count, luma = ((10, 200), (3, 1000), (12, 200))[number % 3]
        symbols = random_symbols(
            np.random.default_rng(0), *SIZE, count=1, num_frames=count, levels=0, rules=state.rules
        )
        symbols = replace(symbols, base=(luma, 512, 512))
        header = SegmentHeader(
            count, 56, symbols.num_control, symbols.num_trajectories, symbols.cell_bits, 1, symbols.base,
            symbols.margins, (),
        )  # fmt: skip
        (payload,) = encode_segment(symbols, header, state, *SIZE)
        parts.append(units.format_unit(units.SEGMENT, payload))
    path.write_bytes(b"".join(parts))
    return path


def endless(stream: GsvFile) -> Iterator[TrackSegment]:
    """The pieces of a stream over and over, in time."""
    start = 0
    while True:
        for p in stream.pieces():
            yield replace(p, start=start, chunks=tuple(replace(c, start=start) for c in p.chunks))
            start += p.duration


def playlists_of_parts(folder: Path) -> list[str]:
    """Media playlists of a live stream in parts, as they were after each part: a window of 24 s, a restart, an end."""
    from packager.gsv import GsvFile
    from packager.live import LivePublisher
    from packager.sink import LocalSink

    stream = GsvFile(write_stream(folder / "short.gsv", num_segments=10, num_frames=12, count=8))
    playlist = folder / "out" / "v0.m3u8"
    found = []
    for start in range(2):
        at = datetime(2026, 1, 2, 3, start, 5, tzinfo=UTC)
        live = LivePublisher(LocalSink(folder / "out"), at, Fraction(2), Fraction(24), partial=Fraction(1, 2))
        live.begin(stream.track())
        for piece in itertools.islice(endless(stream), 58):
            live.add(piece)
            found += [playlist.read_text()] if playlist.exists() else []
    live.end()
    return [*found, playlist.read_text()]
