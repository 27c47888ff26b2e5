"""What the first layers of a stream take, and how good their picture is against the clip that was encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gvideo.bitstream import units
from gvideo.errors import OptionError

if TYPE_CHECKING:
    from gvideo.decoder.stream import Stream

#: Times of stream and source are compared in microseconds.
_PRECISION = 1_000_000


def prefix_bytes(stream: Stream) -> list[int]:
    """Bytes of the file without all layers behind the first, the second, …; the last is the whole file."""
    sizes, layer = [0], 0
    for unit in stream.units():
        layer = layer + 1 if unit.kind == units.LAYER else 0
        sizes += [0] * (layer + 1 - len(sizes))
        sizes[layer] += unit.end - unit.offset
    sizes[0] += len(units.SIGNATURE)
    return [int(n) for n in np.cumsum(sizes)]


def prefix_psnr(name: str, source: str, num_layers: int, number: int | None = None) -> list[float]:
    """Luma PSNR in dB, 8-bit-scaled, of the picture of the first, the first two, … layers against the source's frames
    of the same times, resized to the stream's size. number: of the stream within the source. Raises OptionError if a
    frame of the stream has none."""
    from gvideo.decoder.video_decoder import VideoDecoder
    from gvideo.media import VideoSource, luma_error, psnr_db

    decoders = [VideoDecoder(name, layers=k + 1, grain=False) for k in range(num_layers)]
    try:
        first = decoders[0]
        fmt = first.metadata.format
        wanted = {int(t) * _PRECISION // first.timescale: k for k, t in enumerate(first.pts)}
        errors = np.zeros(num_layers)
        size = (fmt.width, fmt.height)
        with VideoSource(source, size=size, chroma_format=fmt.chroma_format, stream=number) as video:
            if video.format.bit_depth != fmt.bit_depth:
                raise OptionError(f"--source {source}: {video.format.bit_depth} bits, the stream has {fmt.bit_depth}")
            for frame in video.code_frames():
                number = wanted.pop(frame.pts * _PRECISION // video.format.timescale, None)
                if number is None:
                    continue
                for k, decoder in enumerate(decoders):
                    errors[k] += luma_error(decoder.planes_at([number])[0], frame, fmt)
                if not wanted:
                    break
    finally:
        for decoder in decoders:
            decoder.close()
    if wanted:
        raise OptionError(f"--source {source}: lacks {len(wanted)} frame(s) of the stream; is it the clip?")
    return [psnr_db(e / (len(first) * fmt.width * fmt.height)) for e in errors]
