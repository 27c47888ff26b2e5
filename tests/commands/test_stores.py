"""gvideo encode and gvideo batch from and to object stores, against a store that speaks S3 on loopback."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from packaged import quick_segment, write_clip

from gvideo import VideoDecoder, encode
from gvideo.cli import main
from gvideo.encoder.jobs.spool import Spool
from gvideo.encoder.segment import SegmentJob, SegmentResult
from gvideo.errors import MediaError
from packager.sink import LocalSink, open_sink

#: Of the clip: its flashes are cuts too.
NUM_SEGMENTS = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("stores") / "clip.mp4", 2)


@pytest.fixture
def store(bucket, clip, monkeypatch, tmp_path) -> Any:
    """A bucket with a clip in it, fits that take no time, and a folder for what is made before it is stored."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", quick_segment)
    bucket.put_object(Bucket="films", Key="in/clip.mp4", Body=clip.read_bytes())
    return bucket


def names(store: Any, prefix: str = "") -> list[str]:
    return [entry["Key"] for entry in store.list_objects_v2(Bucket="films", Prefix=prefix).get("Contents", [])]


def run(*words: object) -> int:
    return main(["encode", *map(str, words), "--segment", "0.5", "--workers", "1", "--device", "cpu"])


@pytest.mark.parametrize("name", ["a.gsv", "a.mp4"])
def test_a_file_from_a_store_to_a_store(store, clip, tmp_path, name):
    assert run(clip, "-o", tmp_path / name) == 0
    assert run("s3://films/in/clip.mp4", "-o", f"s3://films/out/{name}") == 0
    stored = store.get_object(Bucket="films", Key=f"out/{name}")["Body"].read()
    assert stored == (tmp_path / name).read_bytes()
    assert list((tmp_path / "cache" / "gvideo" / "encodes").iterdir()) == []


def test_a_ladder_from_a_store_to_a_store(store, clip, tmp_path):
    options = ["--ladder", "64x48,32x24", "--fallback", "avc"]
    assert run(clip, "-o", f"{tmp_path}/here/", *options) == 0
    assert run("s3://films/in/clip.mp4", "-o", "s3://films/out/", *options) == 0
    local, remote = LocalSink(tmp_path / "here"), open_sink("s3://films/out")
    assert sorted(local.list()) == sorted(remote.list())
    assert any(name.startswith("a0") for name in local.list())  # its sound came along
    for name in local.list():
        size = (tmp_path / "here" / name).stat().st_size
        assert remote.get_range(name, 0, size) == (tmp_path / "here" / name).read_bytes()
    assert list((tmp_path / "cache" / "gvideo" / "encodes").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        ("s3://films/in/none.mp4", "out.gsv", "s3://films/in/none.mp4: no such object"),
        ("s3://absent/clip.mp4", "out.gsv", "s3://absent/clip.mp4: no such object, or no such bucket"),
        ("s3://films/in/", "out.gsv", "s3://films/in/: is a folder"),
        ("s3:///clip.mp4", "out.gsv", "s3:///clip.mp4: s3://BUCKET/NAME"),
        ("s3://films/in/clip.mp4", "s3://absent/out/", "s3://absent/out/: "),
        ("s3://films/in/clip.mp4", "s3://absent/out.gsv", "s3://absent/out.gsv: "),
        ("s3://films/in/clip.mp4", "ftp://films/out/", "ftp://films/out/: a local name, s3://"),
        ("s3://films/in/text.mp4", "out.gsv", "s3://films/in/text.mp4: cannot be read as video"),
    ],
)
def test_what_is_not_there_is_one_line(store, tmp_path, monkeypatch, capsys, source, output, words):
    monkeypatch.chdir(tmp_path)
    store.put_object(Bucket="films", Key="in/text.mp4", Body=b"no video")
    before = names(store)
    assert run(source, "-o", output) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"gvideo: {words}")
    assert said.count("\n") == 1
    assert names(store) == before
    assert [p.name for p in tmp_path.iterdir() if p.name != "cache"] == []


@pytest.mark.parametrize(("source", "output"), [("s3://films/in/clip.mp4", "o.gsv"), ("here", "s3://films/o.gsv")])
def test_no_permission_is_one_line(store, clip, tmp_path, monkeypatch, capsys, source, output):
    from moto.core import set_initial_no_auth_action_count

    monkeypatch.chdir(tmp_path)
    refused = set_initial_no_auth_action_count(0)(run)
    assert refused(clip if source == "here" else source, "-o", output) == 2
    url = output if source == "here" else source
    assert capsys.readouterr().err.startswith(f"gvideo: {url}: the store does not permit it")
    assert not (tmp_path / "o.gsv").exists()


