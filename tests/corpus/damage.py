"""Files that are cut off or damaged."""

from __future__ import annotations

from pathlib import Path

import av
from corpus.registry import Outcome, odd, steps
from corpus.writing import QUICK_X264, write

KIND = "Missing and damaged"


@odd(
    KIND, "cut_off.mp4", "MP4 of 20 frames with its index in front, cut off behind the tenth",
    "the frames that are there; one line says how many the header promises; refused with --strict",
    Outcome(steps(10), range(10), notes=[r"^10 of the 20 frames that the header promises came, 1 damaged packet"]),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 20, codec="libx264", options=QUICK_X264, container={"movflags": "faststart"})
    with av.open(str(path)) as whole:
        sizes = [(p.pos, p.size) for p in whole.demux(video=0) if p.size]
    path.write_bytes(path.read_bytes()[: sizes[10][0] + sizes[10][1] // 2])


@odd(
    KIND, "damaged.mp4", "MP4 of 12 key frames, bytes of the fifth overwritten",
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
    KIND, "cut_off.webp", "animated WebP cut off within its second frame", "refused in one line",
    Outcome(error="cannot be read as an animated WebP; it is damaged"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 4, codec="libwebp_anim", pix_fmt="bgra", options={"lossless": "1"}, container_format="webp")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"ANMF", data.index(b"ANMF") + 1) + 30])


@odd(
    KIND, "no_index.mp4", "MP4 cut off before the index at its end", "refused in one line",
    Outcome(error="cannot be read as video"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 12, codec="libx264", options=QUICK_X264)
    path.write_bytes(path.read_bytes()[:-400])


@odd(
    KIND, "cut_fragment.mp4", "fragmented MP4, cut off within the last of three fragments",
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
    KIND, "cut_off.mkv", "Matroska (of FFmpeg) cut off within the seventh frame",
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
    KIND, "cut_off.y4m", "YUV4MPEG2 cut off within the fourth frame",
    "the frames that are there (nothing promises a number, so nothing is said)",
    Outcome(steps(3), range(3)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 6, codec="wrapped_avframe", container_format="yuv4mpegpipe")
    data = path.read_bytes()
    frame = 48 * 32 * 3 // 2 + 6
    path.write_bytes(data[: len(data) - 6 * frame + 3 * frame + 700])
