"""The frames that everybody gets: one YUV4MPEG2 file of 8-bit 4:2:0 integers at one frame rate.

    clip --VideoSource(size, "420")--> integers --8 bits--> reference.y4m (FRAME\\n Y Cb Cr, …) --memmap--> arrays

Every codec reads this file, and every decoded stream is written in the same form, so that what is compared has been
rounded once and counted. A source of variable frame rate becomes one of its average rate: all codecs get the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gvideo.errors import MediaError
from gvideo.media import CodeFrame, VideoSource, chroma_shape, open_sink, planes_to_code_values
from gvideo.media.reading.pipe import PipeCopy, rereadable
from gvideo.media.timing import frame_rate_of
from gvideo.types import UInt8, VideoFormat

_MARK = b"FRAME\n"


@dataclass(frozen=True, slots=True)
class Planes:
    """Frames of a y4m file, mapped: y u8 [T,H,W], cb and cr u8 [T,ceil(H/2),ceil(W/2)]."""

    y: NDArray[np.uint8]
    cb: NDArray[np.uint8]
    cr: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True)
class ReferenceFrames:
    """The frames of a clip as all codecs get them. notes: what had to be changed on the way."""

    name: str
    path: Path
    format: VideoFormat
    rate: Fraction
    num_frames: int
    digest: str
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.num_frames / self.rate)

    @property
    def pixels(self) -> int:
        """Luma pixels of all frames."""
        return self.num_frames * self.format.width * self.format.height

    def planes(self) -> Planes:
        """The frames, mapped."""
        return read_y4m(self.path)


def prepare(
    clip: Path,
    folder: Path,
    size: tuple[int, int] | None = None,
    frames: tuple[int, int | None] = (0, None),
    *,
    stream: int | None = None,
    strict: bool = False,
) -> ReferenceFrames:
    """Writes reference.y4m of a clip into the folder. size (width, height): default the clip's own. frames: the first
    and the last, included. stream, strict: as VideoSource takes them.

    Sides are made even, which 4:2:0 encoders need. Raises MediaError for a clip that cannot be read.
    """
    with rereadable(clip) as source:
        return _prepared(clip, source, folder, size, frames, stream, strict)


def _prepared(
    clip: Path,
    source: Path | PipeCopy,
    folder: Path,
    size: tuple[int, int] | None,
    frames: tuple[int, int | None],
    stream: int | None,
    strict: bool,
) -> ReferenceFrames:
    notes = []
    first_frame, last_frame = frames
    with VideoSource(source, chroma_format="420", stream=stream) as probe:
        own = (probe.format.width, probe.format.height)
    wanted = size or own
    even = (max(2, wanted[0] // 2 * 2), max(2, wanted[1] // 2 * 2))
    if even != own:
        notes.append(f"resized from {own[0]}x{own[1]} to {even[0]}x{even[1]}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "reference.y4m"
    with VideoSource(
        source, size=even, first=first_frame, last=last_frame, chroma_format="420", stream=stream, strict=strict
    ) as video:
        stored = replace(video.format, bit_depth=8)
        if video.format.bit_depth != 8:
            notes.append(f"rounded from {video.format.bit_depth} to 8 bits")
        durations: list[int] = []
        first, end = 0, 0
        rate = video.average_rate
        with open_sink(path, stored, frame_rate=None if rate is None else Fraction(rate)) as sink:
            for frame in video.code_frames():
                codes = _eight_bits(frame, video.format, stored)
                sink.write_codes(codes, frame.pts, frame.duration)
                first = frame.pts if not durations else first
                end = frame.pts + frame.duration
                durations.append(frame.duration)
        if rate is None:
            rate = frame_rate_of(len(durations), end - first, stored.timescale)
        if durations and max(durations[:-1] or durations) > 1.5 * min(durations[:-1] or durations):
            notes.append(f"variable frame rate read as {float(rate):.3g} frames/s")
        notes += video.notes
    if last_frame is not None and len(durations) < last_frame - first_frame + 1:
        notes.append(f"has {len(durations)} frames, {last_frame - first_frame + 1} asked for")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    rate = Fraction(rate).limit_denominator(10**5)
    return ReferenceFrames(clip.name, path, stored, rate, len(durations), digest.hexdigest(), tuple(notes))


def _eight_bits(frame: CodeFrame, source: VideoFormat, stored: VideoFormat) -> tuple[Any, Any, Any]:
    if source.bit_depth == 8:
        return frame.planes
    return planes_to_code_values(frame.to_source_frame(source).planes, stored)


def read_y4m(path: Path) -> Planes:
    """Maps a 4:2:0 file of 8 bits; one of 10 bits is rounded to 8 in memory. Raises MediaError if it is neither."""
    with path.open("rb") as file:
        head = file.readline(512)
    fields = {f[:1]: f[1:] for f in head.decode("ascii", "replace").split()[1:] if not f.startswith("X")}
    if not head.startswith(b"YUV4MPEG2 ") or not fields.get("C", "420").startswith("420"):
        raise MediaError(f"{path}: not a 4:2:0 YUV4MPEG2 file")
    width, height = int(fields["W"]), int(fields["H"])
    low = chroma_shape(height, width, "420")
    depth = int(fields["C"].split("p")[-1]) if fields.get("C", "420").startswith("420p1") else 8
    kind = np.uint8 if depth == 8 else np.dtype("<u2")
    record = np.dtype([("mark", "S6"), ("y", kind, (height, width)), ("cb", kind, low), ("cr", kind, low)])
    count, rest = divmod(path.stat().st_size - len(head), record.itemsize)
    if rest or not count:
        raise MediaError(f"{path}: {rest} bytes too many for {count} frames")
    mapped = np.memmap(path, dtype=record, mode="r", offset=len(head), shape=(count,))
    if not bool((mapped["mark"] == _MARK).all()):
        raise MediaError(f"{path}: frame headers with parameters are not supported")
    return Planes(*(_rounded(mapped[name], depth) for name in ("y", "cb", "cr")))


def to_eight_bits(path: Path) -> None:
    """Replaces a y4m file of more than 8 bits by its frames rounded to 8, so that every tool sees the same codes."""
    with path.open("rb") as file:
        head = file.readline(512)
    if b" C420p1" not in head:
        return
    planes = read_y4m(path)
    fields = [b"C420mpeg2" if f.startswith(b"C") else f for f in head.split() if not f.startswith(b"XYSCSS")]
    partial = path.with_name("rounded-" + path.name)
    with partial.open("wb") as out:
        out.write(b" ".join(fields) + b"\n")
        for k in range(len(planes)):
            out.write(_MARK + planes.y[k].tobytes() + planes.cb[k].tobytes() + planes.cr[k].tobytes())
    partial.replace(path)


def _rounded(codes: NDArray[Any], depth: int) -> UInt8:
    if depth == 8:
        eight: UInt8 = codes
        return eight
    shift = depth - 8
    rounded = (codes.astype(np.uint32) + (1 << (shift - 1))) >> shift
    return np.asarray(np.minimum(rounded, 255), np.uint8)
