"""Frames of another form than the first come out in its form: same light, same places."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from gvideo.media import planes_to_code_values
from gvideo.media.colour import ycbcr_from_rgb_matrix
from gvideo.media.reading.conform import Conformer, conformed
from gvideo.types import ColourDescription, VideoFormat

NATIVE = VideoFormat(16, 12, ColourDescription(6, 6, 6))


def codes_of(rgb: np.ndarray, fmt: VideoFormat) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    planes = (ycbcr_from_rgb_matrix(fmt.colour.matrix) @ rgb.reshape(3, -1)).reshape(rgb.shape)
    return planes_to_code_values(planes.astype(np.float32), fmt)


@pytest.mark.parametrize(
    "own",
    [
        replace(NATIVE, colour=ColourDescription(1, 1, 1)),
        replace(NATIVE, colour=ColourDescription(6, 6, 6, True)),
        replace(NATIVE, colour=ColourDescription(9, 14, 9, True), bit_depth=10, chroma_format="444"),
        replace(NATIVE, chroma_format="422"),
        replace(NATIVE, width=32, height=24, colour=ColourDescription(1, 1, 1)),
    ],
    ids=["matrix", "range", "all", "sampling", "size"],
)
def test_the_same_colours_come_out(own: VideoFormat) -> None:
    colours = np.array([0.7, 0.3, 0.5])[:, None, None]
    found = conformed(codes_of(np.broadcast_to(colours, (3, own.height, own.width)), own), own, NATIVE)
    expected = codes_of(np.broadcast_to(colours, (3, NATIVE.height, NATIVE.width)), NATIVE)
    for plane, wanted in zip(found, expected, strict=True):
        assert plane.shape == wanted.shape
        assert plane.dtype == wanted.dtype
        np.testing.assert_allclose(plane.astype(int), wanted.astype(int), atol=1)


def test_another_transfer_leaves_integers_alone() -> None:
    codes = codes_of(np.random.default_rng(0).uniform(0, 1, (3, 12, 16)), NATIVE)
    found = conformed(codes, replace(NATIVE, colour=ColourDescription(9, 16, 6)), NATIVE)
    assert all(a is b for a, b in zip(found, codes, strict=True))


def frame(color_range: int = 1, primaries: int = 6, transfer: int = 6, matrix: int = 6) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(np.full((18, 16), 100, np.uint8), "yuv420p")
    made.color_range, made.color_primaries, made.color_trc, made.colorspace = color_range, primaries, transfer, matrix
    return made


def test_each_new_form_is_said_once() -> None:
    conformer = Conformer(frame(), "clip", "h264")
    assert conformer.planes(frame(), Fraction(0))[1] == []
    said = conformer.planes(frame(color_range=2), Fraction(1))[1]
    assert said == ["range full instead of limited from 1.000 s on; converted to the form of the first picture"]
    assert conformer.planes(frame(), Fraction(2))[1] == []
    assert conformer.planes(frame(color_range=2), Fraction(3))[1] == []
    said = conformer.planes(frame(transfer=16), Fraction(4))[1]
    assert [line for line in said if "transfer" in line] == [
        "transfer 16 instead of 6 from 4.000 s on; shown like the first picture, not converted"
    ]


def test_what_was_not_stated_is_not_filled_in_from_a_later_header() -> None:
    """Libavcodec completes frames that it held back with the range of the header that came after them."""
    from gvideo.media.reading.delayed import DelayedColour

    class Context:
        color_range, colorspace, color_primaries, color_trc = 0, 2, 2, 2

    context = Context()
    colour = DelayedColour(context)  # type: ignore[arg-type]
    for pts in (0, 1):
        packet = av.Packet(4)
        packet.pts = pts
        colour.note(packet)  # type: ignore[arg-type]
        context.color_range = 2  # the second packet's header says so
    held, own = frame(color_range=2), frame(color_range=2)
    held.pts, own.pts = 0, 1
    colour.restore(held)
    colour.restore(own)
    assert (held.color_range, own.color_range) == (0, 2)
