"""Kills and full disks by hand; a few of each are tests/robustness/test_kills.py.

    python tests/robustness/kills.py encode|package|live [--kills 30] [--each 3] [--seed 0]
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
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

from packaged import quick_segment, write_clip, write_stream  # noqa: E402

from gvideo import VideoDecoder  # noqa: E402
from gvideo.cli import main as gvideo  # noqa: E402
from gvideo.encoder.jobs import pool  # noqa: E402

#: How long processes may outlive the one that was killed, s: they may be in the middle of a call.
ORPHAN_SECONDS = 20.0


@dataclass
class Result:
    """What was done, and what was wrong with it."""

    kills: int = 0
    ends: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scenario:
    """A command and the folder that it writes to. same: what two whole runs have in common."""

    command: Callable[[Path], list[str]]
    same: Callable[[Path], object]


def everything(folder: Path) -> dict[str, bytes]:
    """All files by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def shown(folder: Path) -> tuple[bytes, bytes, list[str]]:
    """What a live publication shows, and temporary files. Names and times of day differ from run to run."""
    decoder = VideoDecoder(folder)
    left = [p.name for p in folder.rglob("*.partial")]
    return decoder.get_all_frames().data.tobytes(), bytes(decoder.pts), left


def scenarios(folder: Path) -> dict[str, Scenario]:
    """The three commands on tiny inputs."""
    clip = write_clip(folder / "clip.mp4", 1.6)
    layered = write_stream(folder / "layered.gsv", num_layers=2)
    encode = ["encode", str(clip), "--preset", "veryfast", "--size", "32x24", "--segment", "0.4", "--device", "cpu"]
    return {
        "encode": Scenario(lambda out: [*encode, "-o", str(out / "out.gsv"), "--workers", "2"], everything),
        "package": Scenario(
            lambda out: ["package", str(layered), "-o", str(out), "--source", str(clip), "--fallback", "avc"],
            everything,
        ),
        "live": Scenario(lambda out: [*encode, "-o", f"{out}/", "--live", "--anew", "--idle", "0.2"], shown),
    }


def play(folder: Path) -> None:
    """Decodes all of what manifests in a folder offer, if there are any: each appears after all that it names."""
    for name in ("master.m3u8", "manifest.mpd"):
        if (folder / name).exists():
            VideoDecoder(folder / name).get_all_frames()


def start(words: list[str]) -> subprocess.Popen[bytes]:
    """The command line in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gvideo", *words], cwd=HERE.parents[1], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def left_running(session: int) -> list[str]:
    """Processes of a session, as soon as there are none or after ORPHAN_SECONDS."""
    end = time.monotonic() + ORPHAN_SECONDS
    while True:
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] not in "ZX":
                    found.append(status.parent.name)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def finish(words: list[str], result: Result) -> float:
    """Runs a command to its end; seconds that it took."""
    began = time.monotonic()
    child = start(words)
    _, said = child.communicate()
    if child.returncode:
        result.faults.append(f"exit code {child.returncode}: {said.decode()[-300:]}")
    if found := left_running(child.pid):
        result.faults.append(f"processes are left after the end: {found}")
    return time.monotonic() - began


def attack(scenario: Scenario, folder: Path, kills: int, each: int, seed: int) -> Result:
    """Kills a command so many times, `each` times before it may end."""
    result, rng = Result(), random.Random(seed)
    honest = folder / "honest"
    honest.mkdir()
    usual = finish(scenario.command(honest), result)
    wanted = scenario.same(honest)
    while result.kills < kills and not result.faults:
        out = folder / f"out{result.ends}"
        out.mkdir()
        for _ in range(min(each, kills - result.kills)):
            child = start(scenario.command(out))
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(0, usual))
            child.send_signal(signal.SIGKILL)
            assert child.stderr is not None
            child.stderr.close()
            child.wait()
            result.kills += 1
            if found := left_running(child.pid):
                result.faults.append(f"processes are left: {found}")
            if (out / "out.gsv").exists() and everything(out)["out.gsv"] != everything(honest)["out.gsv"]:
                result.faults.append("out.gsv is there and not whole")
            play(out)
        finish(scenario.command(out), result)
        result.ends += 1
        if scenario.same(out) != wanted:
            beside = set(everything(out)) ^ set(everything(honest))
            result.faults.append(f"another result than without kills; files that only one has: {sorted(beside)}")
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


def fill(words: list[str], disk: Path, resize: Callable[[int], None]) -> Result:
    """Runs a command with one page more from time to time until it succeeds; `kills` counts the full disks."""
    result = Result()
    for pages in range(1, 4096):
        for path in sorted(disk.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        resize(4 * pages)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = gvideo(words)
        if code == 0:
            result.ends = 1
            return result
        result.kills += 1
        lines = said.getvalue().strip().splitlines()
        if code != 2 or "No space left on device" not in lines[-1] or not lines[-1].startswith("gvideo: "):
            result.faults.append(f"{pages} pages: exit code {code}: {lines}")
        halves = [str(p) for p in disk.rglob("*.partial")] + [str(p) for p in disk.glob("*.gsv")]
        if halves:
            result.faults.append(f"{pages} pages: {halves} are left")
        play(disk)
    result.faults.append("never done")
    return result


def full_disk(folder: Path) -> dict[str, Result]:
    """Every command on a disk that is full a page later each time. Fits stand in for the encoder's."""
    made = scenarios(folder)
    disk = folder / "disk"
    found = {}
    with small_disk(disk) as resize, mock.patch.object(pool, "encode_segment", quick_segment):
        for name in ("encode", "package"):
            words = [w if w != "2" else "1" for w in made[name].command(disk)]
            found[name] = fill(words, disk, resize)
    return found


def main() -> int:
    """The command line; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("encode", "package", "live", "full-disk"))
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
        done = f"{result.kills} {what}, {result.ends} run(s) to the end, {seconds:.0f} s"
        print(f"{kind}: {done}: {result.faults or 'no fault'}")
    return any(r.faults for r in found.values())


if __name__ == "__main__":
    sys.exit(main())
