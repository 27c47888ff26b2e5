"""The eight orientations, as display matrices and as EXIF."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from corpus.registry import Outcome, odd, steps
from corpus.writing import ffmpeg

KIND = "Orientation"
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
        KIND, f"{_name}.mp4", f"a display matrix: {_what}", f"as ffmpeg shows it; rotation {_rotation}",
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
        KIND, f"exif_{_number}.jpg", f"JPEG with EXIF orientation {_number}",
        f"as ffmpeg shows it; rotation {_rotation}",
        Outcome([0], None, rotation=_rotation),
    )(_exif(_number))  # fmt: skip
