"""Compare a source with what was decoded: PSNR per plane, bytes and bits per pixel, a picture side by side.

Usage: compare.py SOURCE DECODED CODED PICTURE.png
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np

from gvideo.errors import GVideoError
from gvideo.media import CodeFrame, VideoSource, planes_to_rgb


def compare(source_name: str, decoded_name: str, coded_name: str, picture_name: str) -> None:
    """Print the figures and write the picture (source left, decoded right, of the first frame)."""
    squared, samples, seconds, num_frames = np.zeros(3), np.zeros(3), 0.0, 0
    pairs: list[tuple[CodeFrame, CodeFrame]] = []
    with VideoSource(source_name) as source, VideoSource(decoded_name) as decoded:
        for one, other in zip(source.code_frames(), decoded.code_frames(), strict=True):
            for channel, (a, b) in enumerate(zip(one.planes, other.planes, strict=True)):
                squared[channel] += np.square(a.astype(np.float64) - b).sum()
                samples[channel] += a.size
            seconds += one.duration / source.format.timescale
            pairs = pairs or [(one, other)]
            num_frames += 1
        peak = (1 << source.format.bit_depth) - 1
        left, right = (
            planes_to_rgb(frame.to_source_frame(video.format).planes, video.format.colour)
            for frame, video in zip(pairs[0], (source, decoded), strict=True)
        )
        pixels = num_frames * source.format.width * source.format.height
    psnr = [10 * math.log10(peak**2 * n / max(error, 1e-9)) for error, n in zip(squared, samples, strict=True)]
    size = Path(coded_name).stat().st_size
    print(f"{num_frames} frames, {seconds:.2f} s")
    print(f"{coded_name}: {size} bytes, {size * 8 / seconds / 1000:.1f} kbit/s, {size * 8 / pixels:.4f} bits per pixel")
    print("PSNR   " + "   ".join(f"{name} {value:.2f} dB" for name, value in zip(("Y", "Cb", "Cr"), psnr, strict=True)))
    cv2.imwrite(picture_name, np.hstack([left, right])[..., ::-1])
    print(f"{picture_name}: source left, decoded right")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        compare(*sys.argv[1:])
    except GVideoError as error:
        sys.exit(str(error))
