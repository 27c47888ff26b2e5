"""encode many files in one run; the same command again does what is left"""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gvideo.commands.encoding.batch_list import FORMS, Job, jobs_of
from gvideo.commands.encoding.stored import output_is_file
from gvideo.commands.terminal.console import console
from gvideo.commands.terminal.progress import ProgressLine, format_bitrate, format_bytes, format_time
from gvideo.errors import GVideoError, MediaError, OptionError
from gvideo.finite import finite
from gvideo.stores import is_store_url, object_state

#: Seconds that an interrupted job has to put its files away.
_PATIENCE = 30.0
#: Questions to stores at a time.
_ASKED_AT_ONCE = 16
_LINE = "{:<9} {:>8} {:>10} {:>13} {:>9} {:>8}  {}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo batch`."""
    parser.add_argument("jobs", metavar="JOBS.yaml|FOLDER", help="a list of jobs, or a folder of video files")
    parser.add_argument("-o", "--output", metavar="DIR", help="where the files of a FOLDER go")
    parser.add_argument("--to", choices=tuple(FORMS), default="gsv", help="what they become (default gsv)")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="files at a time (default 1)")
    parser.add_argument(
        "--shard", metavar="K/N", help="every Nth file from the Kth on, K from 0; N runs with 0/N to N-1/N do all"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.add_argument(
        "--options", default="", metavar="OPTIONS", help='of gvideo encode for every file: --options="--crf 30 --grain"'
    )


#: The command line: words to an exit code.
Main = Callable[[Sequence[str]], int]


@dataclass(slots=True)
class JobOutcome:
    """What became of a job. key: of the job when the batch began, so that a source that changes meanwhile counts as
    another. state: done, earlier (done by an earlier run), failed, or left."""

    job: Job
    key: str
    state: str = "left"
    message: str = ""
    seconds: float = 0.0
    fields: dict[str, Any] = field(default_factory=dict)


def run(arguments: argparse.Namespace) -> None:
    """Runs the jobs; a line for each that ends, then a table. Raises GVideoError if one of them failed."""
    if arguments.at_once < 1:
        raise OptionError(f"--at-once {arguments.at_once}: must be at least 1")
    try:
        options = shlex.split(arguments.options)
    except ValueError as error:
        raise OptionError(f"--options {arguments.options}: {error}") from None
    shard, count = _shard(arguments.shard)
    jobs = jobs_of(arguments.jobs, arguments.output, arguments.to, options)[shard::count]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:  # stores are asked about their objects
        outcomes = [JobOutcome(job, key) for job, key in zip(jobs, pool.map(Job.key, jobs), strict=True)]
    record, others = _records(arguments.jobs, arguments.output, shard, count)
    earlier = {key: value for path in (*others, record) for key, value in _read_record(path).items()}
    for outcome in outcomes:
        found = earlier.get(outcome.key)
        if found is not None and _exists(outcome.job.output):
            outcome.state, (outcome.seconds, outcome.fields) = "earlier", found
    try:
        left = [o for o in outcomes if o.state == "left"]
        _run_all(left, len(outcomes), arguments.at_once, record, arguments.main)
    except KeyboardInterrupt:
        _tell(outcomes, arguments.json)
        raise KeyboardInterrupt("; the same command does what is left") from None
    _tell(outcomes, arguments.json)
    failed = [o for o in outcomes if o.state == "failed"]
    if failed:
        raise GVideoError(
            f"{arguments.jobs}: {len(failed)} of {len(outcomes)} files failed, first {failed[0].job.source}: "
            f"{failed[0].message}; the same command tries them again"
        )


def _shard(text: str | None) -> tuple[int, int]:
    """(K, N) of "K/N", (0, 1) of None."""
    if text is None:
        return 0, 1
    shard, _, count = text.partition("/")
    if not (shard.isdecimal() and count.isdecimal() and int(shard) < int(count)):
        raise OptionError(f"--shard {text}: K/N wanted, with K from 0 to N-1, such as 0/4")
    return int(shard), int(count)


def _records(jobs: str, output: str | None, shard: int, count: int) -> tuple[Path, list[Path]]:
    """(where this run notes what it has done, where others have): beside a list of jobs, in the folder of the outputs
    of a folder, or beside that folder if the outputs go to a store. Shards, which may run at once, have one each."""
    source = Path(jobs)
    if output is None or is_store_url(output):
        folder, name = source.parent, source.name
    else:
        folder, name = Path(output), "batch"
    record = folder / (f"{name}.jsonl" if count == 1 else f"{name}.{shard}-of-{count}.jsonl")
    found = [*folder.glob(f"{glob.escape(name)}.jsonl"), *folder.glob(f"{glob.escape(name)}.*-of-*.jsonl")]
    return record, sorted(path for path in found if path != record)


def _exists(output: str) -> bool:
    """Whether a job's output is still there."""
    if not is_store_url(output):
        return Path(output).exists()
    return object_state(output if output_is_file(output) else f"{output.rstrip('/')}/master.m3u8") is not None


def _read_record(path: Path) -> dict[str, tuple[float, dict[str, Any]]]:
    """What earlier runs have done, (seconds, fields) by the keys of jobs. A last line that is not whole counts as not
    written."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    found = {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            found[str(entry["key"])] = (float(entry["wall_seconds"]), dict(entry["fields"]))
    return found


def _run_all(outcomes: Sequence[JobOutcome], total: int, at_once: int, record: Path, main: Main) -> None:
    processes: set[Any] = set()
    shares: dict[int, str] = {}
    begun, ended = time.monotonic(), total - len(outcomes)
    pool = ThreadPoolExecutor(min(at_once, max(len(outcomes), 1)))
    waiting: dict[Future[None], JobOutcome] = {}
    stopped = threading.Event()
    try:
        for outcome in outcomes:
            waiting[pool.submit(_run_one, outcome, main, processes, shares, stopped)] = outcome
        with ProgressLine() as line:
            while waiting:
                for future in wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED).done:
                    outcome = waiting.pop(future)
                    future.result()
                    ended += 1
                    if outcome.state == "done":
                        _append(record, outcome)
                    line.wipe()
                    console.say(
                        "job", f"{ended}/{total} {_sentence(outcome)}", source=outcome.job.source,
                        output=outcome.job.output, state=outcome.state, wall_seconds=round(outcome.seconds, 2),
                        **outcome.fields,
                    )  # fmt: skip
                line.show_parts(f"{ended}/{total} files", *shares.values(), format_time(time.monotonic() - begun))
    except BaseException:
        stopped.set()
        for future in waiting:
            future.cancel()
        _end(processes)
        raise
    finally:
        pool.shutdown()


def _end(processes: set[Any]) -> None:
    """An interrupt at the terminal has reached the jobs too; others have not."""
    deadline = time.monotonic() + 1.0
    for process in list(processes):
        process.join(max(deadline - time.monotonic(), 0.0))
        if process.is_alive():
            os.kill(process.pid, signal.SIGINT)
    deadline = time.monotonic() + _PATIENCE
    for process in list(processes):
        process.join(max(deadline - time.monotonic(), 0.0))
        if process.is_alive():
            process.kill()


def _run_one(
    outcome: JobOutcome, main: Main, processes: set[Any], shares: dict[int, str], stopped: threading.Event
) -> None:
    """Runs a job in a process of its own: whatever happens to it, even for lack of memory, the others go on."""
    if stopped.is_set():
        return
    started = time.monotonic()
    name = Path(outcome.job.source).name
    if "://" not in outcome.job.output:
        try:
            Path(outcome.job.output).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            outcome.state, outcome.message = (
                "failed",
                f"{outcome.job.output}: its folder cannot be made ({error.strerror})",
            )
            return
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_encode, args=(main, outcome.job.words, send))
    # inherited blocked: while it loads, the job could not make a line of an interrupt
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    send.close()
    processes.add(process)
    last = ""
    for text in _lines(receive):
        last = text
        try:
            event = json.loads(text)
        except ValueError:
            continue  # a traceback
        kind = event["event"]
        if kind == "progress":
            of = f"/{event['num_frames']}" if event.get("num_frames") else ""
            shares[id(outcome)] = f"{name} {event['frames_done']:.0f}{of}"
        elif kind == "note":
            console.say("note", event["message"], source=outcome.job.source)
        elif kind in ("error", "interrupted"):
            outcome.message = event["message"].removeprefix("gvideo: ")
        elif kind == "done":
            standing = ("time", "level", "command", "event", "message", "output")
            outcome.fields = {k: v for k, v in event.items() if k not in standing}
            outcome.message = event["message"]
    process.join()
    processes.discard(process)
    shares.pop(id(outcome), None)
    outcome.seconds = time.monotonic() - started
    if process.exitcode == 0:
        outcome.state = "done"
    elif process.exitcode == 130 or stopped.is_set():
        outcome.state = "left"
    else:
        outcome.state = "failed"
        if process.exitcode is not None and process.exitcode < 0:
            outcome.message = f"its process was ended by signal {-process.exitcode}, perhaps for lack of memory"
        elif not outcome.message:
            outcome.message = last or f"exit code {process.exitcode}"


def _lines(receive: Connection) -> Iterator[str]:
    """Lines that the other end writes, until it is closed."""
    rest = ""
    while True:
        try:
            rest += receive.recv()
        except (EOFError, OSError):
            break
        *whole, rest = rest.split("\n")
        yield from whole
    if rest:
        yield rest


class _Sender:
    """What is written, sent to the process that runs the batch."""

    def __init__(self, send: Connection) -> None:
        self._send = send

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):  # nobody listens any more
            self._send.send(text)
        return len(text)

    def flush(self) -> None:
        """Everything is on its way."""

    def isatty(self) -> bool:
        return False


def _encode(main: Main, words: list[str], send: Connection) -> None:
    from gvideo.encoder.jobs.pool import end_with_parent

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stderr = _Sender(send)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        code = main([*words[:1], "--log-json", *words[1:]])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _append(path: Path, outcome: JobOutcome) -> None:
    """Notes that a job is done, on the disk before the next one is."""
    entry = {"key": outcome.key, "wall_seconds": round(outcome.seconds, 2), "fields": finite(outcome.fields)}
    entry["job"] = asdict(outcome.job)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that a crash has cut off must not spoil the next one
                    file.write(b"\n")
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror or error})") from error


def _sentence(outcome: JobOutcome) -> str:
    source, output = outcome.job.source, outcome.job.output
    if outcome.state == "done":
        return f"{source}: {outcome.message or output}"
    if outcome.state == "left":
        return f"{source}: interrupted"
    return f"{source}: failed: {outcome.message}"


def _tell(outcomes: Sequence[JobOutcome], as_json: bool) -> None:
    """The table, on standard output."""
    if as_json:
        rows = [
            {"source": o.job.source, "output": o.job.output, "state": o.state, "message": o.message,
             "wall_seconds": round(o.seconds, 2), **o.fields} for o in outcomes
        ]  # fmt: skip
        print(json.dumps(finite(rows), indent=1))
        return
    print(_LINE.format("state", "frames", "size", "bitrate", "PSNR", "time", "output"))
    for o in outcomes:
        size, rate, quality = (o.fields.get(name) for name in ("num_bytes", "bitrate_bps", "luma_psnr_db"))
        print(
            _LINE.format(
                o.state, o.fields.get("num_frames", "–"), "–" if size is None else format_bytes(size),
                "–" if rate is None else format_bitrate(rate), "–" if quality is None else f"{quality:.2f} dB",
                format_time(o.seconds) if o.seconds else "–", o.job.output,
            )
        )  # fmt: skip
    counts = {state: sum(o.state == state for o in outcomes) for state in ("done", "earlier", "failed", "left")}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
