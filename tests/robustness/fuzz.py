"""Fuzzing by hand, for as long as one likes; a short run of each kind is tests/robustness/test_fuzz.py.

    python tests/robustness/fuzz.py KIND [--seconds 600 | --cases 100000] [--seed 0] [--out findings]

KIND: gsv, segments, mp4, hls, dash, captions through the Python readers; js-gsv, js-segments, js-hls, js-dash through
the page's, in Node. A case is an honest input changed one to four times. One that makes a reader give up where none
has before is kept, and changed further. A finding is an error that is not documented, a dead process, more CPU time
or more memory than the limits below; its input is saved in a file, and `--replay FILE` reads that again.

The process that reads is a child: it may die, or hang, which a busy machine is not taken for. Prints cases, seconds,
places where readers gave up, findings.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

import numpy as np  # noqa: E402
from fuzz_targets import TARGETS, Target, make  # noqa: E402
from silence import speaks  # noqa: E402

#: Of a case: CPU seconds, growth of the process's largest size in MB.
MAX_SECONDS, MAX_GROWTH = 5.0, 300.0
#: Seconds without a case after which the reading process hangs, but for those in which it is given no processor.
SILENCE_SECONDS = 60.0
#: Inputs that are kept because a reader gave up in a new place.
MAX_POOL = 2000
SCRIPTED = {"js-gsv": "gsv", "js-segments": "segments", "js-hls": "hls", "js-dash": "dash"}
KINDS = (*TARGETS, *SCRIPTED)


class SlowError(BaseException):
    """A case that takes more CPU time than it may; no handler of the readers catches it."""


@dataclass
class Outcome:
    """place: where a reader gave up, "" if it did not. fault: what is wrong with that, "" if nothing is."""

    place: str = ""
    fault: str = ""


@dataclass
class Result:
    """findings: fault to the first case with it."""

    cases: int = 0
    seconds: float = 0.0
    places: set[str] = field(default_factory=set)
    findings: dict[str, bytes] = field(default_factory=dict)
    slowest: float = 0.0


class PythonReader:
    """Runs cases here."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._peak = peak_mb()
        self._reading = False
        self.slowest = 0.0

    def __call__(self, case: bytes) -> Outcome:
        began = time.process_time()
        outcome = Outcome()
        signal.signal(signal.SIGPROF, self._too_slow)
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        self._reading = True
        try:
            self._target.read(case)
            self._reading = False
        except self._target.documented as error:
            self._reading = False
            outcome.place = place_of(error)
            if "\n" in str(error).strip():
                outcome.fault = f"more than one line: {outcome.place}"
        except (Exception, SlowError) as error:
            self._reading = False
            outcome.place = place_of(error)
            outcome.fault = f"{type(error).__name__} at {outcome.place}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        used = time.process_time() - began
        self.slowest = max(self.slowest, used)
        grown, self._peak = peak_mb() - self._peak, max(self._peak, peak_mb())
        if used > MAX_SECONDS and not outcome.fault:
            outcome.fault = f"slow, ends at {outcome.place or 'the end'}"
        if grown > MAX_GROWTH and not outcome.fault:
            outcome.fault = f"memory, ends at {outcome.place or 'the end'}"
        return outcome

    def _too_slow(self, number: int, frame: FrameType | None) -> None:
        if self._reading:
            raise SlowError


def peak_mb() -> float:
    """The largest size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def place_of(error: BaseException) -> str:
    """The innermost line of the project that an error came through, and its class."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/tests/" not in f.filename and str(HERE.parents[1]) in f.filename] or frames
    ways = "<".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(own[-3:]))
    return f"{ways} {type(error).__name__}"


