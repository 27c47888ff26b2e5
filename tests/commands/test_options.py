"""Values of options, and the texts of progress lines."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gvideo.commands.arguments.options import frame_bounds, parse_frames, parse_rate, parse_size
from gvideo.commands.terminal.progress import format_bitrate, format_bytes, format_time, progress_text
from gvideo.errors import GVideoError


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_size, "640x360", (640, 360)),
        (parse_size, "1X1", (1, 1)),
        (parse_size, None, None),
        (parse_frames, "3:9", slice(3, 9)),
        (parse_frames, ":9", slice(None, 9)),
        (parse_frames, "-3:", slice(-3, None)),
        (parse_frames, ":", slice(None)),
        (parse_frames, "10", slice(None, 10)),
        (frame_bounds, "10", (0, 9)),
        (frame_bounds, "3:9", (3, 8)),
        (frame_bounds, "3:", (3, None)),
        (frame_bounds, None, (0, None)),
        (parse_frames, None, slice(None)),
        (parse_rate, "25", Fraction(25)),
        (parse_rate, "23.976", Fraction(2997, 125)),
        (parse_rate, "24000/1001", Fraction(24000, 1001)),
        (parse_rate, None, None),
    ],
)
def test_values(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_size, t) for t in ("", "640", "640x", "x3", "0x5", "-1x5", "16385x1", "1e3x4", "6x4x2", "٣x٤")),
        *((parse_frames, t) for t in ("", "0", "-3", "ten", "a:b", "1:2:3", "1.5:2")),
        *((parse_rate, t) for t in ("", "fast", "0", "-25", "1/0", "nan", "inf", "1e9", "1/99999999999")),
    ],
)
def test_nonsense_is_one_line(parse, text):
    with pytest.raises(GVideoError, match=r"^--\w+ .*wanted|pixels"):
        parse(text)


def test_texts():
    assert progress_text(30, 120, 10.0, ("512 kbit/s",)) == [
        "#####............... 30/120 frames", "3 frames/s", "512 kbit/s", "0:30 left",
    ]  # fmt: skip
    assert progress_text(0, None, 0.0) == ["0 frames"]
    assert progress_text(500, 100, 1.0)[0].startswith("#" * 20)
    assert [format_time(s) for s in (0, 59.5, 61, 3600)] == ["0:00", "1:00", "1:01", "1:00:00"]
    assert [format_bytes(n) for n in (999, 12345, 5e6, 3e12)] == ["999 B", "12.35 kB", "5 MB", "3000 GB"]
    assert [format_bitrate(n) for n in (8000, 2e7)] == ["8 kbit/s", "20 Mbit/s"]
