"""Odd inputs: what a codec's users bring that is no plain film, and what must come out of each.

    python tests/corpus/odd_inputs.py FOLDER      makes all of them
    python tests/corpus/odd_inputs.py --list      prints README.md

Every input is a few small frames (writing.py), so that all are made and read within seconds; test_corpus.py reads each
and compares with its outcome.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
from corpus.writing import DELAYED_X264, QUICK_X264, ffmpeg, flat, level, transport_stream, write


@dataclass(frozen=True)
class Outcome:
    """What reading must give. times: of the frames, in seconds, to half a millisecond. frames: their numbers in the
    picture (writing.level), None: not looked at. last: how long the last one lasts, in seconds. notes: patterns, one a
    note, in any order. error: pattern of the refusal, instead of all else. The rest as VideoFormat has it."""

    times: Sequence[float] = ()
    frames: Sequence[int] | None = None
    last: float | None = None
    size: tuple[int, int] = (48, 32)
    chroma_format: str = "420"
    bit_depth: int = 8
    colour: tuple[int, int, int, bool] | None = None
    rotation: int = 0
    notes: Sequence[str] = ()
    error: str = ""
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OddInput:
    """An input by its name (a pattern for pictures), what it is and what comes out, in words and as an outcome."""

    kind: str
    name: str
    what: str
    expected: str
    make: Callable[[Path], None]
    outcome: Outcome


INPUTS: list[OddInput] = []


def odd(
    kind: str, name: str, what: str, expected: str, outcome: Outcome
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Adds an input that the decorated function makes at a path."""

    def add(make: Callable[[Path], None]) -> Callable[[Path], None]:
        INPUTS.append(OddInput(kind, name, what, expected, make, outcome))
        return make

    return add


#: Where writing.transport_stream's first frame is, in seconds.
TS_START = 0.08


def steps(count: int, start: float = 0.0, step: float = 0.04) -> list[float]:
    """`count` evenly spaced times."""
    return [start + k * step for k in range(count)]


# --- times

DELAYS = "Times"


