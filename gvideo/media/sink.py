"""Video out: the destination's name says what is written.

    .mkv         FFV1, lossless in the format's integers. Times in whole milliseconds (all that Matroska's muxer knows)
    .mp4         H.264 (libx264), CRF 12: for players. Times exact. 10 bits at most; 4:4:4 where 4:2:0 cannot
                 hold an odd size
    .y4m         raw integers; one fixed frame rate, taken from the times written
    .png         one picture, exactly;  out_%05d.png: one per frame, from 0. R'G'B' 8 bit, turned upright
    .npy         uint8 [T,3,H,W] R'G'B', coded orientation

No player shows what lies before zero in a .mp4, and Matroska has no such times: a video that starts before zero starts
at zero in both, with all its frames as far apart as they were.

    planes f32 --codes.py--> integers --> .mkv .mp4 .y4m            planes --colour.py--> R'G'B' --> .png .npy

A sink is a context manager. Leaving it well gives the file its name; leaving it by an exception removes what was
written. Every failure of the destination is a MediaError that names it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from gvideo.errors import MediaError, OptionError
from gvideo.media.codes import CodePlanes, code_values_to_planes, planes_to_code_values
from gvideo.types import Float32, VideoFormat


class FrameSink(ABC):
    """Where frames go. write() takes float planes, write_codes() integers of the sink's format; either will do."""

    def __init__(self, path: Path, video_format: VideoFormat) -> None:
        self.path = path
        self.format = video_format
        self.num_frames = 0
        self._previous_pts: int | None = None

    def __enter__(self) -> FrameSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard()
            return
        if self.num_frames == 0:
            self._discard()
            raise MediaError(f"{self.path}: no frame was written to it")
        try:
            self._commit()
        except BaseException:
            self._discard()
            raise

    def write(self, planes: Float32, pts: int, duration: int) -> None:
        """Append a frame of planes f32 [3,H,W]. pts and duration in ticks of the format's timescale, pts increasing."""
        self._check(planes.shape, (3, self.format.height, self.format.width), pts)
        self._write_planes(planes, pts, duration)
        self.num_frames += 1

    def write_codes(self, planes: CodePlanes, pts: int, duration: int) -> None:
        """Append a frame of integers y, cb, cr in the format's sampling, depth and range."""
        self._check(planes[0].shape, (self.format.height, self.format.width), pts)
        self._write_codes(planes, pts, duration)
        self.num_frames += 1

    def _check(self, shape: tuple[int, ...], expected: tuple[int, ...], pts: int) -> None:
        if shape != expected:
            raise MediaError(f"{self.path}: a frame of shape {shape} does not fit the format's {expected}")
        if self._previous_pts is not None and pts <= self._previous_pts:
            raise MediaError(f"{self.path}: time {pts} does not come after {self._previous_pts}")
        self._previous_pts = pts

    def _write_planes(self, planes: Float32, pts: int, duration: int) -> None:
        self._write_codes(planes_to_code_values(planes, self.format), pts, duration)

    def _write_codes(self, planes: CodePlanes, pts: int, duration: int) -> None:
        self._write_planes(code_values_to_planes(*planes, self.format), pts, duration)

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _discard(self) -> None: ...


def open_sink(
    path: str | os.PathLike[str], video_format: VideoFormat, *, crf: float = 12.0, frame_rate: Fraction | None = None
) -> FrameSink:
    """A sink for the destination's ending. crf: quality of .mp4 (0 lossless to 51). frame_rate: frames per second to
    state in .y4m (a source's average_rate), where None takes it from the times written.

    Raises OptionError for an ending that is not in the table above, MediaError where the file cannot be made.
    """
    from gvideo.media.sink_av import LibavSink
    from gvideo.media.sink_raw import NpySink, PngSink, Y4mSink

    destination = Path(path)
    suffix = destination.suffix.lower()
    if suffix in (".mkv", ".mp4"):
        return LibavSink(destination, video_format, crf=crf)
    if suffix == ".y4m":
        return Y4mSink(destination, video_format, frame_rate)
    if suffix == ".npy":
        return NpySink(destination, video_format)
    if suffix == ".png":
        return PngSink(destination, video_format)
    raise OptionError(f"{destination}: cannot write {suffix or 'a name without ending'}; use .mkv .mp4 .y4m .png .npy")
