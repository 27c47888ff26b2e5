"""Small videos for the corpus, written by PyAV and by the ffmpeg that imageio-ffmpeg ships, never by gvideo itself.

A frame's luma is flat and says which frame it is: code 40 + 10 k (of 8 bits) for frame k.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np

SIZE = (48, 32)
QUICK_X264 = {"preset": "ultrafast", "qp": "4", "bf": "0"}
#: With B-frames, so that decoders hold frames back.
DELAYED_X264 = {"preset": "medium", "qp": "4", "bf": "2", "b-adapt": "0", "x264-params": "scenecut=0"}


def level(number: int) -> int:
    """Luma of frame `number`, in codes of 8 bits."""
    return 40 + 10 * number


def flat(number: int, pix_fmt: str, size: tuple[int, int] = SIZE, luma: Callable[[int], int] = level) -> av.VideoFrame:
    """Frame `number`: flat luma (R'G'B': flat gray), neutral chroma, opaque."""
    frame = av.VideoFrame(*size, pix_fmt)
    parts = frame.format.components
    bits = max(c.bits for c in parts)
    for index, plane in enumerate(frame.planes):
        lines = np.frombuffer(plane, np.uint8 if bits == 8 else "<u2").reshape(plane.height, -1)
        value = luma(number)
        if not frame.format.is_rgb and index in (1, 2) and len(frame.planes) >= 3:
            value = 128
        lines[...] = value << (bits - 8)
        if pix_fmt in ("rgba", "bgra"):
            lines[:, 3::4] = 255
    return frame


def write(
    path: Path,
    count: int,
    *,
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    container_format: str | None = None,
    colour: tuple[int, int, int, int] | None = None,
    first: int = 0,
    luma: Callable[[int], int] = level,
    **context: Any,
) -> None:
    """`count` flat frames, numbered from `first`. times: in units of the time base. colour: primaries, transfer,
    matrix, range. luma: codes of 8 bits by number."""
    with av.open(str(path), "w", format=container_format, options=container or {}) as out:
        stream = out.add_stream(codec, rate=Fraction(1) / time_base, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        tags = dict(zip(("color_primaries", "color_trc", "colorspace", "color_range"), colour or (), strict=False))
        for key, value in {**tags, **context}.items():
            setattr(stream.codec_context, key, value)
        for k in range(count):
            frame = flat(first + k, pix_fmt, size, luma)
            frame.pts, frame.time_base = (times[k] if times else k), time_base
            for key, value in tags.items():
                setattr(frame, key, value)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def ffmpeg(*arguments: str | Path) -> None:
    """Runs ffmpeg; what it says is in the error if it fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def transport_stream(path: Path, count: int, *, first: int = 0, **options: Any) -> None:
    """An MPEG transport stream of H.264 with B-frames."""
    write(path, count, codec="libx264", options=DELAYED_X264, container_format="mpegts", first=first, **options)


def join(path: Path, *parts: Path) -> None:
    """One file of several, which go."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()