@odd(
    DELAYS, "delays.gif", "GIF with delays of 0, 10, 20 and 500 ms",
    "as browsers: 100, 100, 20 and 500 ms; played once",
    Outcome([0, 0.1, 0.2, 0.22], range(4), 0.5, chroma_format="444", colour=(1, 13, 1, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="gif", pix_fmt="gray")
    data = bytearray(path.read_bytes())
    at = -1
    for delay in (0, 1, 2, 50):
        at = data.index(b"\x21\xf9\x04", at + 1)
        data[at + 4 : at + 6] = struct.pack("<H", delay)
    path.write_bytes(data)


@odd(
    DELAYS, "delays.apng", "APNG with delays of 0, 10, 20 and 500 ms",
    "as browsers: 100, 100, 20 and 500 ms; played once",
    Outcome([0, 0.1, 0.2, 0.22], range(4), 0.5, chroma_format="444", colour=(1, 13, 1, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="apng", pix_fmt="rgb24", container_format="apng")
    data = bytearray(path.read_bytes())
    at = -1
    for number, delay in enumerate((0, 10, 20, 500)):
        at = data.index(b"fcTL", at + 1)
        data[at + 24 : at + 28] = struct.pack(">HH", delay, 1000 if number else 0)
        data[at + 30 : at + 34] = struct.pack(">I", zlib.crc32(data[at : at + 30]))
    path.write_bytes(data)


@odd(
    DELAYS, "delays.webp", "animated WebP with delays of 0, 10, 80 and 720 ms",
    "as browsers: 100, 100, 80 and 720 ms; played once",
    Outcome([0, 0.1, 0.2, 0.28], range(4), 0.72, chroma_format="444", colour=(1, 13, 1, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="libwebp_anim", pix_fmt="bgra", options={"lossless": "1"}, container_format="webp")
    data = bytearray(path.read_bytes())
    at = -1
    for delay in (0, 10, 80, 720):
        at = data.index(b"ANMF", at + 1)
        data[at + 20 : at + 23] = delay.to_bytes(3, "little")
    path.write_bytes(data)


@odd(
    DELAYS, "wrap.ts", "MPEG-TS whose 33-bit clock wraps after six frames",
    "starts before zero, goes on without a gap; in .mp4 and .mkv all frames, from zero on",
    Outcome(steps(12, -0.24), range(12)),
)  # fmt: skip
def _(path: Path) -> None:
    whole = path.with_name("unwrapped.ts")
    transport_stream(whole, 12)
    offset = 2**33 / 90000 - TS_START - 0.24
    ffmpeg("-copyts", "-i", whole, "-c", "copy", "-muxdelay", "0", "-muxpreload", "0",
           "-output_ts_offset", f"{offset:.6f}", "-f", "mpegts", path)  # fmt: skip
    whole.unlink()


@odd(
    DELAYS, "phone.mp4", "MP4 of a phone: variable frame rate at 90 kHz, turned by 90 degrees",
    "its own times; rotation 90",
    Outcome([0, 3003 / 90000, 6105 / 90000, 0.1, 0.3, 1.7], range(6), rotation=90),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mp4")
    ticks = {"video_track_timescale": "90000"}
    times = [0, 3003, 6105, 9000, 27000, 153000]
    write(plain, 6, codec="libx264", options=QUICK_X264, times=times, time_base=Fraction(1, 90000), container=ticks)
    ffmpeg("-display_rotation", "270", "-i", plain, "-c", "copy", "-video_track_timescale", "90000", path)
    plain.unlink()


@odd(
    DELAYS, "same_millisecond.mkv", "Matroska, 25 frames/s; two frames 0.2 ms apart, in one millisecond",
    "all frames in order; the second of the two half a frame after the first (60 ms), the others at their times",
    Outcome([0, 0.04, 0.06, 0.08, 0.12], range(5)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 5, times=[0, 400, 402, 800, 1200], time_base=Fraction(1, 10000))
    _patch_default_duration(path, 40_000_000)


def _patch_default_duration(path: Path, nanoseconds: int) -> None:
    """Sets what Matroska says of a frame's usual duration, if it says it."""
    data = bytearray(path.read_bytes())
    at = data.find(b"\x23\xe3\x83\x84")
    if at >= 0:
        data[at + 4 : at + 8] = struct.pack(">I", nanoseconds)
        path.write_bytes(data)


@odd(
    DELAYS, "packed.avi", "AVI with packed B-frames (P and B in one chunk, then an empty one)",
    "every frame, 40 ms apart; AVI knows no presentation times, so it begins when the decoder gives the first",
    Outcome(steps(9, 0.04), range(9)),
)  # fmt: skip
def _(path: Path) -> None:
    mark, empty = b"\0\0\1\xb2DivX503b1393p", bytes.fromhex("000001b6504f7f")
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"bf": "1", "qscale": "1", "flags": "+qscale"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        packets = []
        for k in range(9):
            frame = flat(k, "yuv420p")
            frame.pts = k
            packets += [bytes(p) for p in stream.encode(frame)]
        packets += [bytes(p) for p in stream.encode(None)]
        head, rest = packets[0], packets[1:]
        at = head.index(b"\0\0\1\xb2")
        chunks = [head[:at] + mark + head[head.index(b"\0\0\1", at + 4) :]]
        for k in range(0, len(rest), 2):
            pair = rest[k : k + 2]
            chunks += [b"".join(pair), empty] if len(pair) == 2 else pair
        for k, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = k
            packet.is_keyframe = k == 0
            out.mux(packet)


@odd(
    DELAYS, "bframes.avi", "AVI of H.264 with B-frames, whose presentation times nobody wrote down",
    "every frame, 40 ms apart",
    Outcome(steps(10, 0.08), range(10)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 10, codec="libx264", options=DELAYED_X264)


@odd(
    DELAYS, "edit_list.mp4", "MP4 whose edit list hides its first 0.2 s",
    "what the list hides is not there; the rest from zero on",
    Outcome(steps(5), range(5, 10)),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mp4")
    write(plain, 10, codec="libx264", options=QUICK_X264)
    ffmpeg("-ss", "0.2", "-i", plain, "-c", "copy", path)
    plain.unlink()


@odd(
    DELAYS, "late.mp4", "MP4 that starts at 2 s", "starts at 2 s",
    Outcome(steps(4, 2.0), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="libx264", options=QUICK_X264, times=[50, 51, 52, 53], container={"movie_timescale": "25000"})


@odd(
    DELAYS, "raw.h264", "an elementary stream with B-frames and no times", "presentation order, at the stated rate",
    Outcome(steps(8), range(8)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 8, codec="libx264", options=DELAYED_X264, container_format="h264")


# --- joined and mixed

JOINED = "Programmes and streams"


def _joined(path: Path, *parts: Path) -> None:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


@odd(
    JOINED, "restart.ts", "two MPEG-TS programmes joined; the second clock is that of the first anew",
    "the second follows at once; one line says where",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps to 0\.080 s at 0\.320 s"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6)
    _joined(path, a, b)


@odd(
    JOINED, "restart.mpg", "two MPEG-PS programmes (MPEG-2) joined; the second clock is that of the first anew",
    "the second follows at once; one line says where",
    Outcome(steps(12, 0.54), range(12), notes=[r"clock jumps to 0\.540 s at 0\.780 s"]),
)  # fmt: skip
def _(path: Path) -> None:
    parts = [path.with_name("a.mpg"), path.with_name("b.mpg")]
    plain = path.with_name("plain.mkv")
    for k, part in enumerate(parts):
        write(plain, 6, first=6 * k)
        ffmpeg("-i", plain, "-c:v", "mpeg2video", "-qscale:v", "1", "-bf", "2", part)
    plain.unlink()
    _joined(path, *parts)


@odd(
    JOINED, "jump.ts", "two MPEG-TS programmes joined; the second clock is an hour on",
    "the second follows at once; one line says where",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps to 3601\.\d+ s at 0\.320 s"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b, c = (path.with_name(name) for name in ("a.ts", "b.ts", "c.ts"))
    transport_stream(a, 6)
    transport_stream(b, 6, first=6)
    ffmpeg("-i", b, "-c", "copy", "-output_ts_offset", "3600", "-f", "mpegts", c)
    b.unlink()
    _joined(path, a, c)


@odd(
    JOINED, "other_size.ts", "two MPEG-TS programmes joined, 48x32 and 64x48",
    "scaled to the first size; two lines: where the clock restarts, and which sizes",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps", r"64x48 from 0\.320 s on, scaled to the 48x32"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6, size=(64, 48))
    _joined(path, a, b)


@odd(
    JOINED, "other_pid.ts", "two MPEG-TS programmes joined, whose streams have different numbers (PIDs)",
    "two streams, as with ffmpeg: the first, or that of --stream",
    Outcome(steps(6, TS_START), range(6, 12), options={"stream": 1}),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6, container={"mpegts_start_pid": "0x300"})
    _joined(path, a, b)


@odd(
    JOINED, "two_programmes.ts", "an MPEG-TS of two programmes side by side, 32x32 and 48x32",
    "the larger picture",
    Outcome(steps(6, 1.4), None),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.mkv"), path.with_name("b.mkv")
    write(a, 6, size=(32, 32))
    write(b, 6)
    ffmpeg("-i", a, "-i", b, "-map", "0:v", "-map", "1:v", "-c:v", "libx264", "-bf", "0", "-qp", "4",
           "-program", "title=small:st=0", "-program", "title=large:st=1", path)  # fmt: skip
    a.unlink()
    b.unlink()


def _two_streams(path: Path, default: int) -> None:
    a, b = path.with_name("a.mp4"), path.with_name("b.mp4")
    write(a, 4, codec="libx264", options=QUICK_X264, size=(64, 48))
    write(b, 6, codec="libx264", options=QUICK_X264, first=10)
    ffmpeg("-i", a, "-i", b, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "0",
           f"-disposition:v:{default}", "default", path)  # fmt: skip
    a.unlink()
    b.unlink()


@odd(
    JOINED, "second_default.mp4", "two video streams, 64x48 and 48x32; the second has the default disposition",
    "the second, as ffmpeg chooses",
    Outcome(steps(6), range(10, 16)),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    JOINED, "asked_for.mp4", "the same, with --stream 0", "the first",
    Outcome(steps(4), range(4), size=(64, 48), options={"stream": 0}),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    JOINED, "no_such_stream.mp4", "the same, with --stream 5", "refused; the line lists what there is",
    Outcome(error=r"--stream 5: .* 0 \(64x48\), 1 \(48x32, default\)", options={"stream": 5}),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    JOINED, "no_default.mkv", "two video streams, 32x32 and 48x32, none the default", "the larger",
    Outcome(steps(5), range(10, 15)),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.mkv"), path.with_name("b.mkv")
    write(a, 4, size=(32, 32))
    write(b, 5, first=10)
    ffmpeg("-i", a, "-i", b, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "0", path)
    a.unlink()
    b.unlink()


@odd(
    JOINED, "cover.mp4", "a small film behind a cover picture", "the film",
    Outcome(steps(4), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    a, cover = path.with_name("a.mp4"), path.with_name("cover.png")
    write(a, 4, codec="libx264", options=QUICK_X264)
    write(cover, 1, codec="png", pix_fmt="rgb24", size=(200, 200), container_format="image2", container={"update": "1"})
    ffmpeg("-i", cover, "-i", a, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", path)
    a.unlink()
    cover.unlink()


# --- damage

DAMAGE = "Missing and damaged"


@odd(
    DAMAGE, "cut_off.mp4", "MP4 of 20 frames with its index in front, cut off behind the tenth",
    "the frames that are there; one line says how many the header promises; refused with --strict",
    Outcome(steps(10), range(10), notes=[r"^10 of the 20 frames that the header promises came, 1 damaged packet"]),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 20, codec="libx264", options=QUICK_X264, container={"movflags": "faststart"})
    with av.open(str(path)) as whole:
        sizes = [(p.pos, p.size) for p in whole.demux(video=0) if p.size]
    path.write_bytes(path.read_bytes()[: sizes[10][0] + sizes[10][1] // 2])


@odd(
    DAMAGE, "damaged.mp4", "MP4 of 12 key frames, bytes of the fifth overwritten",
    "the others, at their times; one line; refused with --strict",
    Outcome(
        [*steps(4), *steps(7, 0.2)], [*range(4), *range(5, 12)],
        notes=[r"^11 of the 12 frames that the header promises came, 1 damaged packet"],
    ),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 12, codec="libx264", options={**QUICK_X264, "g": "1"})
    with av.open(str(path)) as whole:
        packet = [p for p in whole.demux(video=0) if p.size][4]
    data = bytearray(path.read_bytes())
    assert packet.pos is not None
    data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)


@odd(
    DAMAGE, "cut_off.webp", "animated WebP cut off within its second frame", "refused in one line",
    Outcome(error="cannot be read as an animated WebP; it is damaged"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="libwebp_anim", pix_fmt="bgra", options={"lossless": "1"}, container_format="webp")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"ANMF", data.index(b"ANMF") + 1) + 30])


@odd(
    DAMAGE, "no_index.mp4", "MP4 cut off before the index at its end", "refused in one line",
    Outcome(error="cannot be read as video"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 12, codec="libx264", options=QUICK_X264)
    path.write_bytes(path.read_bytes()[:-400])


@odd(
    DAMAGE, "cut_fragment.mp4", "fragmented MP4, cut off within the last of three fragments",
    "the frames that are there; one line on the packet that was cut (no header promises a number)",
    Outcome(steps(14), range(14), notes=[r"^1 damaged packet"]),
)  # fmt: skip
def _(path: Path) -> None:
    flags = {"movflags": "frag_keyframe+empty_moov"}
    write(path, 18, codec="libx264", options={**QUICK_X264, "g": "6"}, container=flags)
    with av.open(str(path)) as whole:
        packet = [p for p in whole.demux(video=0) if p.size][14]
    assert packet.pos is not None
    path.write_bytes(path.read_bytes()[: packet.pos + packet.size // 2])


@odd(
    DAMAGE, "cut_off.mkv", "Matroska (of FFmpeg) cut off within the seventh frame",
    "the frames that are there; one line: its tags promise a time; refused with --strict",
    Outcome(steps(6), range(6), notes=[r"^6 frames came, to 0\.240 s of the 0\.480 s that the header promises"]),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 12, codec="rawvideo")
    with av.open(str(path)) as whole:
        packet = [p for p in whole.demux(video=0) if p.size][6]
    assert packet.pos is not None
    path.write_bytes(path.read_bytes()[: packet.pos + packet.size // 2])


@odd(
    DAMAGE, "cut_off.y4m", "YUV4MPEG2 cut off within the fourth frame",
    "the frames that are there (nothing promises a number, so nothing is said)",
    Outcome(steps(3), range(3)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 6, codec="wrapped_avframe", container_format="yuv4mpegpipe")
    data = path.read_bytes()
    frame = 48 * 32 * 3 // 2 + 6
    path.write_bytes(data[: len(data) - 6 * frame + 3 * frame + 700])


# --- pictures

PICTURES = "Pictures"


def _pictures(pattern: Path, numbers: Sequence[int]) -> None:
    for k, number in enumerate(numbers):
        name = pattern.with_name(pattern.name % number)
        write(name, 1, codec="png", pix_fmt="gray", first=k, container_format="image2", container={"update": "1"})


GRAY_PNG = (6, 6, 6, True)


@odd(
    PICTURES, "gap_%03d.png", "numbered pictures 1, 2, 4, 5",
    "the first two; one line names the missing one and counts those behind; refused with --strict",
    Outcome(steps(2), range(2), colour=GRAY_PNG, notes=[r"^gap_003\.png is missing; the 2 .* the 2 behind"]),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, (1, 2, 4, 5))


@odd(
    PICTURES, "from_seven_%03d.png", "numbered pictures from 7 to 11", "all five",
    Outcome(steps(5), range(5), colour=GRAY_PNG),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, range(7, 12))


@odd(
    PICTURES, "unpadded_%d.png", "numbered pictures 8, 9, 10, 11 without leading zeros", "all four, in order",
    Outcome(steps(4), range(4), colour=GRAY_PNG),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, range(8, 12))


@odd(PICTURES, "none_%03d.png", "a pattern that fits no file", "refused in one line", Outcome(error="fits the pattern"))
def _(path: Path) -> None:
    path.with_name("none_1.png").write_bytes(b"")


@odd(
    PICTURES, "sizes_%d.png", "numbered pictures of two sizes", "the size of the first; one line",
    Outcome(steps(3), range(3), colour=GRAY_PNG, notes=["pictures are 30x20 from 0.040 s on, scaled to the 48x32"]),
)  # fmt: skip
def _(path: Path) -> None:
    for k, size in enumerate([(48, 32), (30, 20), (48, 32)]):
        name = path.with_name(path.name % k)
        options = {"update": "1"}
        write(name, 1, codec="png", pix_fmt="gray", first=k, size=size, container_format="image2", container=options)


@odd(
    PICTURES, "clear.png", "a PNG, half of it transparent", "its colours, without transparency; one line",
    Outcome(
        [0], range(1), 0.04, chroma_format="444", colour=(1, 13, 1, True), notes=["^transparency is dropped"]
    ),
)  # fmt: skip
def _(path: Path) -> None:
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgba"
        pixels = np.full((32, 48, 4), level(0), np.uint8)
        pixels[..., 3] = 255
        pixels[:16, :, 3] = 0
        frame = av.VideoFrame.from_ndarray(pixels, "rgba")
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@odd(
    PICTURES, "opaque.png", "a PNG with an alpha channel that is opaque everywhere", "its colours; nothing to say",
    Outcome([0], range(1), 0.04, chroma_format="444", colour=(1, 13, 1, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 1, codec="png", pix_fmt="rgb24", container_format="image2", container={"update": "1"})
    plain = path.rename(path.with_name("plain.png"))
    ffmpeg("-i", plain, "-pix_fmt", "rgba", path)
    plain.unlink()


@odd(
    PICTURES, "clear.webm", "VP8 with transparency in WebM", "its colours; one line",
    Outcome(steps(3), range(3), notes=["^transparency is dropped"]),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mkv")
    write(plain, 3)
    ffmpeg("-i", plain, "-pix_fmt", "yuva420p", "-c:v", "libvpx", "-auto-alt-ref", "0", "-crf", "4", "-b:v", "1M",
           "-metadata:s:v:0", "alpha_mode=1", path)  # fmt: skip
    plain.unlink()


# --- colour and sampling

FORMATS = "Colour, depth and sampling"
HDR = (9, 16, 9, False)


@odd(
    FORMATS, "hdr10.mkv", "HDR: 10 bits, BT.2020, PQ", "10 bits and its tags; PQ is carried along, not applied",
    Outcome(steps(3), range(3), bit_depth=10, colour=HDR),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="yuv420p10le", colour=(9, 16, 9, 1))


@odd(
    FORMATS, "hlg.mp4", "HDR: H.265 of 10 bits, BT.2020, HLG", "10 bits and its tags",
    Outcome(steps(3), range(3), bit_depth=10, colour=(9, 18, 9, False)),
)  # fmt: skip
def _(path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "qp=4:bframes=0:log-level=none"}
    write(path, 3, codec="libx265", pix_fmt="yuv420p10le", colour=(9, 18, 9, 1), options=options)


@odd(
    FORMATS, "twelve_bits.mkv", "12 bits, 4:2:2", "12 bits, 4:2:2",
    Outcome(steps(3), range(3), bit_depth=12, chroma_format="422"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="yuv422p12le")


@odd(
    FORMATS, "gray.mkv", "gray without chroma, no range stated", "full range, neutral chroma of 4:2:0",
    Outcome(steps(3), range(3), colour=(6, 6, 6, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="gray")


@odd(
    FORMATS, "gray10.mkv", "gray of 10 bits", "10 bits, full range",
    Outcome(steps(3), range(3), bit_depth=10, colour=(6, 6, 6, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="gray10le")


@odd(
    FORMATS, "quarter.nut", "4:1:1", "4:2:2, the next finer sampling",
    Outcome(steps(3), range(3), chroma_format="422"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, codec="rawvideo", pix_fmt="yuv411p", container_format="nut")


@odd(
    FORMATS, "one_pixel.nut", "a film of one pixel", "a film of one pixel",
    Outcome(steps(2), range(2), size=(1, 1)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 2, size=(1, 1), codec="rawvideo", container_format="nut")


@odd(
    FORMATS, "interlaced.mpg", "interlaced MPEG-2", "frames as they are, both fields woven",
    Outcome(steps(4, 0.54), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mkv")
    write(plain, 4)
    ffmpeg("-i", plain, "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-field_order", "tt", "-qscale:v", "1",
           "-bf", "0", path)  # fmt: skip
    plain.unlink()


@odd(
    FORMATS, "range.ts", "H.264 whose range switches to full at the seventh frame",
    "one look: converted to the range of the first; one line",
    Outcome(steps(12, TS_START), range(12), notes=[r"^range full instead of limited from 0\.320 s on; converted"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(
        b, 6, first=6, colour=(6, 6, 6, 2), container={"output_ts_offset": "0.32"},
        luma=lambda number: round((level(number) - 16) * 255 / 219),
    )  # fmt: skip
    _joined(path, a, b)


@odd(
    FORMATS, "matrix.ts", "H.264 whose matrix switches from BT.601 to BT.709 at the seventh frame",
    "one look: converted to the matrix of the first; two lines, as primaries and transfer are not converted",
    Outcome(
        steps(12, TS_START), range(12),
        notes=[r"^matrix 1 instead of 6 from 0\.320 s on; converted", "^primaries 1 instead of 6, transfer 1"],
    ),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6, colour=(6, 6, 6, 1))
    transport_stream(b, 6, first=6, colour=(1, 1, 1, 1), container={"output_ts_offset": "0.32"})
    _joined(path, a, b)


# --- orientation

ORIENTATION = "Orientation"
#: Options of ffmpeg that write a display matrix, what they show, and the rotation left to players.
ORIENTATIONS = {
    "upright": ((), "as coded", 0),
    "turned_90": (("-display_rotation", "270"), "turned by 90 degrees clockwise", 90),
    "turned_180": (("-display_rotation", "180"), "turned by 180 degrees", 180),
    "turned_270": (("-display_rotation", "90"), "turned by 270 degrees clockwise", 270),
    "left_right": (("-display_rotation", "0", "-display_hflip"), "mirrored left to right", 0),
    "top_bottom": (("-display_rotation", "0", "-display_vflip"), "mirrored top to bottom", 0),
    "transposed": (("-display_rotation", "90", "-display_vflip"), "mirrored at the main diagonal", 90),
    "transversed": (("-display_rotation", "90", "-display_hflip"), "mirrored at the other diagonal", 270),
}


def _oriented(options: Sequence[str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        plain = path.with_name("plain.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=25", "-frames:v", "2", "-c:v", "libx264", "-qp", "4",
               "-pix_fmt", "yuv420p", plain)  # fmt: skip
        ffmpeg(*options, "-i", plain, "-c", "copy", path)
        plain.unlink()

    return make


for _name, (_options, _what, _rotation) in ORIENTATIONS.items():
    odd(
        ORIENTATION, f"{_name}.mp4", f"a display matrix: {_what}", f"as ffmpeg shows it; rotation {_rotation}",
        Outcome(steps(2), None, rotation=_rotation),
    )(_oriented(_options))  # fmt: skip


def _exif(number: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=s=48x32:r=25", "-frames:v", "1", "-pix_fmt", "yuvj420p", "-q:v", "2", path
        )
        entry = struct.pack(">HHIHH", 0x0112, 3, 1, number, 0)
        body = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
        data = path.read_bytes()
        path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])

    return make


#: EXIF's numbers of orientations and the rotation left to players.
EXIF = {1: 0, 2: 0, 3: 180, 4: 0, 5: 90, 6: 90, 7: 270, 8: 270}
for _number, _rotation in EXIF.items():
    odd(
        ORIENTATION, f"exif_{_number}.jpg", f"JPEG with EXIF orientation {_number}",
        f"as ffmpeg shows it; rotation {_rotation}",
        Outcome([0], None, rotation=_rotation),
    )(_exif(_number))  # fmt: skip


# --- the list


def readme() -> str:
    """The list of all inputs as Markdown."""
    lines = [
        "# Odd inputs",
        "",
        "What users bring that is no plain film, and what must come out. `odd_inputs.py` makes the inputs and this",
        "list, `test_corpus.py` reads each and compares times, pictures, format and what is said. Pipes, which are no",
        "files, are in `tests/media/test_pipe.py`.",
        "",
        "    python tests/corpus/odd_inputs.py FOLDER             # makes all of them",
        "    python tests/corpus/odd_inputs.py --list > tests/corpus/README.md",
    ]
    for kind in dict.fromkeys(each.kind for each in INPUTS):
        lines += ["", f"## {kind}", "", "| input | what it is | what comes out |", "|---|---|---|"]
        lines += [f"| `{i.name}` | {i.what} | {i.expected} |" for i in INPUTS if i.kind == kind]
    return "\n".join(lines) + "\n"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--list":
        print(readme(), end="")
        return
    for each in INPUTS:
        folder = Path(sys.argv[1], Path(each.name).stem.split("%")[0].rstrip("_"))
        folder.mkdir(parents=True, exist_ok=True)
        each.make(folder / each.name)


if __name__ == "__main__":
    main()
