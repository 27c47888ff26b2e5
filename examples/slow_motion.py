"""Ten times slower without repeating a frame: pictures between frames are drawn, not blended.

    python examples/slow_motion.py CLIP.gsv OUT.mp4
"""

from __future__ import annotations

import sys

import numpy as np

import gvideo


def main(source: str, output: str, factor: int = 10, frames: int = 5) -> None:
    """Writes the first frames, each `factor` times as long."""
    with gvideo.VideoDecoder(source) as video:
        pts = video.pts[: frames + 1].astype(float)
        moments = np.interp(np.arange(factor * (len(pts) - 1)) / factor, np.arange(len(pts)), pts)
        duration = int(video.durations[0])
        with gvideo.media.open_sink(output, video.metadata.format) as sink:
            for number, planes in enumerate(video.planes_at_ticks(moments)):
                sink.write(planes, pts=number * duration, duration=duration)
    print(f"{output}: {len(moments)} frames")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
