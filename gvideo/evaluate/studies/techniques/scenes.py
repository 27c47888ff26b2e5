"""What techniques are tried on: stills and short clips as planes less their base colour, f32 [T,3,H,W] Y'CbCr."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from gvideo.encoder.gaussians.quantised import Geometry
from gvideo.encoder.segment import CELL_BITS
from gvideo.errors import MediaError
from gvideo.evaluate.studies.pictures import MADE, picture
from gvideo.media import VideoSource
from gvideo.media.colour import ycbcr_from_rgb_matrix
from gvideo.model.motion import basis
from gvideo.types import Float32

#: A made clip: the made texture passes behind the frame while a disc crosses it the other way.
MOVING = "moving"
#: Control points of the motion of a clip.
NUM_CONTROL = 4


@dataclass(frozen=True)
class Scene:
    """name: for tables. frames: less the mean of each channel, f32 [T,3,H,W]."""

    name: str
    frames: Float32

    @property
    def num_frames(self) -> int:
        """T; 1 for a still."""
        return len(self.frames)

    @property
    def is_video(self) -> bool:
        """Whether anything may move."""
        return self.num_frames > 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.frames.shape[3], self.frames.shape[2]

    @property
    def num_control(self) -> int:
        """K, control points of motion; a still has one, which stays at rest."""
        return min(NUM_CONTROL, self.num_frames)

    @cached_property
    def times(self) -> Float32:
        """Frame times f32 [T], in frames."""
        return np.arange(self.num_frames, dtype=np.float32)

    @cached_property
    def basis(self) -> Float32:
        """Weights of the control points in every frame, f32 [T,K]."""
        return basis(self.times, self.num_frames, self.num_control)

    @property
    def geometry(self) -> Geometry:
        """What the quantiser needs to know."""
        return Geometry(*self.size, self.times, CELL_BITS)

    def halved(self, level: int) -> Float32:
        """Frames at 2^-level of the size, by area, f32 [T,3,h,w]."""
        width, height = (max(1, -(-n >> level)) for n in self.size)
        planes = [cv2.resize(c, (width, height), interpolation=cv2.INTER_AREA) for f in self.frames for c in f]
        return np.stack(planes).reshape(self.num_frames, 3, height, width).astype(np.float32)


def scene(name: str, side: int, num_frames: int) -> Scene:
    """The scene of a made picture or clip by its name, or of the first frames of a file with its longer side scaled to
    `side` px. Raises MediaError for a file that cannot be read or holds fewer frames."""
    if name in MADE:
        matrix = ycbcr_from_rgb_matrix(6)
        planes = np.einsum("cd,dhw->chw", matrix, picture(name, side)[:, : side * 2 // 3])[None]
    elif name == MOVING:
        planes = _moving(side, num_frames)
    else:
        planes = _from_file(Path(name), side, num_frames)
    less = planes - planes.mean((0, 2, 3), keepdims=True)
    return Scene(Path(name).name, np.ascontiguousarray(less, np.float32))


def _moving(side: int, num_frames: int) -> Float32:
    """f32 [T,3,H,W]: luma moves one px a frame to the left, a disc two to the right."""
    height = side * 2 // 3
    texture = picture("texture", 2 * side)[0]
    y, x = np.mgrid[0:height, 0:side].astype(np.float32)
    planes = np.zeros((num_frames, 3, height, side), np.float32)
    for k in range(num_frames):
        disc = ((x - side / 4 - 2 * k) ** 2 + (y - height / 2) ** 2 < (side / 8) ** 2).astype(np.float32)
        planes[k, 0] = 0.2 + 0.5 * texture[:height, k : k + side] * (1 - disc) + 0.6 * disc
        planes[k, 1] = 0.2 * disc - 0.1
    return planes


def _from_file(path: Path, side: int, num_frames: int) -> Float32:
    with VideoSource(path) as probe:
        width, height = probe.format.width, probe.format.height
    scale = side / max(width, height)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    with VideoSource(path, size=size, last=num_frames - 1) as video:
        frames = [frame.planes for frame in video]
    if len(frames) < num_frames:
        raise MediaError(f"{path}: holds {len(frames)} frames, {num_frames} wanted")
    return np.stack(frames)
