"""Still and numbered pictures, and transparency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from corpus.registry import Outcome, odd, steps
from corpus.writing import ffmpeg, level, write

KIND = "Pictures"


def _pictures(pattern: Path, numbers: Sequence[int]) -> None:
    for k, number in enumerate(numbers):
        name = pattern.with_name(pattern.name % number)
        write(name, 1, codec="png", pix_fmt="gray", first=k, container_format="image2", container={"update": "1"})


GRAY_PNG = (6, 6, 6, True)


@odd(
    KIND, "gap_%03d.png", "numbered pictures 1, 2, 4, 5",
    "the first two; one line names the missing one and counts those behind; refused with --strict",
    Outcome(steps(2), range(2), colour=GRAY_PNG, notes=[r"^gap_003\.png is missing; the 2 .* the 2 behind"]),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, (1, 2, 4, 5))


@odd(
    KIND, "from_seven_%03d.png", "numbered pictures from 7 to 11", "all five",
    Outcome(steps(5), range(5), colour=GRAY_PNG),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, range(7, 12))


@odd(
    KIND, "unpadded_%d.png", "numbered pictures 8, 9, 10, 11 without leading zeros", "all four, in order",
    Outcome(steps(4), range(4), colour=GRAY_PNG),
)  # fmt: skip
def _(path: Path) -> None:
    _pictures(path, range(8, 12))


@odd(KIND, "none_%03d.png", "a pattern that fits no file", "refused in one line", Outcome(error="fits the pattern"))
def _(path: Path) -> None:
    path.with_name("none_1.png").write_bytes(b"")


@odd(
    KIND, "sizes_%d.png", "numbered pictures of two sizes", "the size of the first; one line",
    Outcome(steps(3), range(3), colour=GRAY_PNG, notes=["pictures are 30x20 from 0.040 s on, scaled to the 48x32"]),
)  # fmt: skip
def _(path: Path) -> None:
    for k, size in enumerate([(48, 32), (30, 20), (48, 32)]):
        name = path.with_name(path.name % k)
        options = {"update": "1"}
        write(name, 1, codec="png", pix_fmt="gray", first=k, size=size, container_format="image2", container=options)


@odd(
    KIND, "clear.png", "a PNG, half of it transparent", "its colours, without transparency; one line",
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
    KIND, "opaque.png", "a PNG with an alpha channel that is opaque everywhere", "its colours; nothing to say",
    Outcome([0], range(1), 0.04, chroma_format="444", colour=(1, 13, 1, True)),
)  # fmt: skip
def _(path: Path) -> None:
    write(path, 1, codec="png", pix_fmt="rgb24", container_format="image2", container={"update": "1"})
    plain = path.rename(path.with_name("plain.png"))
    ffmpeg("-i", plain, "-pix_fmt", "rgba", path)
    plain.unlink()


@odd(
    KIND, "clear.webm", "VP8 with transparency in WebM", "its colours; one line",
    Outcome(steps(3), range(3), notes=["^transparency is dropped"]),
)  # fmt: skip
def _(path: Path) -> None:
    plain = path.with_name("plain.mkv")
    write(plain, 3)
    ffmpeg("-i", plain, "-pix_fmt", "yuva420p", "-c:v", "libvpx", "-auto-alt-ref", "0", "-crf", "4", "-b:v", "1M",
           "-metadata:s:v:0", "alpha_mode=1", path)  # fmt: skip
    plain.unlink()
