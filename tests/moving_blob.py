"""A clip for fits that must be quick: a bright blob that moves over a slope."""

from __future__ import annotations

import numpy as np

from gvideo.encoder.backends.base import Target
from gvideo.encoder.motion.flow import Flow
from gvideo.model import motion

WIDTH, HEIGHT, FRAMES, CONTROL = 40, 30, 5, 3


def moving_blob(num_frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> tuple[Target, Flow]:
    """Frames to fit, and their flow."""
    y, x = np.mgrid[:height, :width]
    frames = np.zeros((num_frames, 3, height, width), np.float32)
    for k in range(num_frames):
        frames[k, 0] = 0.5 * np.exp(-((x - 12 - 3 * k) ** 2 + (y - 14 - k) ** 2) / 30) + 0.004 * x - 0.1
        frames[k, 1] = 0.1 * np.exp(-((x - 30) ** 2 + (y - 8) ** 2) / 60)
    times = np.arange(num_frames, dtype=np.float32)
    return Target(frames, motion.basis(times, num_frames, CONTROL), times), Flow(frames[:, 0] + 0.3)
