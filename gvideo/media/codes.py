"""Integer code values and float planes: the same picture on disk and in the codec.

    CodeFrame (uint8/uint16, own sampling) --range off, chroma up--> planes f32 [3,H,W] --chroma down, range on--> codes

Code values of 8 bits are uint8, of more bits uint16 (right-aligned). Both directions are exact inverses of each other
up to rounding, but for the last chroma row of a 4:2:0 picture of odd height (see chroma.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gvideo.media.chroma import chroma_shape, downsample, upsample
from gvideo.media.colour import code_scale, ycbcr_from_rgb_matrix
from gvideo.types import Float32, SourceFrame, VideoFormat

Codes = NDArray[np.uint8] | NDArray[np.uint16]
CodePlanes = tuple[Codes, Codes, Codes]


@dataclass(frozen=True, slots=True)
class CodeFrame:
    """One frame as integers in its own sampling and depth.

    Args:
        y: luma codes u8 or u16 [H,W].
        cb: chroma codes [ceil(H/v),ceil(W/h)], v and h the divisors of the sampling.
        cr: as cb.
        pts: when it begins, ticks of the format's timescale.
        duration: how long it lasts, ticks.
        bit_depth: 8 to 16 bits.

    Example:
        >>> frame = next(gvideo.media.VideoSource("clip.mp4").code_frames())
        >>> frame.y.shape, frame.cb.shape, frame.y.dtype
        ((32, 48), (16, 24), dtype('uint8'))
    """

    y: Codes
    cb: Codes
    cr: Codes
    pts: int
    duration: int
    bit_depth: int = 8

    @property
    def planes(self) -> CodePlanes:
        """The three planes in order."""
        return self.y, self.cb, self.cr

    def to_source_frame(self, video_format: VideoFormat) -> SourceFrame:
        """The same frame as float planes.

        Args:
            video_format: sampling, depth and range of the codes.

        Returns:
            A SourceFrame: planes f32 [3,H,W], pts and duration in ticks.

        Example:
            >>> source = gvideo.media.VideoSource("clip.mp4")
            >>> next(source.code_frames()).to_source_frame(source.format).planes.shape
            (3, 32, 48)
        """
        return SourceFrame(code_values_to_planes(self.y, self.cb, self.cr, video_format), self.pts, self.duration)


def code_values_to_planes(y: Codes, cb: Codes, cr: Codes, video_format: VideoFormat) -> Float32:
    """Float planes of code values: range and offset removed, chroma brought to 4:4:4.

    Args:
        y: luma codes u8 or u16 [H,W].
        cb: chroma codes in the format's sampling.
        cr: as cb.
        video_format: sampling, depth and range of the codes.

    Returns:
        Planes f32 [3,H,W]: Y' in 0..1, Cb and Cr in -0.5..0.5; foot- and headroom may exceed these.

    Example:
        >>> source = gvideo.media.VideoSource("clip.mp4")
        >>> gvideo.media.code_values_to_planes(*next(source.code_frames()).planes, source.format).shape
        (3, 32, 48)
    """
    height, width = y.shape
    luma_scale, luma_offset, chroma_scale, chroma_offset = code_scale(
        video_format.bit_depth, video_format.colour.full_range
    )
    planes = np.empty((3, height, width), np.float32)
    np.subtract(y, np.float32(luma_offset), out=planes[0])
    planes[0] /= np.float32(luma_scale)
    for plane, codes in ((planes[1], cb), (planes[2], cr)):
        centred = np.subtract(codes, np.float32(chroma_offset), dtype=np.float32)
        centred /= np.float32(chroma_scale)
        plane[...] = upsample(centred, height, width, video_format.chroma_format)
    return planes


def planes_to_code_values(planes: Float32, video_format: VideoFormat) -> CodePlanes:
    """Code values of float planes, rounded to nearest and clipped to 0..2^depth - 1.

    Args:
        planes: f32 [...,3,H,W]: Y' in 0..1, Cb and Cr in -0.5..0.5.
        video_format: sampling, depth and range of the codes.

    Returns:
        y [...,H,W], cb and cr [...,h,w], u8 for 8 bits, else u16.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> [c.shape for c in gvideo.media.planes_to_code_values(video.planes_at([0]), video.metadata.format)]
        [(1, 48, 64), (1, 24, 32), (1, 24, 32)]
    """
    lead, (height, width) = planes.shape[:-3], planes.shape[-2:]
    frames = np.ascontiguousarray(planes, dtype=np.float32).reshape(-1, 3, height, width)
    low = chroma_shape(height, width, video_format.chroma_format)
    kind = np.uint8 if video_format.bit_depth == 8 else np.uint16
    y = np.empty((len(frames), height, width), kind)
    cb = np.empty((len(frames), *low), kind)
    cr = np.empty((len(frames), *low), kind)
    luma_scale, luma_offset, chroma_scale, chroma_offset = code_scale(
        video_format.bit_depth, video_format.colour.full_range
    )
    for index, frame in enumerate(frames):
        y[index] = _scale(frame[0], luma_scale, luma_offset, video_format.bit_depth)
        for out, plane in ((cb, frame[1]), (cr, frame[2])):
            small = downsample(plane, video_format.chroma_format)
            out[index] = _scale(small, chroma_scale, chroma_offset, video_format.bit_depth)
    return y.reshape(lead + y.shape[1:]), cb.reshape(lead + low), cr.reshape(lead + low)


def rgb_to_code_values(red: Codes, green: Codes, blue: Codes, video_format: VideoFormat) -> CodePlanes:
    """Code values (4:4:4) of full-range R'G'B' planes [H,W] of the format's depth, with the format's matrix."""
    matrix = ycbcr_from_rgb_matrix(video_format.colour.matrix).astype(np.float32)
    rgb = np.stack([red, green, blue]).astype(np.float32).reshape(3, -1)
    rgb /= np.float32((1 << video_format.bit_depth) - 1)
    planes = (matrix @ rgb).reshape(3, *red.shape)
    return planes_to_code_values(planes, video_format)


def _scale(plane: Float32, scale: int, offset: int, bit_depth: int) -> Codes:
    """Scale and offset, round, clip."""
    from gvideo.media import kernels

    codes = np.empty(plane.shape, np.uint8 if bit_depth == 8 else np.uint16)
    peak = np.float32((1 << bit_depth) - 1)
    kernels.codes_of(plane, np.float32(scale), np.float32(offset), peak, codes)
    return codes


def luma_error(planes: Float32, frame: CodeFrame, fmt: VideoFormat) -> float:
    """Summed squared error of the luma of float planes against a frame.

    Args:
        planes: f32 [3,H,W], brought to code values first.
        frame: what they should be.
        fmt: the frame's format.

    Returns:
        The sum over pixels, in 8-bit-scaled codes squared.

    Example:
        >>> source = gvideo.media.VideoSource("clip.mp4")
        >>> frame = next(source.code_frames())
        >>> gvideo.media.luma_error(frame.to_source_frame(source.format).planes, frame, source.format)
        0.0
    """
    luma = planes_to_code_values(planes, fmt)[0]
    return float(np.square((luma.astype(np.float64) - frame.y) * 2.0 ** (8 - fmt.bit_depth)).sum())


def psnr_db(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio of 8-bit codes.

    Args:
        mean_squared_error: in codes squared.

    Returns:
        dB; infinity for no error.

    Example:
        >>> round(gvideo.media.psnr_db(65.025), 6)
        30.0
    """
    return 10 * math.log10(255**2 / mean_squared_error) if mean_squared_error > 0 else math.inf
