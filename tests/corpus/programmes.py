"""Files of several streams, and programmes joined end to end."""

from __future__ import annotations

from pathlib import Path

from corpus.registry import TS_START, Outcome, odd, steps
from corpus.writing import QUICK_X264, ffmpeg, join, transport_stream, write

KIND = "Programmes and streams"


@odd(
    KIND, "restart.ts", "two MPEG-TS programmes joined; the second clock is that of the first anew",
    "the second follows at once; one line says where",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps to 0\.080 s at 0\.320 s"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6)
    join(path, a, b)


@odd(
    KIND, "restart.mpg", "two MPEG-PS programmes (MPEG-2) joined; the second clock is that of the first anew",
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
    join(path, *parts)


@odd(
    KIND, "jump.ts", "two MPEG-TS programmes joined; the second clock is an hour on",
    "the second follows at once; one line says where",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps to 3601\.\d+ s at 0\.320 s"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b, c = (path.with_name(name) for name in ("a.ts", "b.ts", "c.ts"))
    transport_stream(a, 6)
    transport_stream(b, 6, first=6)
    ffmpeg("-i", b, "-c", "copy", "-output_ts_offset", "3600", "-f", "mpegts", c)
    b.unlink()
    join(path, a, c)


@odd(
    KIND, "other_size.ts", "two MPEG-TS programmes joined, 48x32 and 64x48",
    "scaled to the first size; two lines: where the clock restarts, and which sizes",
    Outcome(steps(12, TS_START), range(12), notes=[r"clock jumps", r"64x48 from 0\.320 s on, scaled to the 48x32"]),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6, size=(64, 48))
    join(path, a, b)


@odd(
    KIND, "other_pid.ts", "two MPEG-TS programmes joined, whose streams have different numbers (PIDs)",
    "two streams, as with ffmpeg: the first, or that of --stream",
    Outcome(steps(6, TS_START), range(6, 12), options={"stream": 1}),
)  # fmt: skip
def _(path: Path) -> None:
    a, b = path.with_name("a.ts"), path.with_name("b.ts")
    transport_stream(a, 6)
    transport_stream(b, 6, first=6, container={"mpegts_start_pid": "0x300"})
    join(path, a, b)


@odd(
    KIND, "two_programmes.ts", "an MPEG-TS of two programmes side by side, 32x32 and 48x32",
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
    KIND, "second_default.mp4", "two video streams, 64x48 and 48x32; the second has the default disposition",
    "the second, as ffmpeg chooses",
    Outcome(steps(6), range(10, 16)),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    KIND, "asked_for.mp4", "the same, with --stream 0", "the first",
    Outcome(steps(4), range(4), size=(64, 48), options={"stream": 0}),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    KIND, "no_such_stream.mp4", "the same, with --stream 5", "refused; the line lists what there is",
    Outcome(error=r"--stream 5: .* 0 \(64x48\), 1 \(48x32, default\)", options={"stream": 5}),
)  # fmt: skip
def _(path: Path) -> None:
    _two_streams(path, 1)


@odd(
    KIND, "no_default.mkv", "two video streams, 32x32 and 48x32, none the default", "the larger",
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
    KIND, "cover.mp4", "a small film behind a cover picture", "the film",
    Outcome(steps(4), range(4)),
)  # fmt: skip
def _(path: Path) -> None:
    a, cover = path.with_name("a.mp4"), path.with_name("cover.png")
    write(a, 4, codec="libx264", options=QUICK_X264)
    write(cover, 1, codec="png", pix_fmt="rgb24", size=(200, 200), container_format="image2", container={"update": "1"})
    ffmpeg("-i", cover, "-i", a, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", path)
    a.unlink()
    cover.unlink()
