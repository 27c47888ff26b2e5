"""Shapes and crops from call to call: the right part and size, no aliasing, full size untouched."""

from __future__ import annotations

import numpy as np
import pytest
from streams import make_stream

from gvideo import VideoDecoder, transforms
from gvideo.bitstream.headers import SequenceHeader
from gvideo.decoder.rendering.antialias import antialiased
from gvideo.errors import OptionError
from gvideo.media.resize import resize_planes
from gvideo.raster import Viewport, get_backend
from gvideo.types import Splats

MADE = make_stream(num_segments=3, num_frames=4, count=60)


@pytest.fixture(scope="module")
def video() -> VideoDecoder:
    return VideoDecoder(MADE.data)


def test_a_crop_is_that_part_of_the_frame(video):
    whole = video.get_frames_at([2, 9, 2]).data
    part = video.get_frames_at([2, 9, 2], crop=(5, 7, 20, 30)).data
    assert part.shape == (3, 3, 20, 30)
    # sums of Gaussians are rounded in another order where another tile begins
    difference = np.abs(part.astype(int) - whole[:, :, 5:25, 7:37])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_a_crop_of_everything_is_the_frame(video):
    np.testing.assert_array_equal(video.get_frame_at(3, crop=(0, 0, 32, 48)).data, video[3])


def test_a_shape_is_what_a_decoder_of_that_size_draws(video):
    small = VideoDecoder(MADE.data, size=(24, 16))
    np.testing.assert_array_equal(video.get_frames_at([1, 5], shape=(16, 24)).data, small.get_frames_at([1, 5]).data)
    assert video.get_frame_at(1, shape=(64, 96)).data.shape == (3, 64, 96)


def test_a_crop_and_a_shape(video):
    zoomed = video.get_frame_at(0, crop=(8, 8, 16, 16), shape=(40, 40)).data
    expected = video.get_pictures_at_ticks(video.pts[:1].astype(float), (40, 40), (8.0, 8.0, 16.0, 16.0))[0]
    np.testing.assert_array_equal(zoomed, expected)


def test_crops_are_counted_in_the_decoders_own_frame():
    middle = VideoDecoder(MADE.data, transforms=[transforms.CenterCrop((20, 30))])
    np.testing.assert_allclose(
        middle.get_frame_at(4, crop=(2, 3, 10, 12)).data.astype(int), middle[4][:, 2:12, 3:15], atol=1
    )
    doubled = VideoDecoder(MADE.data, size=(96, 64))
    np.testing.assert_allclose(doubled.get_frame_at(4, crop=(9, 3, 10, 12)).data.astype(int), doubled[4][:, 9:19, 3:15],
                               atol=1)  # fmt: skip


def test_every_call_takes_them(video):
    wanted = {"shape": (8, 12), "crop": (0, 0, 16, 24)}
    batches = [
        video.get_frames_at([0], **wanted), video.get_frames_in_range(0, 2, **wanted),
        video.get_all_frames(**wanted), video.get_all_frames(fps=10, **wanted),
        video.get_frames_played_at([0.1], **wanted), video.get_frames_played_in_range(0, 0.1, **wanted),
        video.get_frames_played_in_range(0, 0.1, fps=50, **wanted),
    ]  # fmt: skip
    assert {b.data.shape[1:] for b in batches} == {(3, 8, 12)}
    assert video.get_frame_played_at(0.1, **wanted).data.shape == (3, 8, 12)
    channels_last = VideoDecoder(MADE.data, dimension_order="NHWC", output="torch", output_dtype="float32")
    assert tuple(channels_last.get_frame_at(0, **wanted).data.shape) == (8, 12, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop": (0, 0, 33, 48)}, "crop"), ({"crop": (-1, 0, 4, 4)}, "crop"), ({"crop": (0, 47, 1, 2)}, "crop"),
        ({"crop": (0, 0, 0, 4)}, "crop"), ({"crop": (0, 0, 4)}, "crop"), ({"shape": (0, 4)}, "shape"),
        ({"shape": (4, 20000)}, "shape"), ({"shape": (4,)}, "shape"),
        ({"crop": (0, 0, 1, 1), "shape": (2000, 1)}, "shape"),
    ],
)  # fmt: skip
def test_nonsense_is_refused(video, options, words):
    with pytest.raises(ValueError, match=words):
        video.get_frame_at(0, **options)


