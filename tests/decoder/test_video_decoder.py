"""Frames by number and by time: torchcodec's methods and guarantees, as tables of cases."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from streams import make_stream

from gvideo import VideoDecoder, raster
from gvideo.bitstream.headers import SequenceHeader
from gvideo.decoder.frames import Frame, FrameBatch
from gvideo.decoder.rendering import pictures
from gvideo.decoder.transforms import CenterCrop, RandomCrop, Resize
from gvideo.errors import MediaError, OptionError

MADE = make_stream(num_segments=6, num_frames=6, count=15, num_layers=2)
N = 36
UNEVEN = (40, 10, 70, 40, 33, 7)


@pytest.fixture(scope="module")
def decoder() -> VideoDecoder:
    return VideoDecoder(MADE.data)


@pytest.fixture(scope="module")
def frames(decoder: VideoDecoder) -> np.ndarray:
    return decoder.get_all_frames().data


def test_the_frames_are_pictures(frames):
    assert frames.shape == (N, 3, 32, 48)
    assert frames.dtype == np.uint8
    assert len({f.tobytes() for f in frames}) > N // 2
    assert frames.std() > 5


@pytest.mark.parametrize("source", ["path", "str", "bytes", "bytearray", "memoryview", "BytesIO", "file"])
def test_sources(source, tmp_path, frames):
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    with path.open("rb") as opened:
        given = {
            "path": path, "str": str(path), "bytes": MADE.data, "bytearray": bytearray(MADE.data),
            "memoryview": memoryview(MADE.data), "BytesIO": io.BytesIO(MADE.data), "file": opened,
        }[source]  # fmt: skip
        with VideoDecoder(given) as decoder:
            np.testing.assert_array_equal(decoder[7], frames[7])


class Plain:
    """A file object whose `seek` has no default for `whence`."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int) -> int:
        return self._file.seek(offset, whence)


def test_sources_of_other_kinds(frames):
    torch = pytest.importorskip("torch")
    array = np.frombuffer(MADE.data, np.uint8)
    for source in (Plain(MADE.data), array, torch.from_numpy(array.copy())):
        np.testing.assert_array_equal(VideoDecoder(source)[7], frames[7])
    for wrong in (array.astype(np.int32), array[None], torch.zeros(3)):
        with pytest.raises(TypeError, match="bytes in one dimension"):
            VideoDecoder(wrong)


def test_files_opened_as_text(tmp_path):
    (tmp_path / "a.gsv").write_bytes(MADE.data)
    with (tmp_path / "a.gsv").open() as text, pytest.raises(TypeError, match=r"a\.gsv: is opened as text.*'rb'"):
        VideoDecoder(text)


def test_sources_that_are_none(tmp_path):
    with pytest.raises(TypeError):
        VideoDecoder(3)  # type: ignore[arg-type]
    with pytest.raises(MediaError, match=r"none\.gsv.*No such file"):
        VideoDecoder(tmp_path / "none.gsv")
    with pytest.raises(MediaError, match="is a folder"):
        VideoDecoder(tmp_path)
    with pytest.raises(MediaError, match="is a device"):
        VideoDecoder("/dev/zero")


@pytest.mark.parametrize(
    ("key", "number"),
    [(0, 0), (35, 35), (-1, 35), (-36, 0), (np.int64(5), 5), (np.uint8(3), 3), (np.int32(-2), 34), (np.array(4), 4)],
)
def test_single_frames(decoder, frames, key, number):
    np.testing.assert_array_equal(decoder[key], frames[number])
    frame = decoder.get_frame_at(key)
    np.testing.assert_array_equal(frame.data, frames[number])
    assert frame.pts_seconds == 40 * number / 1000
    assert frame.duration_seconds == 0.04


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(3, 9),
        slice(30, 99),
        slice(None, None, 5),
        slice(9, 3),
        slice(-4, None),
        slice(None, None, -7),
    ],
)
def test_slices(decoder, frames, key):
    np.testing.assert_array_equal(decoder[key], frames[key])


@pytest.mark.parametrize(
    ("key", "error"),
    [(36, IndexError), (-37, IndexError), (1.0, TypeError), ("1", TypeError), (True, TypeError), (None, TypeError)],
)
def test_bad_numbers(decoder, key, error):
    with pytest.raises(error):
        decoder[key]
    with pytest.raises(error):
        decoder.get_frame_at(key)
    with pytest.raises(error):
        decoder.get_frames_at([0, key])


