"""Kills and full disks by hand; a few of each are tests/robustness/test_kills.py.

    python tests/robustness/kills.py encode|workers|package|live|batch [--kills 30] [--each 3] [--seed 0]
    python tests/robustness/kills.py full-disk            needs the right to mount a tmpfs

A command is killed (SIGKILL, the parent process alone) at a random moment of its usual time and started again,
`--each` times; then it runs to its end. After a kill no process may be left and what is published must play; in the end
the bytes must be those of a run that nobody killed, with nothing beside them. A disk is full at every page in turn: one
line, exit code 2, no halves.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

from packaged import quick_segment, write_clip, write_stream  # noqa: E402
from silence import Silence  # noqa: E402

from gvideo import VideoDecoder, cli  # noqa: E402
from gvideo.cli import main as gvideo  # noqa: E402
from gvideo.encoder.jobs import pool  # noqa: E402

_warm = get_context("forkserver")
_warm.set_forkserver_preload(["gvideo.cli", "gvideo.encoder.segment", "gvideo.encoder.jobs.encode", "packager.package"])
#: How long processes may outlive the one that was killed, s: they may be in the middle of a call. Seconds in which they
#: are given no processor do not count.
ORPHAN_SECONDS = 20.0
#: Commands that full disks are tried with; spool: encode with its spool on such a disk.
FULL = ("encode", "spool", "package", "live", "batch")


@dataclass
class Result:
    """What was done, and what was wrong with it. early: kills of a command that had not ended yet."""

    kills: int = 0
    early: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scenario:
    """A command and the folder that it writes to. same: what two whole runs have in common."""

    command: Callable[[Path], list[str]]
    same: Callable[[Path], dict[str, bytes]]


def everything(folder: Path) -> dict[str, bytes]:
    """All files by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def but_for_records(folder: Path) -> dict[str, bytes]:
    """All files by name; of the record of a batch, which tells seconds, the outputs that are done."""
    found = everything(folder)
    for name in [n for n in found if n.endswith(".jsonl")]:
        outputs = [json.loads(line)["job"]["output"] for line in found[name].splitlines()]
        found[name] = repr(sorted({Path(o).name for o in outputs})).encode()
    found.pop("jobs.yaml", None)
    return found


def shown(folder: Path) -> dict[str, bytes]:
    """What a live publication shows, and temporary files. Names and times of day differ from run to run."""
    decoder = VideoDecoder(folder)
    left = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*.partial"))]
    return {
        "pictures": decoder.get_all_frames().data.tobytes(),
        "times": bytes(decoder.pts),
        "left": repr(left).encode(),
    }


def scenarios(folder: Path) -> dict[str, Scenario]:
    """The commands on tiny inputs."""
    clip = write_clip(folder / "clip.mp4", 1.6)
    short = write_clip(folder / "short.mp4", 0.4)
    layered = write_stream(folder / "layered.gsv", num_layers=2)

    def batch(out: Path, workers: int = 2) -> list[str]:
        jobs = "".join(f"  - {{source: {clip}, output: {name}, frames: '{frames}'}}\n"
                       for name, frames in (("a.gsv", "0:20"), ("b/", "0:10")))  # fmt: skip
        (out / "jobs.yaml").write_text(
            f"defaults: {{preset: veryfast, size: 32x24, segment: 0.4, device: cpu, workers: {workers}}}\njobs:\n{jobs}"
        )
        return ["batch", str(out / "jobs.yaml"), "--at-once", "2"]

    encode = ["encode", str(short), "--preset", "veryfast", "--size", "32x24", "--segment", "0.16", "--device", "cpu"]
    return {
        "encode": Scenario(lambda out: [*encode, "-o", str(out / "out.gsv"), "--workers", "1"], everything),
        "workers": Scenario(lambda out: [*encode, "-o", str(out / "out.gsv"), "--workers", "2"], everything),
        "package": Scenario(
            lambda out: ["package", str(layered), "-o", str(out), "--source", str(clip), "--fallback", "avc"],
            everything,
        ),
        "live": Scenario(
            lambda out: [*encode, "-o", f"{out}/", "--live", "--anew", "--idle", "0.2", "--no-keep-up"], shown
        ),
        "batch": Scenario(batch, but_for_records),
        "batch in one process": Scenario(lambda out: batch(out, 1), but_for_records),
    }


def play(folder: Path) -> None:
    """Decodes all of what manifests in a folder offer, if there are any: each appears after all that it names."""
    for name in ("master.m3u8", "manifest.mpd"):
        if (folder / name).exists():
            VideoDecoder(folder / name).get_all_frames()


def start(words: list[str], told: Path) -> BaseProcess:
    """The command line in a session of its own, whose messages go to a file. It is forked from a process that has
    imported everything: most moments of a kill would else lie in imports."""
    child = _warm.Process(target=_run, args=(words, str(told)))
    child.start()
    return child


def _run(words: list[str], told: str) -> None:
    os.setsid()
    os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(gvideo(words))


def left_running(session: int) -> list[str]:
    """Processes of a session, as soon as there are none or after ORPHAN_SECONDS."""
    known: dict[str, Silence] = {}
    while True:
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] not in "ZX":
                    found.append(status.parent.name)
        known = {pid: known.get(pid) or Silence(int(pid)) for pid in found}
        if not found or any(s.seconds() > ORPHAN_SECONDS for s in known.values()):
            return found
        time.sleep(0.05)


