"""A part of a frame eight times larger, drawn from the Gaussians instead of scaled.

    python examples/zoom.py CLIP.gsv OUT.png
"""

from __future__ import annotations

import sys

from PIL import Image

import gvideo


def main(source: str, output: str, factor: int = 8) -> None:
    """Writes the middle of the first frame."""
    with gvideo.VideoDecoder(source, dimension_order="NHWC") as video:
        height, width = video.metadata.height // 4, video.metadata.width // 4
        middle = (video.metadata.height // 2 - height // 2, video.metadata.width // 2 - width // 2, height, width)
        picture = video.get_frame_at(0, crop=middle, shape=(factor * height, factor * width)).data
    Image.fromarray(picture).save(output)
    print(f"{output}: {picture.shape[1]}x{picture.shape[0]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
