"""Clips of a video for training, with the names and the meaning of `torchcodec.samplers`. torch is not needed; where it
is loaded its generator draws the random numbers (decoder/chance.py).

    decoder ── clips_at_random_indices, clips_at_regular_indices          (frames by number)
            └─ clips_at_random_timestamps, clips_at_regular_timestamps    (frames by time)
                                            ──► FrameBatch: data [clips, frames, 3, H, W], times [clips, frames]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from gvideo.decoder import chance
from gvideo.decoder.frames import FrameBatch
from gvideo.decoder.rendering.drawing import Crop, Shape
from gvideo.decoder.video_decoder import VideoDecoder
from gvideo.errors import OptionError

__all__ = [
    "clips_at_random_indices",
    "clips_at_random_timestamps",
    "clips_at_regular_indices",
    "clips_at_regular_timestamps",
]

POLICIES = ("repeat_last", "wrap", "error")
_Place = TypeVar("_Place", int, float)


def clips_at_random_indices(
    decoder: VideoDecoder,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    num_indices_between_frames: int = 1,
    sampling_range_start: int = 0,
    sampling_range_end: int | None = None,
    policy: str = "repeat_last",
    shape: Shape | None = None,
    crop: Crop | None = None,
) -> FrameBatch:
    """Clips that begin at random frames.

    Args:
        decoder: of the video.
        num_clips: how many, at least 1.
        num_frames_per_clip: frames of each, at least 1.
        num_indices_between_frames: from one frame of a clip to the next, in frames of the video.
        sampling_range_start: the first frame where a clip may begin; negative: from the end.
        sampling_range_end: the frame behind the last one where a clip may begin; negative: from the end; None: the last
            from where a clip fits into the video.
        policy: for clips that reach beyond the end: "repeat_last" (its last frame again), "wrap" (the clip from its
            beginning again) or "error".
        shape: (height, width) in px to draw at, antialiased.
        crop: (top, left, height, width) in px of the frame: nothing else is drawn.

    Returns:
        A FrameBatch: data [C,F,3,H,W] (or [C,F,H,W,3]), pts_seconds f64 [C,F], duration_seconds f64 [C,F].

    Raises:
        OptionError: a number, the range or the policy makes no sense; it is a ValueError.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> gvideo.samplers.clips_at_random_indices(video, num_clips=2, num_frames_per_clip=4).data.shape
        (2, 4, 3, 48, 64)
    """
    first, end = _index_range(
        decoder, num_clips, num_frames_per_clip, num_indices_between_frames, sampling_range_start, sampling_range_end,
        policy,
    )  # fmt: skip
    starts = chance.integers(first, end, num_clips)
    return _index_clips(decoder, starts, num_frames_per_clip, num_indices_between_frames, policy, shape, crop)


def clips_at_regular_indices(
    decoder: VideoDecoder,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    num_indices_between_frames: int = 1,
    sampling_range_start: int = 0,
    sampling_range_end: int | None = None,
    policy: str = "repeat_last",
    shape: Shape | None = None,
    crop: Crop | None = None,
) -> FrameBatch:
    """Clips that begin at frames evenly spread over a range; more clips than frames repeat some.

    Args:
        decoder: of the video.
        num_clips: how many, at least 1.
        num_frames_per_clip: frames of each, at least 1.
        num_indices_between_frames: from one frame of a clip to the next, in frames of the video.
        sampling_range_start: the first frame where a clip may begin; negative: from the end.
        sampling_range_end: the frame behind the last one where a clip may begin; negative: from the end; None: the last
            from where a clip fits into the video.
        policy: for clips that reach beyond the end: "repeat_last", "wrap" or "error".
        shape: (height, width) in px to draw at, antialiased.
        crop: (top, left, height, width) in px of the frame: nothing else is drawn.

    Returns:
        A FrameBatch: data [C,F,3,H,W] (or [C,F,H,W,3]), pts_seconds f64 [C,F], duration_seconds f64 [C,F].

    Raises:
        OptionError: a number, the range or the policy makes no sense; it is a ValueError.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> gvideo.samplers.clips_at_regular_indices(video, num_clips=3, num_frames_per_clip=2).pts_seconds[:, 0]
        array([0.  , 0.76, 1.52])
    """
    first, end = _index_range(
        decoder, num_clips, num_frames_per_clip, num_indices_between_frames, sampling_range_start, sampling_range_end,
        policy,
    )  # fmt: skip
    starts = _evenly(first, end - 1, num_clips)
    return _index_clips(decoder, starts, num_frames_per_clip, num_indices_between_frames, policy, shape, crop)


def clips_at_random_timestamps(
    decoder: VideoDecoder,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    seconds_between_frames: float | None = None,
    sampling_range_start: float | None = None,
    sampling_range_end: float | None = None,
    policy: str = "repeat_last",
    shape: Shape | None = None,
    crop: Crop | None = None,
) -> FrameBatch:
    """Clips that begin at random times.

    Args:
        decoder: of the video.
        num_clips: how many, at least 1.
        num_frames_per_clip: frames of each, at least 1.
        seconds_between_frames: from one moment of a clip to the next, s; None: the mean duration of a frame.
        sampling_range_start: the first time where a clip may begin, s; None: the beginning of the video.
        sampling_range_end: the time before which clips begin, s; None: the last from where a clip fits.
        policy: for clips that reach beyond the end: "repeat_last", "wrap" or "error".
        shape: (height, width) in px to draw at, antialiased.
        crop: (top, left, height, width) in px of the frame: nothing else is drawn.

    Returns:
        A FrameBatch: data [C,F,3,H,W] (or [C,F,H,W,3]), pts_seconds f64 [C,F], duration_seconds f64 [C,F].

    Raises:
        OptionError: a number, the range or the policy makes no sense; it is a ValueError.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> gvideo.samplers.clips_at_random_timestamps(video, num_clips=2, shape=(24, 32)).data.shape
        (2, 1, 3, 24, 32)
    """
    _check("num_clips", num_clips)
    first, end, step = _time_range(
        decoder, num_frames_per_clip, seconds_between_frames, sampling_range_start, sampling_range_end, policy
    )
    starts = [share * (end - first) + first for share in chance.shares(num_clips)]
    return _time_clips(decoder, starts, num_frames_per_clip, step, policy, shape, crop)


def clips_at_regular_timestamps(
    decoder: VideoDecoder,
    *,
    seconds_between_clip_starts: float,
    num_frames_per_clip: int = 1,
    seconds_between_frames: float | None = None,
    sampling_range_start: float | None = None,
    sampling_range_end: float | None = None,
    policy: str = "repeat_last",
    shape: Shape | None = None,
    crop: Crop | None = None,
) -> FrameBatch:
    """Clips that begin at times evenly apart.

    Args:
        decoder: of the video.
        seconds_between_clip_starts: from the beginning of one clip to that of the next, s.
        num_frames_per_clip: frames of each, at least 1.
        seconds_between_frames: from one moment of a clip to the next, s; None: the mean duration of a frame.
        sampling_range_start: where the first clip begins, s; None: the beginning of the video.
        sampling_range_end: the time before which clips begin, s; None: the last from where a clip fits.
        policy: for clips that reach beyond the end: "repeat_last", "wrap" or "error".
        shape: (height, width) in px to draw at, antialiased.
        crop: (top, left, height, width) in px of the frame: nothing else is drawn.

    Returns:
        A FrameBatch: data [C,F,3,H,W] (or [C,F,H,W,3]), pts_seconds f64 [C,F], duration_seconds f64 [C,F].

    Raises:
        OptionError: a number, the range or the policy makes no sense; it is a ValueError.

    Example:
        >>> video = gvideo.VideoDecoder("clip.gsv")
        >>> gvideo.samplers.clips_at_regular_timestamps(video, seconds_between_clip_starts=0.5).pts_seconds[:, 0]
        array([0.  , 0.48, 1.  , 1.48])
    """
    _check("seconds_between_clip_starts", seconds_between_clip_starts)
    first, end, step = _time_range(
        decoder, num_frames_per_clip, seconds_between_frames, sampling_range_start, sampling_range_end, policy
    )
    # arange may reach its end by rounding
    starts = [float(s) for s in np.arange(first, end, seconds_between_clip_starts, dtype=np.float64) if s < end]
    return _time_clips(decoder, starts, num_frames_per_clip, step, policy, shape, crop)


def _check(name: str, value: float) -> None:
    if not value > 0:
        raise OptionError(f"{name} is {value}: above 0 wanted")


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise OptionError(f"policy is {policy!r}: {', '.join(POLICIES)} wanted")


def _index_range(
    decoder: VideoDecoder, num_clips: int, num_frames: int, step: int, start: int, end: int | None, policy: str
) -> tuple[int, int]:
    """The frames [first, end) where clips may begin."""
    for name, value in (
        ("num_clips", num_clips), ("num_frames_per_clip", num_frames), ("num_indices_between_frames", step)
    ):  # fmt: skip
        _check(name, value)
    _check_policy(policy)
    count = len(decoder)
    first = start + count if start < 0 else start
    if first >= count:
        raise OptionError(f"sampling_range_start is {start}: below the number of frames, {count}, wanted")
    behind = count if end is None else end + count if end < 0 else end
    last = min(behind, count) if end is not None else max(count - step * (num_frames - 1), 1)
    if first >= last:
        wanted = f"the video has {count} frames, so clips begin before {last}" if end is None else f"below {end} wanted"
        raise OptionError(f"sampling_range_start is {start}: {wanted}")
    return first, last


def _time_range(
    decoder: VideoDecoder, num_frames: int, step: float | None, start: float | None, end: float | None, policy: str
) -> tuple[float, float, float]:
    """The times [first, end) where clips may begin, and what is between frames of a clip, s."""
    _check("num_frames_per_clip", num_frames)
    _check_policy(policy)
    known = decoder.metadata
    if step is None:
        step = 1 / known.average_fps
    _check("seconds_between_frames", step)
    begin, stop = known.begin_stream_seconds, known.end_stream_seconds
    first = begin if start is None else start
    if not begin <= first < stop:
        raise OptionError(f"sampling_range_start is {first} s: within [{begin}, {stop}) s wanted")
    if end is None:
        last = stop - (num_frames - 1) * step
    elif end <= begin:
        raise OptionError(f"sampling_range_end is {end} s: above {begin} s, where the video begins, wanted")
    else:
        last = end
    if first >= last:
        raise OptionError(f"sampling_range_start is {first} s: below {last} s, where the last clip begins, wanted")
    return first, min(last, stop), step


def _evenly(first: int, last: int, count: int) -> list[int]:
    """As torch.linspace of integers: from both ends to the middle, cut to integers."""
    step = (last - first) / (count - 1) if count > 1 else 0.0
    return [int(first + step * i) if i < count // 2 or count == 1 else int(last - step * (count - 1 - i))
            for i in range(count)]  # fmt: skip


def _index_clips(
    decoder: VideoDecoder, starts: Sequence[int], num_frames: int, step: int, policy: str,
    shape: Shape | None, crop: Crop | None,
) -> FrameBatch:  # fmt: skip
    count = len(decoder)
    clips = [_filled([n for k in range(num_frames) if (n := start + k * step) < count], num_frames, policy)
             for start in starts]  # fmt: skip
    flat = [number for clip in clips for number in clip]
    return _grouped(decoder.get_frames_at(flat, **_drawing(shape, crop)), num_frames)


def _time_clips(
    decoder: VideoDecoder, starts: Sequence[float], num_frames: int, step: float, policy: str,
    shape: Shape | None, crop: Crop | None,
) -> FrameBatch:  # fmt: skip
    stop = decoder.metadata.end_stream_seconds
    clips = [_filled([t for k in range(num_frames) if (t := start + k * step) < stop], num_frames, policy)
             for start in starts]  # fmt: skip
    flat = [time for clip in clips for time in clip]
    return _grouped(decoder.get_frames_played_at(flat, **_drawing(shape, crop)), num_frames)


def _filled(places: list[_Place], count: int, policy: str) -> list[_Place]:
    if len(places) == count:
        return places
    if policy == "error":
        raise OptionError("policy is 'error', and a clip reaches beyond the end; leave sampling_range_end out")
    if policy == "wrap":
        return [places[k % len(places)] for k in range(count)]
    return places + places[-1:] * (count - len(places))


def _drawing(shape: Shape | None, crop: Crop | None) -> dict[str, Any]:
    return {k: v for k, v in (("shape", shape), ("crop", crop)) if v is not None}


def _grouped(frames: FrameBatch, num_frames: int) -> FrameBatch:
    """A FrameBatch [C,F,…] of one [C F,…]."""
    return FrameBatch(
        frames.data.reshape(-1, num_frames, *frames.data.shape[1:]),
        frames.pts_seconds.reshape(-1, num_frames),
        frames.duration_seconds.reshape(-1, num_frames),
    )
