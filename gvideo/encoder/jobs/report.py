"""What callers hear of an encode: how far it is, and what came out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncodeProgress:
    """How far an encode is.

    Args:
        frames_done: frames that are coded; shares of unfinished segments count.
        num_frames: frames that there are to code, or None while that is not known.
        num_bytes: bytes so far.
        coded_seconds: seconds of video that they are for.
        luma_psnr_db: Y-PSNR so far, dB.
        elapsed_s: since the call, s.
        stage: which pass of several the numbers are of, or "".

    Example:
        >>> p = gvideo.EncodeProgress(50.0, 100, 3000, 2.0, 34.5, 12.0)
        >>> f"{p.frames_done / p.num_frames:.0%}, {8 * p.num_bytes / p.coded_seconds:.0f} bit/s"
        '50%, 12000 bit/s'
    """

    frames_done: float
    num_frames: int | None
    num_bytes: int
    coded_seconds: float
    luma_psnr_db: float
    elapsed_s: float
    stage: str = ""


@dataclass(frozen=True, slots=True)
class PrefixReport:
    """The stream cut behind a layer of each segment: its bytes, with all headers, and its quality."""

    num_bytes: int
    luma_psnr_db: float


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What an encode made.

    Args:
        num_frames: frames that were coded.
        num_segments: parts that decode without any other.
        num_gaussians: Gaussians of all segments.
        num_bytes: bytes of the file.
        seconds: duration of the video, s.
        bitrate_bps: bits a second.
        luma_psnr_db: Y-PSNR over all frames, of what a decoder shows against the source's 8-bit-scaled codes, dB.
        elapsed_s: time that it took, s.
        frames_per_second: frames coded a second.
        num_resumed: segments that an earlier, interrupted run had made.
        losses: squared error (full scale) per pixel at every step of training, mean of all segments.
        prefixes: bytes and quality of the stream cut behind each layer.
        notes: what was unusual about the source, a line each, damage first.

    Example:
        >>> report = gvideo.encode("clip.mp4", "out.gsv")  # doctest: +SKIP
        >>> report.num_bytes, report.luma_psnr_db  # doctest: +SKIP
        (1843, 36.2)
    """

    num_frames: int
    num_segments: int
    num_gaussians: int
    num_bytes: int
    seconds: float
    bitrate_bps: float
    luma_psnr_db: float
    elapsed_s: float
    frames_per_second: float
    num_resumed: int
    losses: tuple[float, ...]
    prefixes: tuple[PrefixReport, ...]
    notes: tuple[str, ...] = ()
