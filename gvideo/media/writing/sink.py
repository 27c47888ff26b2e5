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
    """Where frames go: a context manager, made by open_sink. Left well, the file gets its name; left by an exception,
    what was written goes away. write takes float planes, write_codes integers of the sink's format; either will do.

    Args:
        path: of the file.
        video_format: of the frames.

    Raises:
        MediaError: the file cannot be written, or no frame was; the message names it.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> with gvideo.media.open_sink("out.npy", video.metadata.format) as sink:
        ...     sink.write(video.planes_at([0])[0], pts=0, duration=40)
    """

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
        """Appends a frame of float planes.

        Args:
            planes: f32 [3,H,W], Y', Cb and Cr without range.
            pts: when it begins, ticks of the format's timescale, above the last one's.
            duration: how long it lasts, ticks.

        Raises:
            MediaError: shape or time do not fit, or the file cannot be written.

        Example:
            >>> with gvideo.media.open_sink("out.npy", gvideo.VideoDecoder("clip.gsv").metadata.format) as sink:
            ...     sink.write(np.zeros((3, 48, 64), np.float32), pts=0, duration=40)
        """
        self._check(planes.shape, (3, self.format.height, self.format.width), pts)
        self._write_planes(planes, pts, duration)
        self.num_frames += 1

    def write_codes(self, planes: CodePlanes, pts: int, duration: int) -> None:
        """Appends a frame of integers in the format's sampling, depth and range.

        Args:
            planes: y [H,W], cb and cr [h,w].
            pts: when it begins, ticks of the format's timescale, above the last one's.
            duration: how long it lasts, ticks.

        Raises:
            MediaError: shape or time do not fit, or the file cannot be written.

        Example:
            >>> source = gvideo.media.VideoSource("clip.mp4")
            >>> with gvideo.media.open_sink("out.mkv", source.format) as sink:
            ...     for frame in source.code_frames():
            ...         sink.write_codes(frame.planes, frame.pts, frame.duration)
        """
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
    """A sink for the destination's ending: .mkv, .mp4, .y4m, .npy, .png or a pattern such as out_%05d.png.

    Args:
        path: of the file, or a pattern for pictures.
        video_format: of the frames.
        crf: quality of .mp4, 0 (lossless) to 51.
        frame_rate: frames a second to state in .y4m (a source's average_rate); None takes it from the times written.

    Returns:
        A FrameSink, to be used as a context manager.

    Raises:
        OptionError: the ending is none of these.
        MediaError: the file cannot be made.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> with gvideo.media.open_sink("out.png", video.metadata.format) as sink:
        ...     sink.write(video.planes_at([0])[0], pts=0, duration=40)
    """
    from gvideo.media.writing.sink_av import LibavSink
    from gvideo.media.writing.sink_raw import NpySink, PngSink, Y4mSink

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
