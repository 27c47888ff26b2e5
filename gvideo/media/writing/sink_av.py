"""Sinks that FFmpeg's libraries encode and multiplex: FFV1 in Matroska, H.264 in MP4."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.video.stream

from gvideo.errors import MediaError
from gvideo.extras import load
from gvideo.media.codes import CodePlanes, code_values_to_planes, planes_to_code_values
from gvideo.media.partial import PartialFile
from gvideo.media.reading.pixels import planar_name, write_planes
from gvideo.media.writing.sink import FrameSink
from gvideo.types import Float32, VideoFormat

#: Matroska has random identifiers otherwise.
_REPRODUCIBLE = {"fflags": "bitexact"}
_DEPTHS = {".mkv": (8, 9, 10, 12, 14, 16), ".mp4": (8, 10)}


class LibavSink(FrameSink):
    """.mkv or .mp4. Integers go in unchanged where the codec has the format's depth and sampling."""

    def __init__(self, path: Path, video_format: VideoFormat, *, crf: float = 12.0) -> None:
        super().__init__(path, video_format)
        suffix = path.suffix.lower()
        self._stored = _storable(video_format, suffix)
        self._partial = PartialFile(path)
        self._durations: dict[int, int] = {}
        self._zero: int | None = None  # the pts that is written as 0
        try:
            if suffix == ".mkv":
                if self._stored.sample_aspect != 1:  # said before anything is written
                    load("imageio_ffmpeg", f"{path}: Matroska of pixels that are not square (.mp4 and .y4m do without)")
                self._container = av.open(self._partial.file, "w", format="matroska", options=_REPRODUCIBLE)
                self._stream = self._container.add_stream("ffv1", options={"level": "3", "slicecrc": "1"})
            else:
                # The film's own timescale too: an edit list's delay is counted in it, 1/1000 s unless told.
                ticks = str(video_format.timescale)
                options = {"video_track_timescale": ticks, "movie_timescale": ticks, **_REPRODUCIBLE}
                self._container = av.open(self._partial.file, "w", format="mp4", options=options)
                # Without B-frames packets are in presentation order, so the last one's duration is the last frame's.
                # The macroblock tree gives other bytes now and then on a busy machine (seen with AVX-512).
                codec_options = {"crf": str(crf), "preset": "medium", "bf": "0", "x264-params": "mbtree=0"}
                self._stream = self._container.add_stream("libx264", options=codec_options)
            self._describe(self._stream)
        except BaseException:
            self._partial.discard()
            raise

    def _describe(self, stream: av.video.stream.VideoStream) -> None:
        stored, context = self._stored, stream.codec_context
        stream.width, stream.height = stored.width, stored.height
        stream.pix_fmt = planar_name(stored.chroma_format, stored.bit_depth)
        stream.time_base = context.time_base = Fraction(1, stored.timescale)
        context.sample_aspect_ratio = stored.sample_aspect
        context.color_primaries = stored.colour.primaries
        context.color_trc = stored.colour.transfer
        context.colorspace = stored.colour.matrix
        context.color_range = 2 if stored.colour.full_range else 1
        if stored.rotation:
            stream.set_display_rotation(-stored.rotation)

    def _write_planes(self, planes: Float32, pts: int, duration: int) -> None:
        self._encode(planes_to_code_values(planes, self._stored), pts, duration)

    def _write_codes(self, planes: CodePlanes, pts: int, duration: int) -> None:
        if self._stored != self.format:
            planes = planes_to_code_values(code_values_to_planes(*planes, self.format), self._stored)
        self._encode(planes, pts, duration)

    def _encode(self, planes: CodePlanes, pts: int, duration: int) -> None:
        colour = self._stored.colour
        frame = write_planes(planes, self._stored.chroma_format, self._stored.bit_depth)
        if self._zero is None:
            self._zero = min(0, pts)
        pts -= self._zero
        frame.pts, frame.duration, frame.time_base = pts, duration, Fraction(1, self._stored.timescale)
        frame.color_range = 2 if colour.full_range else 1
        frame.colorspace, frame.color_primaries, frame.color_trc = colour.matrix, colour.primaries, colour.transfer
        self._durations[pts] = duration
        try:
            self._multiplex(frame)
        except (av.error.FFmpegError, OSError) as error:
            raise self._partial.failure(error) from error

    def _multiplex(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            if packet.pts is not None and packet.time_base == Fraction(1, self._stored.timescale):
                packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _commit(self) -> None:
        try:
            self._multiplex(None)
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._partial.failure(error) from error
        if self.path.suffix.lower() == ".mkv" and self._stored.sample_aspect != 1:
            self._set_matroska_aspect()
        self._partial.commit()

    def _set_matroska_aspect(self) -> None:
        """Multiplex once more with the sample aspect, which PyAV cannot hand to the Matroska muxer."""
        import imageio_ffmpeg

        stored = self._stored
        shape = stored.sample_aspect * stored.width / stored.height
        self._partial.close()
        unshaped = self._partial.temporary.with_suffix(".unshaped.partial")
        try:
            os.replace(self._partial.temporary, unshaped)
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-copyts"]
            command += ["-f", "matroska", "-i", os.fspath(unshaped), "-map", "0", "-c", "copy"]
            command += ["-aspect", f"{shape.numerator}:{shape.denominator}"]
            command += ["-f", "matroska", os.fspath(self._partial.temporary)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except (OSError, RuntimeError) as error:  # get_ffmpeg_exe() raises RuntimeError where there is none
            raise self._partial.failure(error) from error
        finally:
            unshaped.unlink(missing_ok=True)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise MediaError(f"{self.path}: cannot be written ({reason[0]})")

    def _discard(self) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError):  # the trailer fails again where writing failed
            self._container.close()
        self._partial.discard()


def _storable(video_format: VideoFormat, suffix: str) -> VideoFormat:
    """The format as the container's codec can hold it: the next greater depth it knows, no subsampling of odd sizes."""
    depths = _DEPTHS[suffix]
    depth = next((d for d in depths if d >= video_format.bit_depth), depths[-1])
    chroma = video_format.chroma_format
    odd = (chroma == "420" and video_format.height % 2) or (chroma != "444" and video_format.width % 2)
    return replace(video_format, bit_depth=depth, chroma_format="444" if suffix == ".mp4" and odd else chroma)
