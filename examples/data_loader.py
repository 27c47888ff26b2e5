"""Clips of many videos in batches, as a training loop reads them.

    python examples/data_loader.py CLIP.gsv...
"""

from __future__ import annotations

import sys

from torch.utils.data import DataLoader

import gvideo


def main(files: list[str]) -> None:
    """Prints the shape and the mean of every batch."""
    data = gvideo.data.VideoDataset(files, frames_per_clip=4, shape=(64, 64))
    for batch in DataLoader(data, batch_size=4, shuffle=True, num_workers=1):
        frames = batch["frames"].float() / 255
        print(tuple(frames.shape), f"mean {frames.mean():.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
