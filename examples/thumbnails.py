"""A sheet of thumbnails, evenly spread over a video, each drawn at its own size.

    python examples/thumbnails.py CLIP.gsv OUT.png
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

import gvideo


def main(source: str, output: str, columns: int = 4, rows: int = 2, width: int = 80) -> None:
    """Writes columns x rows pictures."""
    with gvideo.VideoDecoder(source, dimension_order="NHWC") as video:
        height = round(width * video.metadata.height / video.metadata.width)
        clips = gvideo.samplers.clips_at_regular_indices(video, num_clips=columns * rows, shape=(height, width))
    sheet = np.asarray(clips.data)[:, 0].reshape(rows, columns, height, width, 3)
    picture = sheet.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    Image.fromarray(picture).save(output)
    print(f"{output}: {columns * rows} pictures")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
