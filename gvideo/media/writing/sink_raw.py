"""Sinks without a codec of FFmpeg's: raw YUV4MPEG2, arrays, pictures.

.y4m: "YUV4MPEG2 W.. H.. F.. Ip A.. C.. XCOLORRANGE=.. X---\\n", then "FRAME\\n" and the planes, per frame
"""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodePlanes, code_values_to_planes, planes_to_code_values
from gvideo.media.colour import planes_to_rgb
from gvideo.media.partial import PartialFile
from gvideo.media.timing import frame_rate_of
from gvideo.media.writing.sink import FrameSink
from gvideo.types import Float32, VideoFormat

_Y4M_HEADER_BYTES = 96  # readers of FFmpeg allow no more
_NPY_HEADER_BYTES = 128
_PNG_LEVEL = 3  # of zlib: higher ones take much longer for little


class Y4mSink(FrameSink):
    """YUV4MPEG2. The frame rate is known at the end only, so the header has a fixed size and is written last."""

    def __init__(self, path: Path, video_format: VideoFormat, frame_rate: Fraction | None = None) -> None:
        super().__init__(path, video_format)
        self._frame_rate = frame_rate
        depth = next(depth for depth in (8, 9, 10, 12, 14, 16) if depth >= video_format.bit_depth)
        self._stored = replace(video_format, bit_depth=depth)
        self._first_pts, self._end = 0, 0
        self._partial = PartialFile(path)
        self._put(bytes(_Y4M_HEADER_BYTES))

    def _write_codes(self, planes: CodePlanes, pts: int, duration: int) -> None:
        if self._stored != self.format:
            planes = planes_to_code_values(code_values_to_planes(*planes, self.format), self._stored)
        if self.num_frames == 0:
            self._first_pts = pts
        self._end = pts + duration
        kind = np.uint8 if self._stored.bit_depth == 8 else np.dtype("<u2")
        self._put(b"FRAME\n" + b"".join(plane.astype(kind, copy=False).tobytes() for plane in planes))

    def _put(self, data: bytes) -> None:
        try:
            self._partial.file.write(data)
        except OSError as error:
            raise self._partial.failure(error) from error

    def _header(self) -> bytes:
        stored = self._stored
        span = self._end - self._first_pts
        rate = self._frame_rate or frame_rate_of(self.num_frames, span, stored.timescale)
        rate = rate.limit_denominator(10**5)
        aspect = stored.sample_aspect
        chroma = stored.chroma_format + (f"p{stored.bit_depth}" if stored.bit_depth > 8 else "")
        if chroma == "420":
            chroma = "420mpeg2"  # left-sited; plain 420 and 420jpeg mean the centre
        text = (
            f"YUV4MPEG2 W{stored.width} H{stored.height} F{rate.numerator}:{rate.denominator} Ip "
            f"A{aspect.numerator}:{aspect.denominator} C{chroma} "
            f"XCOLORRANGE={'FULL' if stored.colour.full_range else 'LIMITED'}"
        )
        padding = _Y4M_HEADER_BYTES - 1 - len(text)
        assert padding >= 0
        return (text + " X".ljust(padding, "-")[:padding] + "\n").encode()

    def _commit(self) -> None:
        try:
            self._partial.file.seek(0)
            self._partial.file.write(self._header())
        except OSError as error:
            raise self._partial.failure(error) from error
        self._partial.commit()

    def _discard(self) -> None:
        self._partial.discard()


class NpySink(FrameSink):
    """NumPy's own format, uint8 [T,3,H,W], written frame by frame under a header of fixed size."""

    def __init__(self, path: Path, video_format: VideoFormat) -> None:
        super().__init__(path, video_format)
        self._partial = PartialFile(path)
        self._put(bytes(_NPY_HEADER_BYTES))

    def _write_planes(self, planes: Float32, pts: int, duration: int) -> None:
        self._put(planes_to_rgb(planes, self.format.colour, channels_last=False).tobytes())

    def _put(self, data: bytes) -> None:
        try:
            self._partial.file.write(data)
        except OSError as error:
            raise self._partial.failure(error) from error

    def _commit(self) -> None:
        shape = (self.num_frames, 3, self.format.height, self.format.width)
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
        length = _NPY_HEADER_BYTES - 10
        head = b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.encode().ljust(length - 1) + b"\n"
        try:
            self._partial.file.seek(0)
            self._partial.file.write(head)
        except OSError as error:
            raise self._partial.failure(error) from error
        self._partial.commit()

    def _discard(self) -> None:
        self._partial.discard()


class PngSink(FrameSink):
    """One picture, or numbered pictures that all get their names at the end."""

    def __init__(self, path: Path, video_format: VideoFormat) -> None:
        super().__init__(path, video_format)
        self._numbered = "%" in path.name
        self._written: list[PartialFile] = []
        if self._numbered and not _is_pattern(path.name):
            raise OptionError(f"{path}: the pattern must hold one number, such as %05d")

    def _write_planes(self, planes: Float32, pts: int, duration: int) -> None:
        if self.num_frames and not self._numbered:
            raise MediaError(f"{self.path}: one .png holds one frame; use a pattern such as {self.path.stem}_%05d.png")
        from PIL import Image

        picture = np.rot90(planes_to_rgb(planes, self.format.colour), -self.format.rotation // 90)
        data = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(data, "PNG", compress_level=_PNG_LEVEL)
        path = self.path.with_name(self.path.name % self.num_frames) if self._numbered else self.path
        partial = PartialFile(path)
        self._written.append(partial)
        try:
            partial.file.write(data.getbuffer())
        except OSError as error:
            raise partial.failure(error) from error
        partial.close()

    def _commit(self) -> None:
        for partial in self._written:
            partial.commit()

    def _discard(self) -> None:
        for partial in self._written:
            partial.discard()


def _is_pattern(name: str) -> bool:
    try:
        return bool(name % 1 != name % 2)
    except (TypeError, ValueError):
        return False
