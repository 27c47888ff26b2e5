"""Workers: how many there are, and what they say when a GPU is full."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from gvideo import encode, memory
from gvideo.encoder import segment
from gvideo.encoder.backends import devices
from gvideo.encoder.backends.devices import SEGMENTS_PER_GPU, default_workers, segment_bytes
from gvideo.errors import GVideoError
from gvideo.media import open_sink
from gvideo.types import VideoFormat


def test_a_gpu_gets_as_many_segments_as_its_memory_holds(monkeypatch):
    wanted = segment_bytes(1920, 1080, 60)
    assert 5e9 < wanted < 7e9
    free = [int(2.5 * wanted), 100 * wanted]
    monkeypatch.setattr(devices, "num_processors", lambda: 32)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (free[number], 0))
    assert default_workers("cuda", 1920, 1080, 60) == 2 + SEGMENTS_PER_GPU
    free[:] = [wanted // 2]
    assert default_workers("cuda", 1920, 1080, 60) == 1  # it may still be enough, and says so if not
    assert default_workers("cuda", 320, 180, 60) == min(SEGMENTS_PER_GPU, free[0] // segment_bytes(320, 180, 60))
    monkeypatch.setattr(devices, "num_processors", lambda: 3)
    free[:] = [100 * wanted]
    assert default_workers("cuda", 1920, 1080, 60) == 3


def test_a_machine_gets_no_more_segments_than_its_memory_holds(monkeypatch):
    monkeypatch.setattr(devices, "num_processors", lambda: 8)
    for available, found in ((math.inf, 8), (64e9, 7), (16e9, 1), (1e9, 1)):
        monkeypatch.setattr(memory, "available_bytes", lambda value=available: value)
        assert default_workers("cpu", 1920, 1080, 60) == found  # 8.4 GB each
    assert default_workers("cpu", 320, 180, 60) == 1
    monkeypatch.setattr(memory, "available_bytes", lambda: 16e9)
    assert default_workers("cpu", 320, 180, 60) == 8


def test_a_full_gpu_is_told_in_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    source = tmp_path / "clip.mkv"
    with open_sink(source, VideoFormat(32, 24, timescale=25), frame_rate=Fraction(25)) as sink:
        for k in range(3):
            sink.write(np.zeros((3, 24, 32), np.float32), k, 1)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(segment, "fit_layers", full)
    with pytest.raises(GVideoError, match=r"3 frames of 32x24: try fewer --workers, a shorter --segment") as error:
        encode(source, tmp_path / "clip.gsv", workers=1, device="cpu")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]
