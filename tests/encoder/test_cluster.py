"""Segments on a Ray cluster: the same bytes, machines and workers that are lost, clusters that are not there."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from gvideo import RayExecutor, encode  # noqa: E402
from gvideo.cli import main  # noqa: E402
from gvideo.encoder.jobs import ray_connection, ray_executor  # noqa: E402
from gvideo.encoder.jobs.executor import FittedSegment  # noqa: E402
from gvideo.encoder.segment import SegmentJob, SegmentResult  # noqa: E402
from gvideo.encoder.settings import EncodeSettings  # noqa: E402
from gvideo.errors import GVideoError, OptionError  # noqa: E402
from gvideo.media import VideoSource  # noqa: E402
from gvideo.model.steps import StepRules  # noqa: E402

ROOT = Path(__file__).parents[2]
NUM_SEGMENTS = 4
OPTIONS: dict[str, Any] = {"preset": "veryfast", "segment_seconds": 0.16, "device": "cpu"}
#: Ray leaves sockets and files to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines with one core each, both of them processes here, and this process connected to them."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        common = {"num_cpus": 1, "object_store_memory": 100 << 20}
        head = {**common, "include_dashboard": False, "ray_client_server_port": free_port()}
        made = Cluster(initialize_head=True, head_node_args=head)
        made.client_address = f"ray://127.0.0.1:{head['ray_client_server_port']}"
        made.add_node(**common)
        ray.init(made.address, log_to_driver=False)
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture(scope="module")
def clip(tmp_path_factory, synthetic) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "pan.mkv"
    synthetic.write_clip(path, "pan", num_frames=4 * NUM_SEGMENTS, height=16, width=24)
    return path


@pytest.fixture(scope="module")
def whole(clip) -> bytes:
    """The stream of one process."""
    encode(clip, clip.with_name("whole.gsv"), workers=1, **OPTIONS)
    return clip.with_name("whole.gsv").read_bytes()


@pytest.fixture(scope="module")
def jobs(clip) -> list[tuple[int, SegmentJob]]:
    with VideoSource(clip) as video:
        frames = list(video.code_frames())
        settings = EncodeSettings(preset="veryfast")
        parts = [tuple(frames[k : k + 4]) for k in range(0, len(frames), 4)]
        return [(n, SegmentJob(part, video.format, settings, 40, StepRules(60))) for n, part in enumerate(parts)]


Before = Callable[[SegmentJob], None]


def stand_in(before: Before) -> Callable[[SegmentJob, Any], SegmentResult]:
    """A fit that takes no time, and what happens before it. Travels by value, like all functions within functions."""

    def fit(job: SegmentJob, report: Any) -> SegmentResult:
        from gvideo.encoder.segment import SegmentResult

        before(job)
        report(0.5)
        return SegmentResult((b"abc",), len(job.frames), 40 * len(job.frames), (1.0,), 0, ())

    return fit


def fitted(executor: RayExecutor, jobs: list[tuple[int, SegmentJob]]) -> dict[int, FittedSegment]:
    return {f.number: f for f in executor.run(jobs, lambda *_: None, "clip.mkv")}


def test_a_cluster_makes_the_same_bytes(cluster, clip, whole, tmp_path):
    told = []
    report = encode(clip, tmp_path / "out.gsv", executor=RayExecutor(), progress=told.append, **OPTIONS)
    assert (tmp_path / "out.gsv").read_bytes() == whole
    assert report.num_segments >= NUM_SEGMENTS
    assert report.num_gaussians > 0
    assert told[-1].frames_done > 0
    assert os.listdir(tmp_path) == ["out.gsv"]


def test_passes_to_a_rate_are_the_same(cluster, clip, tmp_path, monkeypatch):
    def fit(job: SegmentJob, report: Any) -> SegmentResult:
        from packaged import quick_segment

        return quick_segment(job, count=4 + job.rules.distortion // 8)

    monkeypatch.setattr("gvideo.encoder.jobs.pool.encode_segment", fit)
    stages = set()
    options = {**OPTIONS, "preset": "medium", "bitrate": 9000}
    encode(clip, tmp_path / "here.gsv", workers=1, **options)
    encode(
        clip, tmp_path / "there.gsv", executor=RayExecutor(fit=fit), progress=lambda p: stages.add(p.stage), **options
    )
    assert (tmp_path / "here.gsv").read_bytes() == (tmp_path / "there.gsv").read_bytes()
    assert {"pass 1", "pass 2"} <= stages


def test_a_driver_that_is_killed_resumes(cluster, clip, whole, tmp_path):
    """The killed one is a client from without the cluster."""
    out, spool = tmp_path / "out.gsv", tmp_path / "spool"
    words = ["encode", str(clip), "-o", str(out), "--preset=veryfast", "--segment=0.16", "--device=cpu"]
    words += ["--spool", str(spool)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "gvideo", *words, "--cluster", cluster.client_address],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while not list(spool.glob("*.resume/*")):
        assert driver.poll() is None, driver.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert not out.exists()
    report = encode(clip, out, executor=RayExecutor(), spool=spool, **OPTIONS)
    assert report.num_resumed > 0
    assert out.read_bytes() == whole
    assert list(spool.iterdir()) == []


def test_jobs_are_drawn_as_there_is_room_and_have_names(cluster, jobs, tmp_path):
    def note(job: SegmentJob) -> None:
        import ray

        (tmp_path / ray.get_runtime_context().get_task_name()).touch()

    drawn, done, most = 0, 0, 0

    def many() -> Iterator[tuple[int, SegmentJob]]:
        nonlocal drawn, most
        for number in range(24):
            drawn += 1
            most = max(most, drawn - done)
            yield number, jobs[0][1]

    for _ in RayExecutor(workers=3, fit=stand_in(note)).run(many(), lambda *_: None, "clip.mkv pass 1"):
        done += 1
    assert done == 24
    assert most <= 3
    assert {p.name for p in tmp_path.iterdir()} == {f"clip.mkv pass 1 segment {n}" for n in range(24)}


def test_a_worker_that_dies_is_replaced(cluster, jobs, tmp_path):
    def die_once(job: SegmentJob) -> None:
        import os

        if job.frames[0].pts == 0 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(1)

    found = fitted(RayExecutor(fit=stand_in(die_once)), jobs)
    assert sorted(found) == list(range(len(jobs)))
    assert found[0].retries == 1
    assert sum(f.retries for f in found.values()) == 1


def test_a_segment_that_always_kills_its_worker_is_told(cluster, jobs):
    def die(job: SegmentJob) -> None:
        import os

        os._exit(1)

    with pytest.raises(
        GVideoError, match=r"clip.mkv segment 0: lost 2 times, at last: .*; give each segment"
    ) as caught:
        fitted(RayExecutor(retries=1, fit=stand_in(die)), jobs[:1])
    assert "\n" not in str(caught.value)


def test_a_machine_that_is_lost_is_survived(cluster, jobs, tmp_path):
    victim = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    node_id = victim.node_id

    def hang_there(job: SegmentJob) -> None:
        import time

        import ray

        if ray.get_runtime_context().get_node_id() == node_id:
            (tmp_path / "there").touch()
            time.sleep(600)

    def pull_the_plug() -> None:
        deadline = time.monotonic() + 120
        while not (tmp_path / "there").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        cluster.remove_node(victim, allow_graceful=False)

    thread = threading.Thread(target=pull_the_plug)
    thread.start()
    found = fitted(RayExecutor(fit=stand_in(hang_there)), [(n, jobs[0][1]) for n in range(12)])
    thread.join()
    assert sorted(found) == list(range(12))
    assert sum(f.retries for f in found.values()) >= 1


@pytest.mark.parametrize("times", [1, 9], ids=["once", "always"])
def test_a_full_disk_names_the_machine(cluster, jobs, tmp_path, times):
    def fill(job: SegmentJob) -> None:
        if len(list(tmp_path.iterdir())) < times:
            (tmp_path / str(len(list(tmp_path.iterdir())))).touch()
            raise OSError(errno.ENOSPC, "No space left on device")

    executor = RayExecutor(retries=2, fit=stand_in(fill))
    if times == 1:
        assert fitted(executor, jobs[:1])[0].retries == 1
        return
    with pytest.raises(GVideoError, match=r"segment 0: lost 3 times.*machine [\d.]+ .*No space left.*make room"):
        fitted(executor, jobs[:1])


def test_errors_of_a_fit_keep_their_kind(cluster, jobs):
    def refuse(job: SegmentJob) -> None:
        from gvideo.errors import OptionError

        raise OptionError("--size: too large")

    with pytest.raises(OptionError, match=r"^clip.mkv segment 0: --size: too large$"):
        fitted(RayExecutor(fit=stand_in(refuse)), jobs[:1])


def test_other_versions_are_told(cluster, jobs, monkeypatch):
    executor = RayExecutor(fit=stand_in(lambda _: None))
    with monkeypatch.context() as patch:
        patch.setattr(ray_executor, "described", lambda: {"gvideo": "0.0.9"})
        with pytest.raises(GVideoError, match=r"segment 0: machine [\d.]+ .*here are gvideo 0.0.9; install the same"):
            fitted(executor, jobs[:1])
    monkeypatch.setattr(ray_connection, "__version__", "0.0.9")
    with pytest.raises(GVideoError, match=r"machine [\d.]+ .* has gvideo \d.*Python 3.*, here are gvideo 0.0.9 and"):
        RayExecutor()


@pytest.mark.parametrize("failures", [2, 3])
def test_a_client_port_that_starts_no_server_is_asked_again(monkeypatch, failures):
    """Ray starts a process for every client; that one may not come up while the cluster itself is well."""
    tries = []

    def init(address: str, **options: Any) -> None:
        tries.append(address)
        if len(tries) <= failures:
            raise ConnectionError("Initialization failure from server: Starting Ray client server failed.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray_connection, "resolve", lambda address: address)
    monkeypatch.setattr(ray_connection.time, "sleep", lambda seconds: None)
    if failures == 2:
        ray_connection.connect("ray://head:10001")
    else:
        with pytest.raises(OptionError, match=r"ray://head:10001: no Ray cluster found .*Starting Ray client"):
            ray_connection.connect("ray://head:10001")
    assert tries == 3 * ["ray://head:10001"]


@pytest.mark.parametrize("kind", ["closed", "client", "silent", "stale", "none", "odd"])
def test_no_cluster_is_one_line_within_ten_seconds(clip, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    address = f"127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        if kind == "silent":
            address = f"127.0.0.1:{server.getsockname()[1]}"
        elif kind == "stale":
            (tmp_path / "ray").mkdir()
            (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        words = {"client": f"ray://{address}", "stale": "auto", "none": "auto", "odd": "http://head"}.get(kind, address)
        began = time.monotonic()
        assert main(["encode", str(clip), "-o", str(tmp_path / "out.gsv"), "--cluster", words]) == 2
        assert time.monotonic() - began < 10
    said = capsys.readouterr().err
    assert said.startswith(f"gvideo: --cluster {words}: ") or kind == "stale"
    assert said.count("\n") == 1
    assert not (tmp_path / "out.gsv").exists()
