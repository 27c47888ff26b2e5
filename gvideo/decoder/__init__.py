"""From bytes to frames, without torch.

source.py         bytes of a file, a buffer or a file object, read where they are needed
coded.py          what all streams have in common: segments, times, symbols
stream.py         a .gsv file: units and headers, where every segment is and when every frame is shown
segments.py       a stream whose segments are got one by one
published.py      which sources are files and which are published
frames.py         what a decoder hands out, as NumPy arrays or torch tensors
metadata.py       what is known of a stream, under torchcodec's names
arguments.py      what callers hand in, checked
times.py          seconds to frames, exactly
chance.py         random numbers as torchcodec draws them
transforms.py     parts and sizes of the picture to draw
antialias.py      Gaussians for grids coarser than the coded one
render.py         a segment's symbols to planes at any time and any size
pictures.py       planes and R'G'B' of any frames, each segment dequantised once
drawing.py        the form of a decoder's pictures: part, size, layout, type of numbers
notebook.py       streams and frames as notebooks show them
listing.py        symbols as lines of text, for comparing decoders
video_decoder.py  frames by number or by time, with torchcodec's names
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gvideo.lazy import attach

if TYPE_CHECKING:
    from gvideo.decoder import transforms
    from gvideo.decoder.frames import Frame, FrameBatch
    from gvideo.decoder.metadata import Metadata
    from gvideo.decoder.video_decoder import VideoDecoder

__all__ = ["Frame", "FrameBatch", "Metadata", "VideoDecoder", "transforms"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Frame": "gvideo.decoder.frames",
        "FrameBatch": "gvideo.decoder.frames",
        "Metadata": "gvideo.decoder.metadata",
        "VideoDecoder": "gvideo.decoder.video_decoder",
        "transforms": "",
    },
)