@pytest.mark.parametrize(
    "indices",
    [
        [],
        [5],
        [5, 5, 5],
        list(range(36)),
        list(range(35, -1, -1)),
        [0, 35, 1, 34, -1, 0],
        np.array([3, 1, 2]),
        range(4, 20, 3),
    ],
)
def test_frames_in_any_order(decoder, frames, indices):
    batch = decoder.get_frames_at(indices)
    wanted = np.array(list(indices), int)
    np.testing.assert_array_equal(batch.data, frames[wanted] if len(wanted) else frames[:0])
    np.testing.assert_allclose(batch.pts_seconds, 0.04 * (wanted % N))
    assert len(batch) == len(wanted)
    planes = decoder.planes_at(indices)
    assert planes.shape == (len(wanted), 3, 32, 48)
    assert planes.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 36), range(36)),
        ((4, 9), range(4, 9)),
        ((4, 20, 5), range(4, 20, 5)),
        ((4, 4), range(0)),
        ((np.int64(4), np.int64(6)), range(4, 6)),
        ((36, 36), range(0)),
        ((0, 37), range(36)),
        ((-1, None), range(35, 36)),
        ((-5, -3), range(31, 33)),
        ((None, None, 7), range(0, 36, 7)),
        ((5, 4), range(0)),
        ((0, 3, 0), ValueError),
        ((3, 0, -1), ValueError),
        ((0, 3.0), TypeError),
    ],
)
def test_ranges(decoder, frames, arguments, expected):
    if isinstance(expected, range):
        np.testing.assert_array_equal(decoder.get_frames_in_range(*arguments).data, frames[list(expected)])
    else:
        with pytest.raises(expected):
            decoder.get_frames_in_range(*arguments)


@pytest.mark.parametrize("timescale", [25, 1000, 90000, 12800])
def test_every_time_finds_its_frame(timescale):
    """Also where a tick is a whole frame."""
    header = SequenceHeader(48, 32, timescale, timescale // 25, start=3 * timescale)
    decoder = VideoDecoder(make_stream(num_segments=3, count=3, sequence=header).data)
    pts = decoder.pts
    np.testing.assert_array_equal(pts, 3 * timescale + np.arange(18) * (timescale // 25))
    for number, ticks in enumerate(pts):
        for seconds in (
            ticks / timescale,
            float(Fraction(int(ticks), timescale)),
            3 + number * 0.04,
            3 + (number + 0.9) * 0.04,
        ):
            assert decoder.get_frame_played_at(seconds).pts_seconds == ticks / timescale, (number, seconds)


@pytest.mark.parametrize("seconds", [-0.1, 1.44, 2.0, float("nan"), float("inf"), -1e300])
def test_times_outside(decoder, seconds):
    for call in (decoder.get_frame_played_at, lambda s: decoder.get_frames_played_at([0.0, s])):
        with pytest.raises(IndexError, match="outside the stream"):
            call(seconds)


@pytest.mark.parametrize("timescale", [25, 1000, 12800, 30000, 90000, 10**9])
def test_the_end_is_no_frame_whatever_the_timescale(timescale):
    """7 % of all ends at 90 kHz are below their own tick when they are multiplied back."""
    rng = np.random.default_rng(timescale)
    lengths = [*range(1, 40), *rng.integers(1, 10**7, 160)]
    for length in map(int, lengths):
        header = SequenceHeader(16, 16, timescale, length)
        decoder = VideoDecoder(
            make_stream(width=16, height=16, num_segments=1, num_frames=3, count=1, sequence=header).data
        )
        m = decoder.metadata
        assert m.end_stream_seconds == 3 * length / timescale
        with pytest.raises(IndexError):
            decoder.get_frame_played_at(m.end_stream_seconds)
        assert len(decoder._times.numbers_in(0, m.end_stream_seconds)) == 3
        before = decoder._times.number_at(np.nextafter(m.end_stream_seconds, 0))
        assert before == 2
        for number in range(3):
            start = number * length / timescale
            assert decoder._times.number_at(start) == number
            assert decoder._times.number_at(Fraction(number * length, timescale)) == number
            assert list(decoder._times.numbers_in(start, m.end_stream_seconds)) == list(range(number, 3))
            assert list(decoder._times.numbers_in(0, start)) == list(range(number))


def test_times_of_every_kind(decoder):
    for seconds in (Fraction(1, 25), np.float64(0.04), np.array(0.04)):
        assert decoder.get_frame_played_at(seconds).pts_seconds == 0.04
    assert decoder.get_frame_played_at(Fraction(1, 25) - Fraction(1, 10**30)).pts_seconds == 0.04  # within the error
    assert decoder.get_frame_played_at(Fraction(1, 25) - Fraction(1, 10**9)).pts_seconds == 0
    assert decoder.get_frame_played_at(1).pts_seconds == 1
    for wrong in ("0.04", None, True, [0.04], np.zeros(2), 1j):
        with pytest.raises(TypeError, match="a number of seconds is wanted"):
            decoder.get_frame_played_at(wrong)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 1.44, range(36)),
        (0.04, 0.12, range(1, 3)),
        (0.05, 0.12, range(1, 3)),
        (0.05, 0.121, range(1, 4)),
        (0.05, 0.06, range(1, 2)),
        (0.2, 0.2, range(0)),
        (7 / 25, 10 / 25, range(7, 10)),
        (0.5, 0.4, ValueError),
        (-1, 1, ValueError),
        (0, 1.45, ValueError),
        (0, float("nan"), ValueError),
        (float("nan"), 1, ValueError),
        (0, float("inf"), ValueError),
        (0, "1", TypeError),
    ],
)
def test_ranges_of_time(decoder, frames, start, stop, expected):
    if isinstance(expected, range):
        batch = decoder.get_frames_played_in_range(start, stop)
        np.testing.assert_array_equal(batch.data, frames[list(expected)])
    else:
        with pytest.raises(expected):
            decoder.get_frames_played_in_range(start, stop)


