"""Colour, depth and sampling, also where they switch midway."""

from __future__ import annotations

from pathlib import Path

from corpus.registry import TS_START, Outcome, odd, steps
from corpus.writing import ffmpeg, join, level, transport_stream, write

KIND = "Colour, depth and sampling"
HDR = (9, 16, 9, False)


@odd(
    KIND, "hdr10.mkv", "HDR: 10 bits, BT.2020, PQ", "10 bits and its tags; PQ is carried along, not applied",
    Outcome(steps(3), range(3), bit_depth=10, colour=HDR),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="yuv420p10le", colour=(9, 16, 9, 1))


@odd(
    KIND, "hlg.mp4", "HDR: H.265 of 10 bits, BT.2020, HLG", "10 bits and its tags",
    Outcome(steps(3), range(3), bit_depth=10, colour=(9, 18, 9, False)),
)  # fmt: skip
def _(path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "qp=4:bframes=0:log-level=none"}
    write(path, 3, codec="libx265", pix_fmt="yuv420p10le", colour=(9, 18, 9, 1), options=options)


@odd(
    KIND, "twelve_bits.mkv", "12 bits, 4:2:2", "12 bits, 4:2:2",
    Outcome(steps(3), range(3), bit_depth=12, chroma_format="422"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="yuv422p12le")


@odd(
    KIND, "gray.mkv", "gray without chroma, no range stated", "full range, neutral chroma of 4:2:0",
    Outcome(steps(3), range(3), colour=(6, 6, 6, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="gray")


@odd(
    KIND, "gray10.mkv", "gray of 10 bits", "10 bits, full range",
    Outcome(steps(3), range(3), bit_depth=10, colour=(6, 6, 6, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, pix_fmt="gray10le")


@odd(
    KIND, "quarter.nut", "4:1:1", "4:2:2, the next finer sampling",
    Outcome(steps(3), range(3), chroma_format="422"),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 3, codec="rawvideo", pix_fmt="yuv411p", container_format="nut")


@odd(
    KIND, "one_pixel.nut", "a film of one pixel", "a film of one pixel",
    Outcome(steps(2), range(2), size=(1, 1)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 2, size=(1, 1), codec="rawvideo", container_format="nut")


@odd(
    KIND, "interlaced.mpg", "interlaced MPEG-2", "frames as they are, both fields woven",
    Outcome(steps(4, 0.54), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mkv")
    write(plain, 4)
    ffmpeg("-i", plain, "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-field_order", "tt", "-qscale:v", "1",
           "-bf", "0", path)  # fmt: skip
    plain.unlink()


@odd(
    KIND, "range.ts", "H.264 whose range switches to full at the seventh frame",
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
    join(path, a, b)


@odd(
    KIND, "matrix.ts", "H.264 whose matrix switches from BT.601 to BT.709 at the seventh frame",
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
    join(path, a, b)