class NodeReader:
    """Runs cases in Node, anew after one that ended it."""

    def __init__(self, kind: str, target: Target) -> None:
        self._command = ["node", "--max-old-space-size=1024", str(HERE / "fuzz.mjs"), kind, str(target.folder)]
        self._child: subprocess.Popen[bytes] | None = None
        self._rss = 0.0
        self.slowest = 0.0

    def __call__(self, case: bytes) -> Outcome:
        if self._child is None:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self._rss = 0.0
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        line = b""
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(len(case).to_bytes(4, "big") + case)
            self._child.stdin.flush()
            told = [self._child.stdout]
            if not speaks(self._child.pid, lambda s: select.select(told, [], [], s)[0], SILENCE_SECONDS):
                self.close()
                return Outcome(fault="hangs")
            line = self._child.stdout.readline()
        if not line:
            assert self._child.stderr is not None
            text = self._child.stderr.read().decode("utf-8", "replace")
            self.close()
            known = re.search(r"heap out of memory|\w*Error.*", text)
            return Outcome(fault=f"Node ended: {known[0] if known else 'without a word'}")
        answer = json.loads(line)
        words = re.sub(r"-?\d[\d.e+]*|'[^']*'|\"[^\"]*\"", "#", answer["message"])[:80]
        outcome = Outcome(f"{answer['error']} {words}" if answer["error"] else "")
        if not answer["documented"]:
            outcome.fault = f"{answer['error']}: {words} {answer.get('stack', '')}"
        self.slowest = max(self.slowest, answer["ms"] / 1000)
        grown, self._rss = answer["rss"] - (self._rss or answer["rss"]), max(self._rss, answer["rss"])
        if not outcome.fault and answer["ms"] > 1000 * MAX_SECONDS:
            outcome.fault = f"slow, ends with {outcome.place or 'success'}"
        if not outcome.fault and grown > MAX_GROWTH:
            outcome.fault = f"memory, ends with {outcome.place or 'success'}"
        return outcome

    def close(self) -> None:
        """Ends Node."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def cases_of(target: Target, seed: int, pool: list[bytes]) -> Iterator[bytes]:
    """Changed inputs without end; `pool` may grow meanwhile."""
    rng = np.random.default_rng(seed)
    while True:
        kept = pool if pool and rng.random() < 0.5 else target.seeds
        case = kept[int(rng.integers(len(kept)))]
        for _ in range(int(rng.integers(1, 5))):
            case = target.mutate(case, rng, target.seeds)
        yield case[: 1 << 20]


def run(
    kind: str, folder: Path, *, seed: int = 0, cases: int = 0, seconds: float = 0.0, current: Path | None = None
) -> Iterator[Result]:
    """Runs a kind until so many cases or seconds are done; gives the result so far every second and at the end.
    current: is written with each case before it is read, for who finds this process dead."""
    target = make(SCRIPTED.get(kind, kind), folder)
    reader = NodeReader(SCRIPTED[kind], target) if kind in SCRIPTED else PythonReader(target)
    result, pool = Result(), []
    began = last = time.monotonic()
    try:
        for case in cases_of(target, seed, pool):
            if current is not None:
                current.write_bytes(case)
            outcome = reader(case)
            result.cases += 1
            result.slowest = reader.slowest
            if outcome.fault:
                result.findings.setdefault(outcome.fault, case)
            elif outcome.place and outcome.place not in result.places and len(pool) < MAX_POOL:
                result.places.add(outcome.place)
                pool.append(case)
            now = time.monotonic()
            result.seconds = now - began
            if (cases and result.cases >= cases) or (seconds and result.seconds >= seconds):
                break
            if now > last + 1:
                last = now
                yield result
    finally:
        if isinstance(reader, NodeReader):
            reader.close()
    yield result


def _child(connection: Connection, kind: str, folder: str, seed: int, cases: int, seconds: float) -> None:
    room = 6 << 30
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for result in run(kind, Path(folder), seed=seed, cases=cases, seconds=seconds, current=Path(folder + ".case")):
        connection.send(result)


def supervise(kind: str, seed: int, cases: int, seconds: float) -> Result:
    """The same in a process of its own, started again with another seed where it dies or hangs."""
    total = Result()
    context = get_context("spawn")
    while True:
        with tempfile.TemporaryDirectory() as name:
            mine, theirs = context.Pipe(duplex=False)
            left = (cases and cases - total.cases, seconds and seconds - total.seconds)
            folder = f"{name}/work"
            child = context.Process(target=_child, args=(theirs, kind, folder, seed, *left))
            child.start()
            theirs.close()
            result, fault = Result(), "hangs"
            try:
                while speaks(child.pid or 0, mine.poll, SILENCE_SECONDS):
                    result = mine.recv()
            except EOFError:
                child.join()
                fault = f"the process ended with {child.exitcode}" if child.exitcode else ""
            child.kill()
            child.join()
            case = Path(folder + ".case")
            if fault and not case.exists():
                raise SystemExit(f"{kind}: {fault} before the first case")
            if fault:
                result.findings.setdefault(fault, case.read_bytes())
        total.cases += result.cases
        total.seconds += result.seconds
        total.places |= result.places
        total.slowest = max(total.slowest, result.slowest)
        total.findings = {**result.findings, **total.findings}
        seed += 1_000_003
        if not fault or (cases and total.cases >= cases) or (seconds and total.seconds >= seconds):
            return total


def main() -> int:
    """The command line; exit code 1 if there are findings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--cases", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("findings"), help="folder for the inputs of findings")
    parser.add_argument("--replay", type=Path, help="reads one saved input and shows what comes out")
    options = parser.parse_args()
    if options.replay:
        with tempfile.TemporaryDirectory() as name:
            target = make(SCRIPTED.get(options.kind, options.kind), Path(name) / "work")
            case = options.replay.read_bytes()
            if options.kind in SCRIPTED:
                print(NodeReader(SCRIPTED[options.kind], target)(case))
            else:
                target.read(case)
        return 0
    seconds = options.seconds or (0.0 if options.cases else 60.0)
    result = supervise(options.kind, options.seed, options.cases, seconds)
    print(
        f"{options.kind}: {result.cases} cases in {result.seconds:.0f} s, seed {options.seed}, {len(result.places)} "
        f"places where a reader gave up, slowest {result.slowest:.2f} s, {len(result.findings)} finding(s)"
    )
    for fault, case in result.findings.items():
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"{options.kind}-{sha256(fault.encode()).hexdigest()[:8]}"
        path.write_bytes(case)
        print(f"  {fault}\n    {path}")
    return 1 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