@pytest.mark.parametrize("index", [False, True])
def test_variable_frame_rate(index):
    decoder = VideoDecoder(make_stream(num_segments=2, durations=UNEVEN, index=index).data)
    starts = np.concatenate([[0], np.cumsum(UNEVEN * 2)[:-1]])
    np.testing.assert_array_equal(decoder.pts, starts)
    np.testing.assert_array_equal(decoder.durations, UNEVEN * 2)
    batch = decoder.get_frames_played_at([0.0, 0.039, 0.04, 0.0499, 0.05, 0.199, 0.2, 0.399])
    np.testing.assert_allclose(batch.pts_seconds * 1000, [0, 0, 40, 40, 50, 193, 200, 393])
    np.testing.assert_allclose(batch.duration_seconds * 1000, [40, 40, 10, 10, 70, 7, 40, 7])
    assert decoder.metadata.average_fps == pytest.approx(12 / 0.4)


def test_ranges_at_another_rate(frames):
    decoder = VideoDecoder(make_stream(num_segments=2, durations=UNEVEN).data)
    shown = decoder.get_all_frames()
    batch = decoder.get_frames_played_in_range(0.03, 0.4, fps=20)
    np.testing.assert_allclose(batch.pts_seconds, 0.03 + np.arange(7) / 20)
    np.testing.assert_array_equal(batch.duration_seconds, np.full(7, 0.05))
    np.testing.assert_array_equal(batch.data, shown.data[[0, 2, 3, 4, 6, 8, 9]])
    whole = decoder.get_all_frames(fps=25)
    assert len(whole) == 10
    np.testing.assert_array_equal(whole.data, shown.data[[0, 1, 2, 3, 4, 6, 7, 8, 9, 10]])
    for fps in (0, -1, float("nan"), float("inf"), 1e12):
        with pytest.raises(OptionError, match="fps is"):
            decoder.get_all_frames(fps=fps)


def test_frames_unpack_and_tell_their_shapes(decoder, frames):
    data, pts_seconds, duration_seconds = decoder.get_frame_at(3)
    np.testing.assert_array_equal(data, frames[3])
    assert (pts_seconds, duration_seconds) == (0.12, 0.04)
    assert repr(decoder.get_frame_at(3)).splitlines() == [
        "Frame:", "  data (shape): (3, 32, 48)", "  pts_seconds: 0.12", "  duration_seconds: 0.04",
    ]  # fmt: skip
    assert "data (shape): (2, 3, 32, 48)" in repr(decoder.get_frames_at([3, 1]))
    assert len(repr(decoder.get_all_frames())) < 1000
    with pytest.raises(ValueError, match="three dimensions"):
        Frame(frames, 0.0, 0.04)
    with pytest.raises(ValueError, match="do not belong together"):
        FrameBatch(frames, np.zeros(3), np.zeros(N))


