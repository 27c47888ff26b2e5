"""Published streams decode to the frames and times of the .gsv files that they were made of, from any manifest."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from faults import serving
from packaged import serve
from streams import make_stream

from gvideo import VideoDecoder
from gvideo.bitstream.headers import SequenceHeader
from gvideo.cli import main
from gvideo.errors import GVideoError, MediaError, UnsupportedError
from player.source.fetch import Fetcher
from player.source.stream import open_stream


def same(one: VideoDecoder, other: VideoDecoder) -> None:
    """Times of all frames, and frames of all segments, in an order that no decoder would choose."""
    np.testing.assert_array_equal(one.pts, other.pts)
    np.testing.assert_array_equal(one.durations, other.durations)
    assert one.metadata.format == other.metadata.format
    order = np.random.default_rng(0).permutation(len(other)).tolist()
    np.testing.assert_array_equal(one.get_frames_at(order).data, other.get_frames_at(order).data)


@pytest.mark.parametrize("name", ["", "master.m3u8", "manifest.mpd"])
@pytest.mark.parametrize("kind", ["folder", "single"])
def test_folders_and_manifests(kind, name, request, streams):
    folder = request.getfixturevalue(kind)
    with VideoDecoder(folder / name) as decoder, VideoDecoder(streams["best"]) as local:
        same(decoder, local)
        assert str(folder) in repr(decoder)


@pytest.mark.parametrize("kind", ["folder", "single"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_layers(kind, layers, request, streams):
    """`layers=` on all of them, and the rung's own playlist, are the first layers of the local file."""
    folder = request.getfixturevalue(kind)
    local = VideoDecoder(streams["best"], layers=layers)
    same(VideoDecoder(folder, layers=layers), local)
    same(VideoDecoder(folder / "manifest.mpd", layers=layers), local)
    same(VideoDecoder(folder / f"v0_{layers}.m3u8"), local)


def test_other_rungs_and_a_size(folder, streams):
    same(VideoDecoder(folder / "v1.m3u8"), VideoDecoder(streams["small"]))
    options = {"size": (96, 64), "dimension_order": "NHWC"}
    same(VideoDecoder(str(folder), **options), VideoDecoder(streams["best"], **options))


@pytest.mark.parametrize("which", ["best", "small"])
def test_movie_files(which, streams, tmp_path):
    """A file of a rung, and a film."""
    path = tmp_path / "film.mp4"
    assert main(["package", str(streams[which]), "-o", str(path)]) == 0
    with serving(tmp_path) as served:
        for source in (path, f"{served.url}/film.mp4?token=1"):
            same(VideoDecoder(source), VideoDecoder(streams[which]))
    same(VideoDecoder(path, layers=1), VideoDecoder(streams[which], layers=1))


@pytest.mark.parametrize("name", ["", "/", "/master.m3u8", "/manifest.mpd", "/moved/manifest.mpd"])
@pytest.mark.parametrize("kind", ["folder", "single"])
def test_urls(kind, name, request, streams):
    with serving(request.getfixturevalue(kind)) as served:
        same(VideoDecoder(served.url + name), VideoDecoder(streams["best"]))


def test_a_folder_with_a_manifest_alone(folder, streams):
    """Without master.m3u8 the MPD is found."""
    with serving(folder, lambda path, _: "404" if path == "master.m3u8" else "") as served:
        same(VideoDecoder(served.url), VideoDecoder(streams["best"]))


@pytest.mark.parametrize("index", [False, True])
def test_gsv_files_behind_urls(index, tmp_path):
    made = make_stream(num_segments=3, num_layers=2, count=4000, index=index)
    (tmp_path / "a b.gsv").write_bytes(made.data)
    with serving(tmp_path) as served:
        decoder = VideoDecoder(f"{served.url}/a%20b.gsv", layers=1)
        assert served.requests.count(("a b.gsv", "bytes=0-65535")) == 1
        assert all(wanted for _, wanted in served.requests)
        local = VideoDecoder(made.data, layers=1)
        np.testing.assert_array_equal(decoder[14], local[14])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(decoder))[3], local[3])


def test_only_what_is_needed_is_fetched(folder, streams):
    """One frame of the base: the head of every segment, and the base's bytes of one."""
    with serving(folder) as served:
        decoder = VideoDecoder(served.url, layers=1)
        assert len(served.asked("seg_")) == 5
        assert {wanted for _, wanted in served.asked("seg_")} == {"bytes=0-1023"}
        served.requests.clear()
        np.testing.assert_array_equal(decoder[13], VideoDecoder(streams["best"], layers=1)[13])
        ((path, wanted),) = served.requests
        assert path.endswith("seg_3.m4s")
        base = int(wanted.removeprefix("bytes=0-")) + 1
        size = (folder / path).stat().st_size
        assert base < 0.7 * size
        served.requests.clear()
        assert decoder[12:18].shape == (6, 3, 32, 48)
        assert served.requests == []