def finish(words: list[str], told: Path, result: Result) -> float:
    """Runs a command to its end; seconds that it took."""
    began = time.monotonic()
    child = start(words, told)
    child.join()
    if child.exitcode:
        result.faults.append(f"exit code {child.exitcode}: {told.read_text('utf-8', 'replace')[-300:]}")
    if found := left_running(child.pid or 0):
        result.faults.append(f"processes are left after the end: {found}")
    return time.monotonic() - began


def attack(scenario: Scenario, folder: Path, kills: int, each: int, seed: int) -> Result:
    """Kills a command so many times, `each` times before it may end."""
    result, rng = Result(), random.Random(seed)
    honest, told = folder / "honest", folder / "told"
    honest.mkdir()
    finish(scenario.command(honest), told, result)
    usual = finish(scenario.command(honest), told, result)  # the first run may have compiled kernels
    wanted = scenario.same(honest)
    while result.kills < kills and not result.faults:
        out = folder / f"out{result.ends}"
        out.mkdir()
        for _ in range(min(each, kills - result.kills)):
            child = start(scenario.command(out), told)
            child.join(rng.uniform(0, usual))
            result.early += child.exitcode is None
            child.kill()
            child.join()
            result.kills += 1
            if found := left_running(child.pid or 0):
                result.faults.append(f"processes are left: {found}")
            for path in out.glob("*.gsv"):
                if path.read_bytes() != (honest / path.name).read_bytes():
                    result.faults.append(f"{path.name} is there and not whole")
            play(out)
            play(out / "b")
        finish(scenario.command(out), told, result)
        result.ends += 1
        found = scenario.same(out)
        if found != wanted:
            other = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
            result.faults.append(f"another result than without kills: {other}; left: {found.get('left')!r}")
    return result


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """A tmpfs whose size can be set, KiB. Raises PermissionError where none can be mounted."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr.decode())

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}k", folder], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", folder], check=True)


def quick_main(words: Sequence[str]) -> int:
    """The command line with fits that take no time; for processes that a batch starts."""
    with mock.patch.object(pool, "encode_segment", quick_segment):
        return gvideo(words)


def fill(words: Callable[[Path], list[str]], disk: Path, resize: Callable[[int], None], step: int = 1) -> Result:
    """Runs a command with `step` pages more from time to time until it succeeds; `kills` counts the full disks."""
    result = Result()
    seen: list[tuple[int, str, bytes]] = []
    for pages in range(1, 4096, step):
        for path in sorted(disk.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        resize(4 * pages)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                code = gvideo(words(disk))
            except OSError:  # of this harness: the list of jobs does not fit
                continue
        if code == 0:
            result.ends = 1
            for at, name, data in seen:
                if data != (disk / name).read_bytes():
                    result.faults.append(f"{at} pages: {name} is there and not whole")
            return result
        result.kills += 1
        lines = said.getvalue().strip().splitlines()
        if code != 2 or "No space left on device" not in lines[-1] or not lines[-1].startswith("gvideo: "):
            result.faults.append(f"{pages} pages: exit code {code}: {lines}")
        halves = [str(p) for p in disk.rglob("*.partial")]
        seen += [(pages, path.name, path.read_bytes()) for path in disk.glob("*.gsv")]
        if halves:
            result.faults.append(f"{pages} pages: {halves} are left")
        play(disk)
        play(disk / "b")
    result.faults.append("never done")
    return result


def full_disk(folder: Path, kinds: Sequence[str] = FULL) -> dict[str, Result]:
    """Every command on a disk that is full a page later each time (batch, whose jobs are processes: four). Fits stand
    in for the encoder's."""
    made = scenarios(folder)
    disk = folder / "disk"
    found = {}
    commands = {
        "encode": made["encode"].command, "package": made["package"].command, "live": made["live"].command,
        "batch": made["batch in one process"].command,
    }  # fmt: skip
    # only the segments that are done go to the disk that is full
    commands["spool"] = lambda out: [*commands["encode"](folder), "--spool", str(out)]
    with (
        small_disk(disk) as resize,
        mock.patch.object(pool, "encode_segment", quick_segment),
        mock.patch.object(cli, "main", quick_main),
    ):
        for kind in kinds:
            found[kind] = fill(commands[kind], disk, resize, 4 if kind == "batch" else 1)
    return found


def main() -> int:
    """The command line; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("encode", "workers", "package", "live", "batch", "full-disk"))
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--each", type=int, default=3, help="kills before a run may end")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.kind == "full-disk":
            found = full_disk(folder)
        else:
            scenario = scenarios(folder)[options.kind]
            found = {options.kind: attack(scenario, folder, options.kills, options.each, options.seed)}
    for kind, result in found.items():
        what = "full disk(s)" if options.kind == "full-disk" else "kill(s)"
        seconds = time.monotonic() - began
        early = "" if options.kind == "full-disk" else f" ({result.early} before the end)"
        done = f"{result.kills} {what}{early}, {result.ends} run(s) to the end, {seconds:.0f} s"
        print(f"{kind}: {done}: {result.faults or 'no fault'}")
    return any(r.faults for r in found.values())


if __name__ == "__main__":
    sys.exit(main())