@pytest.mark.parametrize(
    "key", [[1, 0], np.array([2, 2, 0]), np.array([True, False, True]), slice(None, None, -1), ...]
)
def test_batches_are_indexed_as_arrays(decoder, frames, key):
    part = decoder.get_frames_at([5, 9, 2])[key]
    numbers = np.array([5, 9, 2])[key]
    np.testing.assert_array_equal(part.data, frames[numbers])
    np.testing.assert_allclose(part.pts_seconds, 0.04 * numbers)
    assert len(part.duration_seconds) == len(part) == len(numbers)


def test_one_of_a_batch(decoder, frames):
    one = decoder.get_frames_at([5, 9])[-1]
    assert isinstance(one, FrameBatch)
    np.testing.assert_array_equal(one.data, frames[9])
    assert one.pts_seconds == 0.36
    with pytest.raises(IndexError):
        decoder.get_frames_at([5, 9])[2]


def test_devices(frames):
    torch = pytest.importorskip("torch")
    for device in (None, "cpu", "cpu:0", torch.device("cpu")):
        np.testing.assert_array_equal(VideoDecoder(MADE.data, device=device)[3], frames[3])
    for device in ("tpu", 3, "cpu:1", torch.device("meta")):
        with pytest.raises(OptionError, match=r"device is .*: 'cpu' or 'cuda' wanted"):
            VideoDecoder(MADE.data, device=device)


def test_numbers_between_codes(frames):
    decoder = VideoDecoder(MADE.data, output_dtype=np.float32)
    batch = decoder.get_frames_at([4, 20])
    assert batch.data.dtype == np.float32
    np.testing.assert_allclose(255 * batch.data, frames[[4, 20]], atol=0.501)
    assert (batch.data >= 0).all()
    assert (batch.data <= 1).all()
    assert np.abs(255 * batch.data - np.rint(255 * batch.data)).max() > 0.3
    last = VideoDecoder(MADE.data, output_dtype="float32", dimension_order="NHWC")
    np.testing.assert_array_equal(last[4], batch.data[0].transpose(1, 2, 0))
    assert VideoDecoder(MADE.data, output_dtype="auto")[0].dtype == np.uint8
    deep = SequenceHeader(48, 32, 1000, 40, bit_depth=10)
    assert VideoDecoder(make_stream(count=2, sequence=deep).data, output_dtype="auto")[0].dtype == np.float32
    for wrong in ("int8", None, np.float64):
        with pytest.raises(ValueError, match="output_dtype"):
            VideoDecoder(MADE.data, output_dtype=wrong)


def test_transforms_draw_parts(frames):
    def first(*made: object, **options: object) -> np.ndarray:
        return VideoDecoder(MADE.data, transforms=made, **options)[7]

    np.testing.assert_allclose(first(CenterCrop((10, 21))).astype(int), frames[7][:, 11:21, 14:35], atol=1)
    np.testing.assert_array_equal(first(Resize((40, 96))), VideoDecoder(MADE.data, size=(96, 40))[7])
    double = VideoDecoder(MADE.data, size=(96, 64))[7]
    np.testing.assert_allclose(
        first(Resize((64, 96)), CenterCrop((20, 30))).astype(int), double[:, 22:42, 33:63], atol=1
    )
    np.testing.assert_allclose(first(CenterCrop((20, 30)), size=(96, 64)).astype(int), double[:, 22:42, 33:63], atol=1)
    zoomed = first(CenterCrop((16, 24)), Resize((32, 48)))
    np.testing.assert_allclose(zoomed.astype(int), double[:, 16:48, 24:72], atol=1)
    decoder = VideoDecoder(MADE.data, transforms=[RandomCrop((8, 8))])
    places = [
        (y, x)
        for y in range(25)
        for x in range(41)
        if np.abs(frames[7][:, y : y + 8, x : x + 8] - decoder[7].astype(int)).max() < 2
    ]
    assert places
    np.testing.assert_allclose(decoder[7].astype(int), decoder.get_frames_at([7]).data[0])
    assert decoder.planes_at([0]).shape == (1, 3, 8, 8)
    assert decoder.metadata.width == 48