def _frame(decoder: VideoDecoder, number: int) -> np.ndarray:
    return decoder[number]


def test_pickled_into_workers(folder, streams):
    """Processes get a copy that opens its own connections and reads no head again."""
    local = VideoDecoder(streams["best"])
    with serving(folder) as served:
        decoder = VideoDecoder(served.url)
        np.testing.assert_array_equal(decoder[0], local[0])
        served.requests.clear()
        with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
            found = list(pool.map(_frame, [decoder] * 2, [28, 7]))
        np.testing.assert_array_equal(found, [local[28], local[7]])
        assert len(served.requests) == 2


def test_tensors_in_a_torch_data_loader(folder, streams):
    """`output="torch"`: tensors of the same frames and times. Arrays and tensors come from workers too, forked
    with an open decoder. torch is loaded only where it is asked for."""
    code = (
        "import sys, pickle, numpy as np\n"
        "from gvideo import VideoDecoder\n"
        "local = VideoDecoder(sys.argv[2], layers=2, size=(24, 16))\n"
        "frames = local.get_all_frames()\n"
        "assert 'torch' not in sys.modules\n"
        "remote = VideoDecoder(sys.argv[1], layers=2, size=(24, 16), output='torch')\n"
        "import torch\n"
        "from torch.utils.data import DataLoader\n"
        "batch = remote.get_frames_at([3, 29, 3])\n"
        "assert batch.data.dtype == torch.uint8 and batch.data.shape == (3, 3, 16, 24)\n"
        "assert batch.pts_seconds.tolist() == frames.pts_seconds[[3, 29, 3]].tolist()\n"
        "assert isinstance(batch[1].data, torch.Tensor) and batch[1].pts_seconds.shape == ()\n"
        "assert isinstance(pickle.loads(pickle.dumps(remote))[0], torch.Tensor)\n"
        "collated = DataLoader(VideoDecoder(sys.argv[1], layers=2, size=(24, 16)), batch_size=7, num_workers=2)\n"
        "assert np.array_equal(torch.cat(list(collated)).numpy(), frames.data), 'frames of arrays differ'\n"
        "found = torch.cat(list(DataLoader(remote, batch_size=4, num_workers=2)))\n"
        "assert np.array_equal(found.numpy(), frames.data), 'frames differ'\n"
        "print(len(found))\n"
    )
    with serving(folder) as served:
        done = subprocess.run(
            [sys.executable, "-c", code, served.url, str(streams["best"])],
            capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    assert done.stdout.split() == ["30"], done.stderr
    with pytest.raises(ValueError, match="numpy or torch"):
        VideoDecoder(streams["best"], output="jax")


RATES = {
    "24000/1001": (24000, (1001,) * 6),
    "30000/1001": (30000, (1001,) * 6),
    "uneven": (90000, (3003, 1501, 1502, 12012, 1, 3003)),
}


@pytest.mark.parametrize("name", ["master.m3u8", "manifest.mpd"])
@pytest.mark.parametrize("rate", RATES)
def test_exact_times_over_http(rate, name, tmp_path):
    """Ticks are exact from the first frame to the last; a frame's own time in seconds finds it again, in any order."""
    scale, durations = RATES[rate]
    sequence = SequenceHeader(32, 32, scale, durations[0], start=3 * scale)
    made = make_stream(
        width=32, height=32, num_segments=12, count=2, sequence=sequence,
        durations=() if len(set(durations)) == 1 else durations,
    )  # fmt: skip
    (tmp_path / "a.gsv").write_bytes(made.data)
    assert main(["package", str(tmp_path / "a.gsv"), "-o", str(tmp_path / "p")]) == 0
    ticks = 3 * scale + np.concatenate([[0], np.cumsum(np.tile(durations, 12))])
    with serving(tmp_path / "p") as served:
        decoder = VideoDecoder(f"{served.url}/{name}")
        np.testing.assert_array_equal(decoder.pts, ticks[:-1])
        np.testing.assert_array_equal(decoder.durations, np.diff(ticks))
        order = np.random.default_rng(1).permutation(len(decoder))[:40]
        batch = decoder.get_frames_played_at([float(ticks[n] / scale) for n in order])
        np.testing.assert_array_equal(batch.pts_seconds, ticks[order] / scale)
        assert decoder.get_frame_played_at(ticks[-1] / scale - 1e-6).pts_seconds == ticks[-2] / scale
        np.testing.assert_array_equal(batch.data, VideoDecoder(tmp_path / "a.gsv").get_frames_at(order).data)


@pytest.mark.parametrize("where", ["folder", "url", "file"])
@pytest.mark.parametrize("target", ["pictures", "new/", "out.y4m", "out.mp4"])
def test_dump(where, target, folder, streams, tmp_path, capsys):
    """`gvideo play --dump` writes what `gvideo decode` writes, from anywhere; a folder gets numbered pictures."""
    with serving(folder) as served:
        source = {"folder": str(folder), "url": served.url, "file": str(streams["best"])}[where]
        assert main(["play", source, "--dump", str(tmp_path / target) + "/" * target.endswith("/")]) == 0
    out = tmp_path / target
    wanted = tmp_path / "wanted"
    wanted.mkdir()
    name = target if "." in target else "%05d.png"
    assert main(["decode", str(streams["best"]), "-o", str(wanted / name)]) == 0
    if "." in target:
        assert out.read_bytes() == (wanted / name).read_bytes()
    else:
        assert sorted(p.name for p in out.iterdir()) == [f"{n:05d}.png" for n in range(30)]
        for file in out.iterdir():
            assert file.read_bytes() == (wanted / file.name).read_bytes()


def test_a_dump_that_fails_leaves_nothing(folder, tmp_path, capsys):
    with serving(folder, lambda path, count: "404" if "seg_4" in path and count else "") as served:
        assert main(["play", served.url, "--dump", str(tmp_path / "pictures")]) == 2
    assert list(tmp_path.iterdir()) == []
    assert "seg_4" in capsys.readouterr().err
    assert main(["play", str(folder), "--dump", str(tmp_path / "none" / "pictures")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def parts(tmp_path: Path, second: SequenceHeader) -> Path:
    """A playlist of two inputs with a discontinuity between them, as live ones have it."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
    for number, sequence in enumerate((SequenceHeader(48, 32, 1000, 40), second)):
        path = tmp_path / f"{number}.gsv"
        path.write_bytes(
            make_stream(width=sequence.width, height=32, num_segments=2, seed=number, sequence=sequence).data
        )
        assert main(["package", str(path), "-o", str(tmp_path / f"p{number}")]) == 0
        own = (tmp_path / f"p{number}" / "v0.m3u8").read_text().splitlines()
        lines += ["#EXT-X-DISCONTINUITY"] * number
        for line in own:
            if line.startswith("#EXT-X-MAP"):
                lines.append(line.replace('URI="', f'URI="p{number}/'))
            elif line.startswith("#EXTINF"):
                lines.append(line)
            elif not line.startswith("#"):
                lines.append(f"p{number}/{line}")
    (tmp_path / "both.m3u8").write_text("\n".join(lines) + "\n")
    return tmp_path / "both.m3u8"


def test_discontinuities(tmp_path):
    """Inputs whose headers differ in start and frame duration follow one another; another size is refused."""
    decoder = VideoDecoder(parts(tmp_path, SequenceHeader(48, 32, 1000, 20, start=5000)))
    one, two = (VideoDecoder(tmp_path / f"{n}.gsv") for n in (0, 1))
    np.testing.assert_array_equal(decoder.pts, [*one.pts, *(480 + np.arange(12) * 20)])
    np.testing.assert_array_equal(decoder[::], np.concatenate([one[::], two[::]]))
    with pytest.raises(UnsupportedError, match=r"both\.m3u8: .*change at segment 2"):
        VideoDecoder(parts(tmp_path, SequenceHeader(64, 32, 1000, 40)))


def test_a_playlist_that_begins_in_the_middle(folder, streams, tmp_path):
    """What is left of a live window keeps the stream's own times."""
    text = (folder / "v1.m3u8").read_text().replace("#EXT-X-ENDLIST\n", "")
    head, *rest = text.split("#EXTINF")
    path = folder / "window.m3u8"
    path.write_text(head + "".join("#EXTINF" + r for r in rest[2:]))
    try:
        decoder, local = VideoDecoder(path), VideoDecoder(streams["small"])
        np.testing.assert_array_equal(decoder.pts, local.pts[12:])
        np.testing.assert_array_equal(decoder[0], local[12])
    finally:
        path.unlink()


def test_decode_command(folder, streams, tmp_path):
    for source, name in ((folder, "a.npy"), (streams["best"], "b.npy")):
        assert main(["decode", str(source), "-o", str(tmp_path / name), "--layers", "2"]) == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


BAD = {
    "empty.m3u8": ("#EXTM3U\n", "no gvideo stream|has none"),
    "page.m3u8": ("<html>", "#EXTM3U is missing"),
    "none.mpd": ("<MPD><", "no XML"),
    "other.mpd": ("<svg/>", "MPD wanted"),
    "entity.mpd": ("<!DOCTYPE x [<!ENTITY a 'b'>]><MPD/>", "DOCTYPE"),
    "local.m3u8": ('#EXTM3U\n#EXT-X-MAP:URI="file:///dev/null"\n#EXTINF:2,\nfile:///dev/zero\n', "http://"),
    "many.mpd": (
        '<MPD><Period><AdaptationSet contentType="video"><Representation id="a"><SegmentTemplate media="$Number$" '
        'initialization="i"><SegmentTimeline><S d="1" r="999999999"/></SegmentTimeline></SegmentTemplate>'
        "</Representation></AdaptationSet></Period></MPD>",
        "more than 200000",
    ),
    "film.mp4": ("\0\0\0\x10ftypiso6\0\0\0\0\0\0\0\x09mdat0", "no fragmented MP4"),
    "text.mp4": ("hello world, this is text", "signature"),
    "zero.mp4": ("", "no moov|no bytes at 0"),
}  # fmt: skip


def test_an_mp4_of_another_codec():
    with pytest.raises(UnsupportedError, match=r"bunny_180p25\.mp4: is no fragmented MP4 of a gvideo stream"):
        VideoDecoder(Path(__file__).parents[2] / "samples" / "bunny_180p25.mp4")


@pytest.mark.parametrize("name", BAD)
def test_bad_manifests_are_one_line(name, tmp_path):
    text, reason = BAD[name]
    (tmp_path / name).write_text(text)
    with serving(tmp_path) as served:
        for source in (tmp_path / name, f"{served.url}/{name}"):
            with pytest.raises(GVideoError, match=reason) as caught:
                VideoDecoder(source)
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["", "none.m3u8", "ftp://host/a.m3u8", "http://127.0.0.1:1/a.mpd", "page.html"])
def test_sources_that_are_none(source, tmp_path):
    with pytest.raises(MediaError):
        open_stream(source if "://" in source else str(tmp_path / source), fetcher=Fetcher(backoff_seconds=0.01))


@pytest.mark.parametrize("name", ["master.m3u8", "v0_3.m3u8", "manifest.mpd", "init", "seg_2", ".mp4"])
def test_damage_raises_nothing_else(name, folder, single, tmp_path):
    """Bytes replaced, cut out or cut off anywhere: frames, or one of our errors."""
    copy = tmp_path / "copy"
    shutil.copytree(single if name == ".mp4" else folder, copy)
    (victim, *_) = sorted(p for p in copy.rglob("*") if p.is_file() and name in p.name and "v1" not in str(p))
    entry = victim if victim.suffix in (".mpd", ".m3u8") or name == ".mp4" else copy / "v0_3.m3u8"
    data = victim.read_bytes()
    rng = np.random.default_rng(3)
    lines = []
    for k in range(40):
        at = int(rng.integers(len(data) if k % 2 else min(len(data), 400)))
        junk = rng.integers(
            32 if name.startswith(("m", "v0_")) else 0, 127, int(rng.integers(1, 4)), np.uint8
        ).tobytes()
        damaged = (data[:at] + junk + data[at + len(junk) :], data[:at] + data[at + 3 :], data[:at])[k % 3]
        victim.write_bytes(damaged)
        try:
            assert VideoDecoder(entry)[6:9].shape[0] <= 3
        except GVideoError as error:
            lines.append(str(error))
    assert len(lines) > 10
    assert not any("\n" in line for line in lines)


def test_rungs_with_names_of_their_own(folder, streams):
    """`gvideo serve` answers r2/… with the first two layers; playlists and MPD of these names decode alike."""
    for url in serve(folder):
        same(VideoDecoder(f"{url}/v0_2_rungs.m3u8"), VideoDecoder(streams["best"], layers=2))
        same(VideoDecoder(f"{url}/master_rungs.m3u8"), VideoDecoder(streams["best"]))
        same(VideoDecoder(f"{url}/manifest_rungs.mpd"), VideoDecoder(streams["best"]))


def test_damaged_segments_name_the_file(folder, streams):
    """A sample whose checksum is wrong is told with its segment; others are not touched by it."""
    with serving(folder, lambda path, count: "garbage" if "seg_2" in path and count else "") as served:
        decoder = VideoDecoder(served.url)
        with pytest.raises(GVideoError, match=r"seg_2\.m4s|segment 1"):
            decoder[7]
        np.testing.assert_array_equal(decoder[0], VideoDecoder(streams["best"])[0])
