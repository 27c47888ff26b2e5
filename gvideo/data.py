"""Many videos as one dataset for `torch.utils.data.DataLoader`: clips by number, drawn at the size a model takes.

    files ── headers, once ──► clips by number ── decoder of the file (the last few stay open) ──► tensors

A map-style dataset is whatever has a length and can be indexed, so torch is not imported here; tensors are made where
they are asked for, and torch must be installed then.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from gvideo.decoder.arguments import integer
from gvideo.decoder.rendering.drawing import Crop, Shape
from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.errors import OptionError, OutsideError

__all__ = ["VideoDataset"]


if TYPE_CHECKING:
    from torch.utils.data import Dataset

    _MapStyle = Dataset[dict[str, Any]]
else:
    _MapStyle = object


class VideoDataset(_MapStyle):
    """Clips of many videos by number: those of the first file, then of the second, and so on.

    Each process keeps its own open files and parsed segments, so any number of workers, forked or spawned, may use
    one dataset; in a worker drawing keeps to one thread. A batch that a DataLoader asks for at once is decoded file by
    file. Each clip is {"frames": [F,3,H,W], "pts_seconds": [F], "file": its number, "start": number of its first
    frame}, which torch's default_collate understands.

    Args:
        files: paths or URLs, anything that VideoDecoder takes.
        frames_per_clip: frames of each clip.
        frames_between: from one frame of a clip to the next, in frames of the video.
        stride: from the beginning of one clip to that of the next, in frames; None: clips do not overlap.
        shape: (height, width) in px to draw at, antialiased.
        crop: (top, left, height, width) in px of the frame: nothing else is drawn.
        transform: called with the frames of each clip; what it returns stands in their place.
        output: "torch" or "numpy".
        output_dtype: "uint8" or "float32".
        layers: decode only so many layers (None: all).
        grain: draw grain, which is noise and not in the coded picture.
        max_open: decoders that a process keeps open.

    Raises:
        OptionError: a number makes no sense, or no file is long enough for a clip.
        MediaError: a file cannot be read; the message names it.
        BitstreamError: a file breaks the syntax; the message names it.

    Example:
        >>> data = gvideo.data.VideoDataset(["clip.gsv"], frames_per_clip=8, shape=(24, 32), output="numpy")
        >>> len(data), data[4]["frames"].shape, data[4]["start"]
        (5, (8, 3, 24, 32), 32)
    """

    def __init__(
        self,
        files: Sequence[Any],
        *,
        frames_per_clip: int = 1,
        frames_between: int = 1,
        stride: int | None = None,
        shape: Shape | None = None,
        crop: Crop | None = None,
        transform: Callable[[Any], Any] | None = None,
        output: str = "torch",
        output_dtype: Any = "uint8",
        layers: int | None = None,
        grain: bool = False,
        max_open: int = 32,
    ) -> None:
        self._span = frames_between * (frames_per_clip - 1) + 1
        self._stride = self._span if stride is None else stride
        for name, value in (
            ("frames_per_clip", frames_per_clip), ("frames_between", frames_between), ("stride", self._stride),
            ("max_open", max_open),
        ):  # fmt: skip
            if integer(value, name) < 1:
                raise OptionError(f"{name} is {value}: at least 1 wanted")
        self.files = list(files)
        self._steps = range(0, self._span, frames_between)
        self._shape, self._crop, self._transform = shape, crop, transform
        self._options = {"output": output, "output_dtype": output_dtype, "layers": layers, "grain": grain}
        self._max_open = max_open
        self._open: OrderedDict[int, VideoDecoder] = OrderedDict()
        self._process = os.getpid()
        counts = []
        for source in self.files:
            with VideoDecoder(source, **self._options) as video:
                counts.append(max(0, (len(video) - self._span) // self._stride + 1))
        self._ends = list(accumulate(counts))
        if not len(self):
            raise OptionError(f"{len(self.files)} file(s), none of which has the {self._span} frames of a clip")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Several clips, in the order asked for, each file's at once."""
        places = [self._place(index) for index in indices]
        found: list[dict[str, Any]] = [{} for _ in places]
        for file in dict.fromkeys(file for file, _ in places):
            rows = [row for row, place in enumerate(places) if place[0] == file]
            numbers = [places[row][1] + step for row in rows for step in self._steps]
            batch = self._decoder(file).get_frames_at(numbers, shape=self._shape, crop=self._crop)
            for k, row in enumerate(rows):
                part = batch[k * len(self._steps) : (k + 1) * len(self._steps)]
                frames = part.data if self._transform is None else self._transform(part.data)
                found[row] = {
                    "frames": frames, "pts_seconds": part.pts_seconds, "file": file, "start": places[row][1],
                }  # fmt: skip
        return found

    def close(self) -> None:
        """Closes the files that this process has open; they are opened again when they are needed.

        Example:
            >>> data = gvideo.data.VideoDataset(["clip.gsv"], output="numpy")
            >>> data.close()
        """
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def _place(self, index: int) -> tuple[int, int]:
        """(file, first frame) of a clip."""
        number = integer(index, "the number of a clip")
        clip = number + len(self) if number < 0 else number
        if not 0 <= clip < len(self):
            raise OutsideError(f"clip {index} is outside 0..{len(self) - 1}")
        file = bisect_right(self._ends, clip)
        return file, (clip - (self._ends[file - 1] if file else 0)) * self._stride

    def _decoder(self, file: int) -> VideoDecoder:
        if self._process != os.getpid():  # a fork: what the parent has open stays the parent's
            self._open, self._process = OrderedDict(), os.getpid()
        if file not in self._open:
            _keep_to_one_thread()
            self._open[file] = VideoDecoder(self.files[file], **self._options)
            if len(self._open) > self._max_open:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(file)
        return self._open[file]


def _keep_to_one_thread() -> None:
    """In a worker of a DataLoader: the workers are the parallel work."""
    loading = sys.modules.get("torch.utils.data")
    if loading is not None and loading.get_worker_info() is not None and "GVIDEO_THREADS" not in os.environ:
        from gvideo import raster

        raster.set_num_threads(1)
