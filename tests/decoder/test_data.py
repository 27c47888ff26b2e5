"""A dataset of many files in a DataLoader: the right clips, in workers of every kind, with few files open."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from streams import make_stream
from torch.utils.data import DataLoader

from gvideo import VideoDecoder
from gvideo.data import VideoDataset
from gvideo.errors import MediaError, OptionError, OutsideError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    found = []
    for number, segments in enumerate((2, 1, 3)):
        path = folder / f"{number}.gsv"
        path.write_bytes(make_stream(num_segments=segments, num_frames=5, count=8, seed=number).data)
        found.append(path)
    return found


def test_clips_are_numbered_through_all_files(files):
    data = VideoDataset(files, frames_per_clip=2, frames_between=2, output="numpy")
    assert len(data) == 3 + 1 + 5  # a clip spans three frames of 10, 5 and 15
    for number, (file, start) in enumerate([(0, 0), (0, 3), (0, 6), (1, 0), (2, 0), (2, 3), (2, 6), (2, 9), (2, 12)]):
        clip = data[number]
        assert (clip["file"], clip["start"]) == (file, start)
        np.testing.assert_array_equal(clip["frames"], VideoDecoder(files[file])[start : start + 3 : 2])
    np.testing.assert_array_equal(data[-1]["frames"], data[8]["frames"])
    for outside in (9, -10):
        with pytest.raises(OutsideError, match=r"0\.\.8"):
            data[outside]


def test_clips_may_overlap_and_be_drawn_small(files):
    data = VideoDataset(files, frames_per_clip=4, stride=1, shape=(16, 24), crop=(0, 0, 16, 24), output_dtype="float32")
    assert len(data) == 7 + 2 + 12
    clip = data[8]
    assert clip["frames"].shape == (4, 3, 16, 24)
    assert clip["frames"].dtype == torch.float32
    assert (clip["file"], clip["start"]) == (1, 1)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_give_what_the_process_itself_gives(files, method):
    data = VideoDataset(files, frames_per_clip=2)
    data[0]  # something is open before the workers start
    loader = DataLoader(data, batch_size=3, num_workers=2, multiprocessing_context=method)
    batches = list(loader)
    assert [tuple(b["frames"].shape) for b in batches[:2]] == [(3, 2, 3, 32, 48)] * 2
    together = torch.cat([b["frames"] for b in batches])
    assert torch.equal(together, torch.stack([data[i]["frames"] for i in range(len(data))]))


def test_a_shuffled_batch_keeps_its_order(files):
    data = VideoDataset(files)
    numbers = [29, 0, 11, 12, 0, 28]
    clips = data.__getitems__(numbers)
    assert [(c["file"], c["start"]) for c in clips] == [(2, 14), (0, 0), (1, 1), (1, 2), (0, 0), (2, 13)]
    for number, clip in zip(numbers, clips, strict=True):
        assert torch.equal(clip["frames"], data[number]["frames"])


def test_few_files_stay_open(files):
    data = VideoDataset(files, max_open=1, output="numpy")
    first = data[0]["frames"]
    data[29], data[11]
    assert len(data._open) == 1
    np.testing.assert_array_equal(data[0]["frames"], first)
    data.close()
    np.testing.assert_array_equal(data[0]["frames"], first)


def test_it_travels_without_what_is_open(files):
    data = VideoDataset(files, output="numpy")
    data[3]
    other = pickle.loads(pickle.dumps(data))
    assert len(other._open) == 0
    np.testing.assert_array_equal(other[3]["frames"], data[3]["frames"])


def test_a_transform_is_applied_to_each_clip(files):
    data = VideoDataset(files, frames_per_clip=2, transform=lambda frames: frames.float().mean())
    assert data[0]["frames"].ndim == 0


def test_nonsense_is_refused(files, tmp_path):
    for options in ({"frames_per_clip": 0}, {"stride": 0}, {"max_open": 0}, {"frames_between": 0}):
        with pytest.raises(OptionError, match="at least 1"):
            VideoDataset(files, **options)
    with pytest.raises(OptionError, match="none of which has the 99 frames"):
        VideoDataset(files, frames_per_clip=99)
    with pytest.raises(OptionError, match=r"0 file\(s\)"):
        VideoDataset([])
    with pytest.raises(MediaError, match=r"no\.gsv"):
        VideoDataset([*files, tmp_path / "no.gsv"])
