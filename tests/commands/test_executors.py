"""What an encode counts for Prometheus, and shares of a batch."""

from __future__ import annotations

import argparse
import json
import socket
import urllib.request
from pathlib import Path

import pytest
from packaged import quick_segment

from gvideo import encode
from gvideo.cli import main
from gvideo.commands.batch import _records
from gvideo.commands.encoding.encode_figures import MeasuredExecutor
from gvideo.commands.encoding.executors import add_executor_options, executor_of
from gvideo.commands.terminal.figures import exporter
from gvideo.encoder.jobs.executor import FittedSegment
from gvideo.encoder.jobs.pool import ProcessExecutor
from gvideo.errors import OptionError


def figures(port: int) -> dict[str, float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("gvideo_encode")]
    return {name: float(value) for name, value in lines}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def clip(tmp_path, synthetic) -> Path:
    synthetic.write_clip(tmp_path / "clip.mkv", "pan", num_frames=9, height=16, width=16)
    return tmp_path / "clip.mkv"


def test_an_encode_is_counted(clip, tmp_path):
    class Lossy(ProcessExecutor):
        """Says that each segment was begun twice."""

        def run(self, *arguments):
            yield from (FittedSegment(f.number, f.result, f.seconds, 1) for f in super().run(*arguments))

    port = free_port()
    with exporter(str(port)):
        before = figures(port)
        executor = MeasuredExecutor(Lossy(1, fit=quick_segment))
        report = encode(clip, tmp_path / "out.gsv", segment_seconds=0.2, executor=executor)
        after = figures(port)

    def counted(name: str) -> float:
        return after[name] - before[name]

    assert counted("gvideo_encode_frames_total") == report.num_frames == 9
    assert counted("gvideo_encode_segments_total") == counted("gvideo_encode_retries_total") == report.num_segments
    assert counted("gvideo_encode_segment_seconds_count") == report.num_segments
    assert 0 < counted("gvideo_encode_bytes_total") < report.num_bytes
    assert after["gvideo_encode_segments_open"] == 0


def test_a_port_that_is_taken_is_one_line(clip, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["encode", str(clip), "-o", str(tmp_path / "out.gsv"), "--metrics", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"gvideo: --metrics {port}: cannot listen there")
    assert not (tmp_path / "out.gsv").exists()


def test_options_choose_the_executor():
    parser = argparse.ArgumentParser()
    add_executor_options(parser)
    with executor_of(parser.parse_args(["--workers", "3"])) as executor:
        assert isinstance(executor, ProcessExecutor)
    with pytest.raises(OptionError, match="--workers 0"), executor_of(parser.parse_args(["--workers", "0"])):
        pass
    with pytest.raises(OptionError, match="workers: the executor"):
        encode("clip.mkv", "out.gsv", workers=2, executor=ProcessExecutor())


@pytest.mark.parametrize("text", ["4/4", "1", "-1/2", "a/b", "0/0"])
def test_shards_that_make_no_sense(tmp_path, capsys, text):
    assert main(["batch", str(tmp_path), "-o", "out", f"--shard={text}"]) == 2
    assert f"--shard {text}: K/N wanted" in capsys.readouterr().err


def test_shards_do_a_batch_once(tmp_path, capfd, monkeypatch):
    """What any of them has noted is done; here all of it was."""
    (tmp_path / "in").mkdir()
    for name in "abcde":
        (tmp_path / "in" / f"{name}.mp4").write_bytes(b"no video")

    def run(*words: str) -> list[str]:
        code = main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--json", *words])
        rows = json.loads(capfd.readouterr().out)
        assert code == (2 if any(row["state"] == "failed" for row in rows) else 0)
        return [Path(row["source"]).stem for row in rows if row["state"] == "failed"]

    def pretend(outcome: object, *_: object) -> None:
        outcome.state = "failed"  # type: ignore[attr-defined]

    monkeypatch.setattr("gvideo.commands.batch._run_one", pretend)
    assert [run(f"--shard={k}/3") for k in range(3)] == [["a", "d"], ["b", "e"], ["c"]]

    def succeed(outcome: object, *_: object) -> None:
        outcome.state = "done"  # type: ignore[attr-defined]
        Path(outcome.job.output).parent.mkdir(exist_ok=True)  # type: ignore[attr-defined]
        Path(outcome.job.output).touch()  # type: ignore[attr-defined]

    monkeypatch.setattr("gvideo.commands.batch._run_one", succeed)
    for k in range(2):
        assert run(f"--shard={k}/2") == []
    assert sorted(p.name for p in (tmp_path / "out").glob("*.jsonl")) == ["batch.0-of-2.jsonl", "batch.1-of-2.jsonl"]
    monkeypatch.setattr("gvideo.commands.batch._run_one", pretend)
    assert run() == []  # another number of shards finds what these have done
    record, others = _records(str(tmp_path / "in"), str(tmp_path / "out"), 0, 1)
    assert (record.name, len(others)) == ("batch.jsonl", 2)