def test_an_object_is_no_live_source(store, tmp_path, capsys):
    words = ["encode", "s3://films/in/clip.mp4", "-o", f"{tmp_path}/o/", "--live"]
    assert main(words) == 2
    assert "grows no more; leave out --live" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["s3://films/spool", "here"])
def test_a_spool_elsewhere_resumes_on_another_machine(store, clip, tmp_path, monkeypatch, place):
    place = str(tmp_path / "spool") if place == "here" else place
    fitted = []

    def fit(job: SegmentJob, report: object = None) -> SegmentResult:
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(job)
        return quick_segment(job)

    words = ["s3://films/in/clip.mp4", "-o", "s3://films/out/", "--spool", place]
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", fit)
    assert run(*words) == 130
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))  # another machine has nothing of it
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", lambda *a: fitted.append(a) or quick_segment(*a))
    assert run(*words) == 0
    assert len(fitted) == NUM_SEGMENTS  # each once
    assert "out/master.m3u8" in names(store)
    assert names(store, "spool/") == []
    assert not list(tmp_path.glob("spool/*"))


def test_what_could_not_be_stored_is_not_fitted_again(store, clip, tmp_path, monkeypatch, capsys):
    fitted = []
    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", lambda *a: fitted.append(a) or quick_segment(*a))
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise MediaError("a.gsv: the store refused it (full)")

        patch.setattr("packager.sink.StoreSink.put", refuse)
        assert run(clip, "-o", "s3://films/a.gsv") == 2
    assert capsys.readouterr().err == "gvideo: s3://films/a.gsv: the store refused it (full)\n"
    assert run(clip, "-o", "s3://films/a.gsv") == 0
    assert len(fitted) == NUM_SEGMENTS
    assert list((tmp_path / "cache" / "gvideo" / "encodes").iterdir()) == []


def test_a_spool_loads_segments_and_nothing_else(tmp_path):
    class Harm:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "harm",)

    spool = Spool(tmp_path / "a.gsv.resume")
    result = SegmentResult((b"abc",), 3, 120, (1.0, 2.0), 7, (0.5,))
    spool.store("good", result)
    (spool.folder / "bad").write_bytes(pickle.dumps(Harm()))
    assert spool.load("good") == result
    assert spool.load("bad") is None
    assert not (tmp_path / "harm").exists()


def test_a_source_that_changes_while_it_is_read(store, monkeypatch, clip):
    import obstore

    monkeypatch.setattr("gvideo.stores._BLOCK_BYTES", 4096)
    get = obstore.get

    def change_first(*args: Any, **kwargs: Any) -> Any:
        store.put_object(Bucket="films", Key="in/clip.mp4", Body=b"other" + clip.read_bytes())
        return get(*args, **kwargs)

    monkeypatch.setattr(obstore, "get", change_first)
    with pytest.raises(MediaError, match=r"^s3://films/in/clip.mp4: "):
        encode("s3://films/in/clip.mp4", "never.gsv", workers=1)


def test_a_batch_of_objects(store, clip, tmp_path, capfd):
    (tmp_path / "jobs.yaml").write_text(
        "defaults: {preset: fast, crf: 50, frames: 3}\n"
        "jobs:\n"
        "  - {source: s3://films/in/clip.mp4, output: s3://films/coded/clip.gsv}\n"
        "  - {source: s3://films/in/none.mp4, output: s3://films/coded/none.gsv}\n"
    )
    command = ["batch", str(tmp_path / "jobs.yaml"), "--json"]
    assert main(command) == 2
    out, err = capfd.readouterr()
    assert [row["state"] for row in json.loads(out)] == ["done", "failed"]
    assert "s3://films/in/none.mp4: failed: s3://films/in/none.mp4: no such object" in err
    body = store.get_object(Bucket="films", Key="coded/clip.gsv")["Body"].read()
    with VideoDecoder(body) as decoder:
        assert len(decoder) == 3
    assert main([*command, "--shard", "0/2"]) == 0
    assert [row["state"] for row in json.loads(capfd.readouterr().out)] == ["earlier"]