@pytest.mark.parametrize(
    ("made", "error"),
    [
        ([CenterCrop((33, 8))], OptionError),
        ([Resize((0, 8))], OptionError),
        ([Resize((16385, 8))], OptionError),
        ([Resize((8, 8)), RandomCrop((9, 8))], OptionError),
        (["Resize"], ValueError),
        (Resize((8, 8)), TypeError),
        ([Resize((8.5, 8))], TypeError),
    ],
)
def test_transforms_that_make_no_sense(made, error):
    with pytest.raises(error, match=r"Resize|Crop"):
        VideoDecoder(MADE.data, transforms=made)


def test_stream_index():
    assert VideoDecoder(MADE.data, stream_index=0).stream_index == 0
    for index in (1, -1):
        with pytest.raises(ValueError, match="stream_index"):
            VideoDecoder(MADE.data, stream_index=index)


def test_metadata_under_torchcodecs_names():
    header = SequenceHeader(
        48, 32, 1000, 40, start=500, primaries=9, transfer=16, matrix=9, bit_depth=10, chroma_format="422",
        sample_aspect=Fraction(4, 3), rotation=90,
    )  # fmt: skip
    m = VideoDecoder(make_stream(count=2, sequence=header).data).metadata
    assert (m.color_primaries, m.color_transfer_characteristic, m.color_space) == ("bt2020", "smpte2084", "bt2020nc")
    assert (m.pixel_format, m.pixel_aspect_ratio, m.rotation) == ("yuv422p10le", Fraction(4, 3), -90.0)
    assert (m.codec, m.stream_index, m.media_type) == ("gsv1", 0, "video")
    assert m.num_frames_from_header == m.num_frames_from_content == m.num_frames == 12
    assert m.begin_stream_seconds_from_header == m.begin_stream_seconds_from_content == m.begin_stream_seconds == 0.5
    assert m.end_stream_seconds_from_content == m.end_stream_seconds == 0.98
    assert m.duration_seconds_from_header == m.duration_seconds == 0.48
    assert m.average_fps_from_header == m.average_fps == 25
    turned = SequenceHeader(48, 32, 1000, 40, rotation=270, chroma_format="400", primaries=2)
    m = VideoDecoder(make_stream(count=2, sequence=turned).data).metadata
    assert (m.rotation, m.pixel_format, m.color_primaries) == (90.0, "gray", None)


def test_metadata(decoder):
    m = decoder.metadata
    assert (m.width, m.height, m.num_frames, m.num_segments, m.timescale) == (48, 32, N, 6, 1000)
    assert (m.begin_stream_seconds, m.end_stream_seconds, m.duration_seconds) == (0, 1.44, 1.44)
    assert m.average_fps == 25
    assert m.bit_rate == pytest.approx(8 * len(MADE.data) / 1.44)
    assert len(decoder) == N
    assert "36 frames of 48x32" in repr(decoder)


def test_dimension_order_and_iteration(decoder, frames):
    last = VideoDecoder(MADE.data, dimension_order="NHWC")
    np.testing.assert_array_equal(last[3:5], frames[3:5].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(np.stack(list(decoder)), frames)
    batch = decoder.get_frames_at([3, 1])
    assert [f.pts_seconds for f in batch] == [0.12, 0.04]
    np.testing.assert_array_equal(batch[1:].data, frames[1:2])
    with pytest.raises(ValueError):
        VideoDecoder(MADE.data, dimension_order="HWCN")


@pytest.mark.parametrize("size", [(1, 1), (96, 64), (24, 64), (np.int64(31), np.int64(7))])
def test_any_size(frames, size):
    decoder = VideoDecoder(MADE.data, size=size)
    assert decoder[0].shape == (3, size[1], size[0])
    m = decoder.metadata
    assert (m.width, m.height) == size
    assert m.format.sample_aspect * m.width / m.height == Fraction(48, 32)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (16385, 5)])
def test_sizes_that_make_no_sense(size):
    with pytest.raises(ValueError, match="size"):
        VideoDecoder(MADE.data, size=size)
    with pytest.raises(OptionError):
        VideoDecoder(make_stream(width=5000, height=8, count=1).data, size=(4, 8))


def test_layers(frames):
    base = VideoDecoder(MADE.data, layers=1)
    assert (base[:] != frames).any()
    np.testing.assert_array_equal(VideoDecoder(MADE.data, layers=2)[:], frames)
    np.testing.assert_array_equal(VideoDecoder(MADE.data, layers=9)[:], frames)
    with pytest.raises(ValueError, match="layers"):
        VideoDecoder(MADE.data, layers=0)


