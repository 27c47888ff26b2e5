"""Servers that are slow, drop connections, answer with errors or other bytes: it goes on, or ends in one line."""

from __future__ import annotations

import time

import numpy as np
import pytest
from faults import serving

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.errors import MediaError
from player.source.fetch import CACHE_VARIABLE, DiskCache, Fetcher
from player.source.stream import open_stream


def impatient(**options: float) -> Fetcher:
    return Fetcher(timeout_seconds=0.3, total_seconds=0.4, backoff_seconds=0.01, attempts=3, **options)  # type: ignore[arg-type]


TRANSIENT = ["500", "503", "429", "drop", "silence", "truncated", "wrong range", "drip", "redirect", "no ranges"]
LASTING = {
    "404": "status 404",
    "410": "status 410",
    "500": "status 500; tried 3 times",
    "drop": "tried 3 times",
    "silence": "timed out.*tried 3 times",
    "truncated": "tried 3 times",
    "wrong range": "the answer has other ones; tried 3 times",
    "drip": "not done after 0.4 s; tried 3 times",
    "loop": "redirect",
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_every_resource_fails_once(fault, folder, streams):
    """The first answer to everything is bad; frames are as if it were not."""
    local = VideoDecoder(streams["best"])
    with serving(folder, lambda path, count: fault if count == 0 else "") as served:
        decoder = VideoDecoder(open_stream(f"{served.url}/master.m3u8", fetcher=impatient()))
        np.testing.assert_array_equal(decoder[20], local[20])


@pytest.mark.parametrize(
    ("fault", "where"),
    [(f, w) for f in LASTING for w in ("master.m3u8", "init", "seg_4") if f != "wrong range" or w == "seg_4"],
)
def test_what_does_not_mend_ends_in_one_line(fault, where, folder):
    with serving(folder, lambda path, count: fault if where in path else "") as served:
        began = time.monotonic()
        with pytest.raises(MediaError, match=LASTING[fault]) as caught:
            VideoDecoder(open_stream(f"{served.url}/master.m3u8", fetcher=impatient()))
        assert time.monotonic() - began < 10
    text = str(caught.value)
    assert where in text
    assert "\n" not in text
    assert "0x" not in text


def test_segments_that_go_away_later(folder, streams):
    """A segment that is gone is an error when it is asked for; the others play on."""
    with serving(folder, lambda path, count: "404" if "seg_2" in path and count else "") as served:
        decoder = VideoDecoder(open_stream(served.url, fetcher=impatient()))
        with pytest.raises(MediaError, match=r"seg_2\.m4s: .*status 404"):
            decoder[6]
        np.testing.assert_array_equal(decoder[12], VideoDecoder(streams["best"])[12])


def test_the_command_line_says_it_in_one_line(tmp_path, capsys):
    with serving(tmp_path) as served:
        assert main(["decode", f"{served.url}/none.m3u8", "-o", str(tmp_path / "a.npy")]) == 2
    assert capsys.readouterr().err.splitlines() == [f"gvideo: {served.url}/none.m3u8: cannot be fetched (status 404)"]
    assert list(tmp_path.iterdir()) == []


def test_manifests_come_compressed_and_relative_to_where_they_moved(folder):
    with serving(folder, lambda path, count: "redirect" if not path.startswith("moved/") else "") as served:
        found = Fetcher().whole(f"{served.url}/v1.m3u8")
        assert found.data == (folder / "v1.m3u8").read_bytes()
        assert found.url == f"{served.url}/moved/v1.m3u8"


def test_segments_are_kept_on_disk(folder, streams, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    local = VideoDecoder(streams["best"])
    with serving(folder) as served:
        for again in (False, True):
            decoder = VideoDecoder(served.url)
            served.requests.clear()
            np.testing.assert_array_equal(decoder[8], local[8])
            assert bool(served.requests) is not again
        for file in (tmp_path / "cache").iterdir():
            file.write_bytes(file.read_bytes()[:-1])
        np.testing.assert_array_equal(VideoDecoder(served.url)[8], local[8])


def test_the_cache_stays_small(tmp_path):
    cache = DiskCache(tmp_path / "c", 3000)
    for number in range(10):
        cache.put(f"{number}", bytes([number]) * 900)
    assert cache.get("9") == bytes([9]) * 900
    assert sum(f.stat().st_size for f in (tmp_path / "c").iterdir()) <= 3000
    (tmp_path / "file").write_text("")
    DiskCache(tmp_path / "file" / "x", 10).put("a", b"")  # cannot be written: nothing is kept
