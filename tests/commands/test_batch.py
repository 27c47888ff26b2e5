"""gvideo batch: what a list means, what is said to be wrong beforehand, and runs in which jobs fail and are resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gvideo import VideoDecoder
from gvideo.cli import main
from gvideo.commands.encoding.batch_list import Job, jobs_of
from gvideo.errors import MediaError, OptionError

OPTIONS = ("--preset=veryfast", "--crf=50")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("batch") / "clip.mkv"
    synthetic.write_clip(path, "pan", num_frames=3, height=16, width=16)
    return path


def listed(folder: Path, text: str) -> str:
    path = folder / "jobs.yaml"
    path.write_text(text)
    return str(path)


def test_a_list_says_what_to_encode(tmp_path):
    name = listed(
        tmp_path,
        """
defaults: {preset: fast, crf: 34, frames: 10:48, thumbnails: false}
jobs:
  - {source: a.mp4, output: out/a.gsv}
  - {source: /data/b.mp4, output: out/b/, crf: 30, audio: [b.wav:en, c.wav], thumbnails: true}
  - {source: "https://example.org/c.mp4", output: c.gsv, bitrate: 300k, single_file: false}
""",
    )
    defaults = ("--preset=fast", "--crf=34", "--frames=10:48")
    assert jobs_of(name, None, "gsv", ["--seed=3"]) == [
        Job(f"{tmp_path}/a.mp4", f"{tmp_path}/out/a.gsv", (*defaults, "--seed=3")),
        Job(
            "/data/b.mp4", f"{tmp_path}/out/b/",
            ("--preset=fast", "--crf=30", "--frames=10:48", "--thumbnails", f"--audio={tmp_path}/b.wav:en",
             f"--audio={tmp_path}/c.wav", "--seed=3"),
        ),
        # bits a second instead of the defaults' quality
        Job("https://example.org/c.mp4", f"{tmp_path}/c.gsv",
            ("--preset=fast", "--frames=10:48", "--bitrate=300k", "--seed=3")),
    ]  # fmt: skip


def test_a_folder_gives_its_videos(tmp_path):
    for name in ("b.mp4", "a.MKV", "b.mov", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    jobs = jobs_of(str(tmp_path), "out", "folder", OPTIONS)
    assert [(Path(j.source).name, j.output) for j in jobs] == [
        ("a.MKV", "out/a/"), ("b.mov", "out/b.mov/"), ("b.mp4", "out/b.mp4/"),
    ]  # fmt: skip
    assert {j.options for j in jobs} == {OPTIONS}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jobs: [", "is no YAML"),
        ("- a.mp4", "defaults and jobs wanted"),
        ("job: []", "job is neither defaults nor jobs; did you mean jobs?"),
        ("jobs: []", "a list of jobs wanted"),
        ("defaults: 3\njobs: [{source: a, output: b.gsv}]", "defaults: options and their values wanted"),
        ("jobs: [a.mp4]", "job 1: source, output and options wanted"),
        ("jobs: [{source: a.mp4}]", "job 1: output is missing"),
        ("jobs: [{source: a.mp4, output: a.gsv, prest: fast}]", "prest is no option .*; did you mean preset"),
        ("jobs: [{source: a.mp4, output: a.gsv, preset: quick}]", "job 1 .*a.mp4.: argument --preset: invalid choice"),
        ("jobs: [{source: a.mp4, output: a.gsv, crf: [3, 4]}]", "crf is .*a text or a number wanted"),
        ("jobs: [{source: a.mp4, output: a.gsv, grain: 1}]", "grain is '1': true or false wanted"),
        ("jobs: [{source: a.mp4, output: a/, live: true}]", "live is no job of a batch"),
        ("jobs: [{source: '-', output: a.gsv}]", "standard input is no source of a batch"),
        ("jobs: [{source: a, output: x.gsv}, {source: b, output: ./x.gsv}]", "a and .*b would both become"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_encoded(tmp_path, text, words):
    with pytest.raises(OptionError, match=words):
        jobs_of(listed(tmp_path, text), None, "gsv", [])


def test_lists_and_folders_that_are_not_there(tmp_path):
    with pytest.raises(MediaError, match=r"none.yaml: cannot be read"):
        jobs_of(str(tmp_path / "none.yaml"), None, "gsv", [])
    with pytest.raises(MediaError, match="holds no video file"):
        jobs_of(str(tmp_path), "out", "gsv", [])
    with pytest.raises(OptionError, match="--output DIR says where"):
        jobs_of(str(tmp_path), None, "gsv", [])
    with pytest.raises(OptionError, match="every job has its own"):
        jobs_of(listed(tmp_path, "jobs: [{source: a, output: b.gsv}]"), "out", "gsv", [])


def test_a_job_is_another_when_its_source_or_its_command_is(tmp_path, clip):
    source = Path(shutil.copy(clip, tmp_path))
    job = Job(str(source), "a.gsv", OPTIONS)
    key = job.key()
    assert Job(str(source), "a.gsv", OPTIONS).key() == key
    assert Job(str(source), "b.gsv", OPTIONS).key() != key
    assert Job(str(source), "a.gsv", ()).key() != key
    source.write_bytes(source.read_bytes() + b"more")
    assert job.key() != key


def test_failures_leave_the_others_alone_and_the_same_command_does_what_is_left(tmp_path, clip, capfd):
    shutil.copy(clip, tmp_path / "good.mkv")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    command = ["batch", str(tmp_path), "-o", str(tmp_path / "new" / "out"), f"--options={' '.join(OPTIONS)}"]
    assert main(command) == 2
    out, err = capfd.readouterr()
    states = [line.split()[0] for line in out.splitlines()[1:]]
    assert states == ["failed", "done", "1"]
    assert out.splitlines()[-1] == "1 done, 1 failed"
    assert f"1/2 {tmp_path / 'broken.mp4'}: failed: {tmp_path / 'broken.mp4'}: cannot be read as video" in err
    assert "1 of 2 files failed" in err.splitlines()[-1]
    output = tmp_path / "new" / "out" / "good.gsv"
    with VideoDecoder(output) as decoder:
        assert len(decoder) == 3
    before = output.stat().st_mtime_ns

    shutil.copy(clip, tmp_path / "broken.mp4")
    with (output.parent / "batch.jsonl").open("a") as record:
        record.write('{"key": "cut o')  # as a crash leaves it
    assert main([*command, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["state"] for row in rows] == ["done", "earlier"]
    assert rows[0]["num_bytes"] == rows[1]["num_bytes"] == output.stat().st_size
    assert output.stat().st_mtime_ns == before

    assert main([*command, "--json"]) == 0
    assert [row["state"] for row in json.loads(capfd.readouterr().out)] == ["earlier", "earlier"]
    output.unlink()  # what is gone is made again
    assert main([*command, "--json"]) == 0
    assert [row["state"] for row in json.loads(capfd.readouterr().out)] == ["earlier", "done"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_batch_that_is_stopped_leaves_no_process_behind(tmp_path, synthetic, sign):
    source = tmp_path / "in" / "long.mkv"
    source.parent.mkdir()
    synthetic.write_clip(source, "pan", num_frames=40, height=128, width=128)
    command = [sys.executable, "-m", "gvideo", "batch", str(source.parent), "-o", str(tmp_path / "out")]
    batch = subprocess.Popen([*command, "--log-json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    spool = tmp_path / "out" / "long.gsv.resume"
    while not spool.exists():
        assert time.monotonic() < deadline
        assert batch.poll() is None
        time.sleep(0.1)
    tasks = Path(f"/proc/{batch.pid}/task").iterdir()
    children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    assert children
    batch.send_signal(sign)
    out, _ = batch.communicate(timeout=90)
    assert batch.returncode == (130 if sign == signal.SIGTERM else -signal.SIGKILL)
    if sign == signal.SIGTERM:
        assert "1 left" in out
    deadline = time.monotonic() + 30
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (tmp_path / "out" / "long.gsv").exists()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