def test_each_segment_is_decoded_once(monkeypatch):
    decoder = VideoDecoder(MADE.data)
    monkeypatch.setattr(pictures, "_CACHED_SEGMENTS", 1)
    decoded = []
    decode = decoder.stream.decode_segment
    monkeypatch.setattr(decoder.stream, "decode_segment", lambda n, layers: (decoded.append(n), decode(n, layers))[1])
    decoder.get_frames_at(np.random.default_rng(0).permutation(N))
    assert sorted(decoded) == list(range(6))


def test_frames_depend_on_nothing_else(frames, monkeypatch):
    """Not on order, batch size, threads, nor on who else uses the decoder."""
    rng = np.random.default_rng(0)
    try:
        for threads, batch_bytes in ((1, 1), (2, 1 << 26), (3, 4 * 12 * 48 * 32)):
            raster.set_num_threads(threads)
            monkeypatch.setattr(pictures, "_BATCH_BYTES", batch_bytes)
            decoder = VideoDecoder(MADE.data)
            order = rng.permutation(N)
            np.testing.assert_array_equal(decoder.get_frames_at(order).data, frames[order])
            for number in order[:5]:
                np.testing.assert_array_equal(decoder[int(number)], frames[number])
    finally:
        raster.set_num_threads(None)


def test_moments_between_frames(decoder):
    at_frames = decoder.planes_at_ticks(decoder.pts)
    np.testing.assert_allclose(at_frames, decoder.planes_at(range(N)), atol=2e-5)
    halfway = decoder.planes_at_ticks(np.array([20.0, 20.0]))
    np.testing.assert_array_equal(halfway[0], halfway[1])
    assert np.abs(halfway[0] - at_frames[0]).max() > 1e-3
    outside = decoder.planes_at_ticks(np.array([-1e9, 1e9]))
    np.testing.assert_allclose(outside, decoder.planes_at([0, -1]), atol=2e-5)
    assert decoder.planes_at_ticks(np.zeros(0)).shape == (0, 3, 32, 48)
    with pytest.raises(ValueError, match="finite"):
        decoder.planes_at_ticks(np.array([np.nan]))


def test_pickled_decoders(tmp_path, frames):
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    for source in (path, MADE.data, io.BytesIO(MADE.data)):
        with VideoDecoder(source) as decoder:
            decoder[3]
            copy = pickle.loads(pickle.dumps(decoder))
        np.testing.assert_array_equal(copy[20], frames[20])
        copy.close()


def test_closed_decoders_say_so(tmp_path):
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    decoder = VideoDecoder(path)
    with decoder:
        pass
    with pytest.raises(ValueError, match="closed"):
        decoder[0]


def test_threads_share_a_decoder(tmp_path, frames, monkeypatch):
    monkeypatch.setattr(pictures, "_CACHED_SEGMENTS", 1)
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    barrier = threading.Barrier(4)
    with path.open("rb") as opened:
        for source in (path, opened):
            with VideoDecoder(source) as decoder, ThreadPoolExecutor(4) as pool:

                def work(seed: int, decoder: VideoDecoder = decoder) -> bool:
                    order = np.random.default_rng(seed).integers(0, N, 40)
                    barrier.wait()
                    return all((decoder[int(i)] == frames[i]).all() for i in order)

                assert all(pool.map(work, range(4)))


def _sum_of(decoder: VideoDecoder, number: int) -> int:
    return int(decoder[number].astype(np.int64).sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_processes_share_a_decoder(tmp_path, frames):
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    with VideoDecoder(path) as decoder:
        decoder[0]
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            sums = pool.starmap(_sum_of, [(decoder, n) for n in range(N)])
    assert sums == [int(f.astype(np.int64).sum()) for f in frames]


class Dataset:
    """What a user of torch writes."""

    def __init__(self, path: Path) -> None:
        self.decoder = VideoDecoder(path)

    def __len__(self) -> int:
        return len(self.decoder)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.decoder[index]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*pin_memory.*")
def test_torch_data_loader(tmp_path, frames):
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.gsv"
    path.write_bytes(MADE.data)
    loader = torch.utils.data.DataLoader(Dataset(path), batch_size=5, num_workers=2)
    got = np.concatenate([batch.numpy() for batch in loader])
    np.testing.assert_array_equal(got, frames)
    decoder = VideoDecoder(path)
    np.testing.assert_array_equal(decoder.get_frames_at(torch.tensor([4, 2])).data, frames[[4, 2]])
    np.testing.assert_array_equal(decoder[torch.tensor(4)], frames[4])
    decoder.close()
