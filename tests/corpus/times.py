"""Times: delays of animations, clocks that wrap, rates that vary, formats without presentation times."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
from corpus.registry import TS_START, Outcome, odd, steps
from corpus.writing import DELAYED_X264, QUICK_X264, ffmpeg, flat, transport_stream, write

KIND = "Times"


@odd(
    KIND, "delays.gif", "GIF with delays of 0, 10, 20 and 500 ms",
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
    KIND, "delays.apng", "APNG with delays of 0, 10, 20 and 500 ms",
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
    KIND, "delays.webp", "animated WebP with delays of 0, 10, 80 and 720 ms",
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
    KIND, "wrap.ts", "MPEG-TS whose 33-bit clock wraps after six frames",
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
    KIND, "phone.mp4", "MP4 of a phone: variable frame rate at 90 kHz, turned by 90 degrees",
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
    KIND, "same_millisecond.mkv", "Matroska, 25 frames/s; two frames 0.2 ms apart, in one millisecond",
    "all frames in order; the second of the two half a frame after the first (60 ms), the others at their times",
    Outcome([0, 0.04, 0.06, 0.08, 0.12], range(5)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 5, times=[0, 400, 402, 800, 1200], time_base=Fraction(1, 10000))


@odd(
    KIND, "packed.avi", "AVI with packed B-frames (P and B in one chunk, then an empty one)",
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
    KIND, "bframes.avi", "AVI of H.264 with B-frames, whose presentation times nobody wrote down",
    "every frame, 40 ms apart",
    Outcome(steps(10, 0.08), range(10)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 10, codec="libx264", options=DELAYED_X264)


@odd(
    KIND, "edit_list.mp4", "MP4 whose edit list hides its first 0.2 s",
    "what the list hides is not there; the rest from zero on",
    Outcome(steps(5), range(5, 10)),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mp4")
    write(plain, 10, codec="libx264", options=QUICK_X264)
    ffmpeg("-ss", "0.2", "-i", plain, "-c", "copy", path)
    plain.unlink()


@odd(
    KIND, "late.mp4", "MP4 that starts at 2 s", "starts at 2 s",
    Outcome(steps(4, 2.0), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="libx264", options=QUICK_X264, times=[50, 51, 52, 53], container={"movie_timescale": "25000"})


@odd(
    KIND, "raw.h264", "an elementary stream with B-frames and no times", "presentation order, at the stated rate",
    Outcome(steps(8), range(8)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 8, codec="libx264", options=DELAYED_X264, container_format="h264")