@pytest.mark.parametrize("options", [{"crop": 3}, {"shape": 4}, {"shape": (1.5, 2)}])
def test_wrong_types_are_refused(video, options):
    with pytest.raises(TypeError):
        video.get_frame_at(0, **options)


# --- antialiasing


def splats(rng: np.random.Generator, count: int, largest: float) -> Splats:
    return Splats(
        rng.uniform(0, [96, 64], (count, 2)).astype(np.float32), np.zeros((count, 1, 2), np.float32),
        np.log(rng.uniform(0.4, largest, (count, 2))).astype(np.float32),
        rng.uniform(0, np.pi, count).astype(np.float32), rng.normal(0, 0.2, (count, 3)).astype(np.float32),
        np.zeros(count, np.float32), np.zeros(count, np.float32),
    )  # fmt: skip


def drawn(found: Splats, width: int, height: int) -> np.ndarray:
    viewport = Viewport(width, height, width / 96, height / 64)
    basis, times = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    return get_backend("cpu").render(found, basis, times, viewport)[0]


@pytest.mark.parametrize("size", [(48, 32), (32, 32), (24, 16), (40, 25), (96, 16)])
def test_small_pictures_are_those_of_area_averages(size):
    """Filtered Gaussians come closer to the averaged full picture than sampled ones, by far for coarse grids."""
    found = splats(np.random.default_rng(1), 400, 3.0)
    averaged = resize_planes(drawn(found, 96, 64), *size)
    filtered = drawn(antialiased(found, size[0] / 96, size[1] / 64), *size)
    sampled = drawn(found, *size)
    inner = np.s_[:, 2:-2, 2:-2]
    errors = [float(np.square(picture[inner] - averaged[inner]).mean()) for picture in (filtered, sampled)]
    assert errors[0] < 0.2 * errors[1]
    assert errors[0] < 0.02 * averaged.var()


def test_full_size_and_larger_are_untouched():
    found = splats(np.random.default_rng(2), 5, 3.0)
    for scale in (1.0, 1.5, 7.0):
        assert antialiased(found, scale, scale) is found
    assert antialiased(found, 1.0, 0.5) is not found


def test_the_brightness_stays():
    """Volume is kept: the mean of a small picture is that of the large one, wherever the Gaussians lie."""
    found = splats(np.random.default_rng(3), 2000, 1.0)
    found.means[:] = np.random.default_rng(4).uniform(16, [80, 48], (2000, 2))
    found.amplitudes[:] = 0.1
    large, small = drawn(found, 96, 64), drawn(antialiased(found, 0.125, 0.125), 12, 8)
    np.testing.assert_allclose(small.mean((1, 2)), large.mean((1, 2)), rtol=0.03)


def test_needles_stay_finite():
    found = splats(np.random.default_rng(4), 50, 3.0)
    found.log_scales[:, 0], found.log_scales[:, 1] = 12.0, -12.0
    seen = antialiased(found, 0.01, 0.3)
    assert all(np.isfinite(getattr(seen, name)).all() for name in ("log_scales", "angles", "amplitudes"))


def test_many_segments_stay_parsed(monkeypatch):
    """Random access parses a segment once as long as all fit the bytes that are kept."""
    made = make_stream(num_segments=12, num_frames=2, count=10, sequence=SequenceHeader(48, 32, 1000, 40))
    video = VideoDecoder(made.data)
    parsed = []
    decode = type(video.stream).decode_segment
    monkeypatch.setattr(
        type(video.stream), "decode_segment", lambda self, n, layers=None: parsed.append(n) or decode(self, n, layers)
    )
    for number in (0, 23, 5, 11, 0, 23, 2, 8, 14, 20, 0, 5):
        video.get_frame_at(number)
    assert len(parsed) == len(set(parsed))
    monkeypatch.setattr("gvideo.decoder.rendering.pictures._CACHED_BYTES", 0)
    for number in (0, 23, 5, 11, 17, 2, 0):
        video.get_frame_at(number)
    assert len(parsed) > len(set(parsed))


def test_refusals_name_what_there_is(video):
    with pytest.raises(OptionError, match="frame of 32 rows and 48 columns"):
        video.get_frame_at(0, crop=(30, 0, 8, 8))
