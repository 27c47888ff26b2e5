"""Clips are those of torchcodec's samplers, frame by frame; its answers are recorded, and asked anew if it is there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streams import make_stream

from gvideo import VideoDecoder, samplers
from gvideo.bitstream.headers import SequenceHeader
from gvideo.samplers import _evenly

MADE = make_stream(num_segments=5, num_frames=6, count=4, sequence=SequenceHeader(48, 32, 12800, 512))
RECORD = Path(__file__).parent / "samplers.json"
RECORDED = json.loads(RECORD.read_text())
#: 0.6 + 2 · 0.04 is a little below 0.68 in doubles; here a frame has begun by then (gvideo/decoder/times.py).
ROUNDED = {'["clips_at_regular_timestamps", {"seconds_between_clip_starts": 0.3, "num_frames_per_clip": 3}]'}


@pytest.fixture(scope="module")
def video() -> VideoDecoder:
    return VideoDecoder(MADE.data, output="torch")


@pytest.mark.parametrize("call", RECORDED["outcomes"])
def test_clips_are_those_of_torchcodec(video, call):
    """Frames' times, clip by clip, of the same call with the same seed; or the class of the error."""
    assert (outcome(samplers, video, call) == RECORDED["outcomes"][call]) == (call not in ROUNDED)


def outcome(module: Any, decoder: Any, call: str) -> Any:
    name, options = json.loads(call)
    torch.manual_seed(3)
    try:
        clips = getattr(module, name)(decoder, **options)
    except ValueError:
        return "ValueError"
    return [list(clips.data.shape[:2]), np.round(np.asarray(clips.pts_seconds), 6).tolist()]


def test_the_record_is_what_the_installed_torchcodec_answers(tmp_path):
    try:
        import torchcodec.samplers
        from torchcodec.decoders import VideoDecoder as Other
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchcodec cannot be loaded: {str(error).splitlines()[0]}")
    import probes

    probes.write_x264(tmp_path / "even.mp4", probes.EVEN, 12800)
    decoder = Other(tmp_path / "even.mp4")
    differing = [c for c in RECORDED["outcomes"] if outcome(torchcodec.samplers, decoder, c) != RECORDED["outcomes"][c]]
    assert differing == []


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 1), (0, 10), (3, 3), (7, 250), (0, 9999)])
def test_even_numbers_are_those_of_linspace(first, last):
    for count in (*range(1, 40), 333):
        assert _evenly(first, last, count) == torch.linspace(first, last, steps=count, dtype=torch.int).tolist()


def test_clips_have_the_wanted_shape(video):
    clips = samplers.clips_at_random_indices(video, num_clips=2, num_frames_per_clip=3, shape=(8, 12))
    assert tuple(clips.data.shape) == (2, 3, 3, 8, 12)
    part = samplers.clips_at_regular_timestamps(video, seconds_between_clip_starts=0.4, crop=(0, 0, 9, 7))
    assert tuple(part.data.shape) == (3, 1, 3, 9, 7)


def test_clips_hold_the_frames_that_their_times_say(video):
    clips = samplers.clips_at_random_indices(video, num_clips=3, num_frames_per_clip=2, num_indices_between_frames=4)
    for data, seconds in zip(clips.data.flatten(0, 1), clips.pts_seconds.flatten(), strict=True):
        assert torch.equal(data, video.get_frame_played_at(float(seconds)).data)


def test_without_torch():
    code = (
        "import sys, random, gvideo; random.seed(1); video = gvideo.VideoDecoder(sys.stdin.buffer.read())\n"
        "a = gvideo.samplers.clips_at_random_indices(video, num_clips=3)\n"
        "b = gvideo.samplers.clips_at_random_timestamps(video, num_clips=2)\n"
        "numbers = (a.pts_seconds[:, 0] / 0.04).round().astype(int).tolist()\n"
        "print(a.data.shape, b.data.shape, numbers, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=MADE.data, capture_output=True, check=True)
    random.seed(1)
    expected = [random.randrange(0, 30) for _ in range(3)]
    assert done.stdout.decode().split("\n")[0] == f"(3, 1, 3, 32, 48) (2, 1, 3, 32, 48) {expected} False"
