"""Compiles the kernels ahead, by using each once on a made clip, so that the first encode or decode does not wait.

made clip ──encode (with the extra)──► stream ──decode at its size and smaller──► machine code in the cache on disk
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from gvideo.bitstream.container import format_front, format_segment
from gvideo.bitstream.headers import SegmentHeader, SequenceHeader
from gvideo.entropy.segment import encode_segment
from gvideo.entropy.sequence import SequenceState
from gvideo.extras import missing
from gvideo.model import symbols as sym
from gvideo.model.symbols import SegmentSymbols
from gvideo.types import Float32, VideoFormat

_WIDTH, _HEIGHT, _NUM_FRAMES = 64, 48, 8


def warm_up() -> None:
    """Uses every kernel that decoding needs, and where the extra is there, those of encoding; what is compiled already
    is loaded."""
    from gvideo.decoder import VideoDecoder

    with tempfile.TemporaryDirectory(prefix="gvideo-") as folder:
        for video in (VideoDecoder(stream) for stream in _streams(Path(folder))):
            with video:
                video.planes_at([0, len(video) - 1])
                video.get_frames_at([0], shape=(_HEIGHT // 2, _WIDTH // 2))


def _streams(folder: Path) -> list[bytes]:
    if missing("encode"):
        return [_drawn_stream()]
    from gvideo.encoder.jobs.encode import encode
    from gvideo.media import open_sink

    source = folder / "made.y4m"
    with open_sink(source, VideoFormat(_WIDTH, _HEIGHT, timescale=25), frame_rate=Fraction(25)) as sink:
        for number, planes in enumerate(_frames()):
            sink.write(planes, pts=number, duration=1)
    streams = []
    for preset, layers in (("fast", 1), ("medium", 2)):
        out = folder / f"{preset}.gsv"
        encode(source, out, preset=preset, crf=40, layers=layers, workers=1, device="cpu", grain=layers > 1)
        streams.append(out.read_bytes())
    return streams


def _frames() -> list[Float32]:
    """Planes f32 [3,H,W] of a disc that crosses a gradient."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float32)
    out = []
    for t in range(_NUM_FRAMES):
        disc = np.exp(-((x - 12 - 4 * t) ** 2 + (y - 24) ** 2) / 60)
        out.append(np.stack([0.2 + x / 128 + 0.4 * disc, 0.2 * disc, -0.1 * disc]).astype(np.float32))
    return out


def _drawn_stream() -> bytes:
    """A stream of one Gaussian that nobody fitted: coding it and drawing it needs no torch."""
    table = np.zeros((1, sym.NUM_COLUMNS), np.int64)
    table[0, sym.LUMA] = 1
    residual, control = np.zeros((1, 8), np.int64), np.zeros((0, 4, 6), np.int64)
    symbols = SegmentSymbols(table, residual, control, (1,), (512, 512, 512), 2, (0, 0, 0, 0))
    header = SegmentHeader(_NUM_FRAMES, 56, 4, 1, 2, 1, symbols.base)
    sequence = SequenceHeader(_WIDTH, _HEIGHT, 25, 1)
    state = SequenceState.of(sequence).with_distortion(header.distortion)
    payloads = encode_segment(symbols, header, state, _WIDTH, _HEIGHT)
    return format_front(sequence, ()) + b"".join(format_segment(payloads))
