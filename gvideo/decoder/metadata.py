"""What is known of a stream without decoding it, under torchcodec's names.

The headers of a stream tell the exact number and times of its frames, so what torchcodec has from a container's header
and what it has from a scan of the content are one and the same here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gvideo.decoder.coded import CodedStream
from gvideo.types import VideoFormat

CODEC = "gsv1"

# FFmpeg's names of the code points of ISO/IEC 23091-2.
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES = {
    1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a stream. rotation: degrees anticlockwise to turn a frame for display, -180 … 90, None for 0;
    frames are not turned. color_*: FFmpeg's names, None where unspecified.

    Args:
        width: of the frames in px, transforms aside.
        height: of the frames in px.
        num_frames: frames of the stream.
        begin_stream_seconds: start of the first frame, s.
        end_stream_seconds: end of the last frame, s; no frame is on screen then.
        duration_seconds: from the one to the other, s.
        average_fps: frames over the duration, 1/s.
        timescale: ticks a second of exact times.
        bit_rate: bits of the file over the duration, bit/s.
        num_segments: parts that decode without any other.
        format: size, colour, sampling, depth, aspect and rotation in the stream's own terms.
        codec: "gsv1".
        stream_index: 0.
        media_type: "video".

    Example:
        >>> m = gvideo.VideoDecoder("clip.gsv").metadata
        >>> m.num_frames, m.width, m.height, m.average_fps, m.num_segments
        (40, 64, 48, 25.0, 2)
    """

    width: int
    height: int
    num_frames: int
    begin_stream_seconds: float
    end_stream_seconds: float
    duration_seconds: float
    average_fps: float
    timescale: int
    bit_rate: float
    num_segments: int
    format: VideoFormat
    codec: str = CODEC
    stream_index: int = 0
    media_type: str = "video"

    @property
    def num_frames_from_header(self) -> int:
        """The number of frames."""
        return self.num_frames

    @property
    def num_frames_from_content(self) -> int:
        """The number of frames."""
        return self.num_frames

    @property
    def begin_stream_seconds_from_header(self) -> float:
        """Start of the first frame."""
        return self.begin_stream_seconds

    @property
    def begin_stream_seconds_from_content(self) -> float:
        """Start of the first frame."""
        return self.begin_stream_seconds

    @property
    def end_stream_seconds_from_content(self) -> float:
        """End of the last frame; no frame is on screen at this time."""
        return self.end_stream_seconds

    @property
    def duration_seconds_from_header(self) -> float:
        """From the first frame's start to the last one's end."""
        return self.duration_seconds

    @property
    def average_fps_from_header(self) -> float:
        """Frames over the duration."""
        return self.average_fps

    @property
    def pixel_aspect_ratio(self) -> Fraction:
        """Width of a pixel over its height."""
        return self.format.sample_aspect

    @property
    def rotation(self) -> float | None:
        """Degrees anticlockwise to turn a frame for display."""
        return {0: None, 90: -90.0, 180: -180.0, 270: 90.0}[self.format.rotation]

    @property
    def color_primaries(self) -> str | None:
        """FFmpeg's name of the primaries."""
        return _PRIMARIES.get(self.format.colour.primaries)

    @property
    def color_transfer_characteristic(self) -> str | None:
        """FFmpeg's name of the transfer characteristic."""
        return _TRANSFERS.get(self.format.colour.transfer)

    @property
    def color_space(self) -> str | None:
        """FFmpeg's name of the matrix."""
        return _MATRICES.get(self.format.colour.matrix)

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the source's planes: chroma format and depth; full range has no name of its own here."""
        chroma, depth = self.format.chroma_format, self.format.bit_depth
        name = "gray" if chroma == "400" else f"yuv{chroma}p"
        return name if depth == 8 else f"{name}{depth}le"


def metadata_of(stream: CodedStream, size: tuple[int, int] | None) -> Metadata:
    """Size, counts and times of a stream whose frames are drawn at a size (width, height); None: as coded."""
    scale = stream.header.timescale
    format_ = stream.format if size is None else stream.format.resized(*size)
    seconds = stream.duration / scale
    return Metadata(
        format_.width, format_.height, stream.num_frames, stream.segments[0].start / scale,
        stream.segments[-1].end / scale, seconds, float(Fraction(stream.num_frames * scale, stream.duration)), scale,
        8 * stream.source.size / seconds, len(stream.segments), format_,
    )  # fmt: skip
