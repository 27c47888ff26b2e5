"""Live for as long as one likes: an encoder reads a pipe, a server publishes, players join, leave and start again.

    python tests/bench/soak.py [--minutes 60] [--players 6] [--every 60] [--seed 0] [--out docs/results/0.1.0/soak.tsv]

    moving stripes in real time ──pipe──► gvideo encode --live --window 12 ──► folder ──► gvideo serve ──► players

Each player joins at the live edge, shows every frame at its time, and leaves after 2 to 40 s, half of them to start
again at once; every fifth breaks off a request. All players are threads of this process. A row every so many
seconds: seconds so far; resident memory in MB of encoder, server and players; files in the folder; segments published
so far; seconds from the time of day that the newest segment's end claims to now, below 0 where pictures waited in the
pipe while the encoder started; joins, frames shown and errors so far. Exit code 1 if a player met an error, times went
back, or a process died.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
import m3u8
import numpy as np
from serving import ROOT, free_port, resident_mb, running, write_rows

sys.path.insert(0, str(ROOT))

from gvideo.errors import GVideoError
from player.presentation import playback
from player.presentation.stream_reel import open_reel
from player.source.fetch import Fetcher

SIZE, RATE, WINDOW_SECONDS, SEGMENT_SECONDS = (64, 48), 10, 12, 2
COLUMNS = "s\tencoder_MB\tserver_MB\tplayers_MB\tfiles\tsegments\tbehind_s\tjoins\tframes\terrors"
#: How long a player stays, s.
STAYS = (2.0, 40.0)


@dataclass
class Seen:
    """What players have seen, all together. errors: each sentence and how often."""

    joins: int = 0
    frames: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _LeaveError(Exception):
    """A player has seen enough."""


def write_pictures(pipe: int, stop: threading.Event) -> None:
    """Matroska of moving stripes in real time, until told to stop."""
    with contextlib.suppress(OSError), open(pipe, "wb", buffering=0) as file, av.open(file, "w", "matroska") as out:
        out.flags |= 0x200  # every packet at once, not when a buffer is full
        stream = out.add_stream("mpeg4", rate=RATE, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        columns = np.arange(SIZE[0])
        began = time.monotonic()
        number = 0
        while not stop.wait(max(0.0, began + number / RATE - time.monotonic())):
            wave = 128 + 90 * np.sin((columns + number) / 6)
            picture = np.broadcast_to(wave[None, :, None], (SIZE[1], SIZE[0], 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
            number += 1
        out.mux(stream.encode(None))


def watch(url: str, seen: Seen, stop: threading.Event, seed: int) -> None:
    """Joins and leaves until told to stop."""
    rng = random.Random(seed)
    while not stop.is_set():
        try:
            join(url, seen, stop, rng)
        except GVideoError as error:
            with seen.lock:
                sentence = re.sub(r"\d+", "#", str(error))
                if sentence not in seen.errors:
                    print(error, file=sys.stderr, flush=True)
                seen.errors[sentence] += 1
        if rng.random() < 0.5:  # else it starts again at once
            stop.wait(rng.uniform(0.5, 10.0))


def join(url: str, seen: Seen, stop: threading.Event, rng: random.Random) -> None:
    """One stay."""
    end = time.monotonic() + rng.uniform(*STAYS)
    last = -1.0

    def screen(picture: np.ndarray, seconds: float) -> None:
        nonlocal last
        with seen.lock:
            seen.frames += 1
            if seconds <= last:
                seen.errors["times go back"] += 1
        last = seconds
        if stop.is_set() or time.monotonic() > end:
            raise _LeaveError

    with seen.lock:
        seen.joins += 1
    reel = open_reel(url, Fetcher())
    try:
        playback.play(reel, screen, size=(16, 12))
    except _LeaveError:
        pass
    finally:
        reel.close()
        if rng.random() < 0.2:
            break_off(url)


def break_off(url: str) -> None:
    """A request whose client is gone before the answer has come, as of a player that is killed."""
    parts = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((parts.hostname, parts.port), 10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no farewell
        connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


@contextlib.contextmanager
def encoder(folder: Path, stop: threading.Event) -> Iterator[int]:
    """The live encode, fed in real time; gives its process id."""
    ours, theirs = os.pipe()
    command = [
        sys.executable, "-m", "gvideo", "encode", "-", "-o", f"{folder}/", "--live", "--window", str(WINDOW_SECONDS),
        "--segment", str(SEGMENT_SECONDS), "--preset", "veryfast", "--device", "cpu", "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdin=ours, env=environment)
    os.close(ours)
    writer = threading.Thread(target=write_pictures, args=(theirs, stop))
    writer.start()
    try:
        yield child.pid
    finally:
        stop.set()
        writer.join()
        code = wait_while_it_publishes(child, folder)
        if code != 0:
            raise SystemExit(f"the encoder ended with {code}")


def wait_while_it_publishes(child: subprocess.Popen[bytes], folder: Path) -> int | None:
    """Exit code of an encoder whose pipe was closed, which may have pictures of many minutes left. None if two minutes
    brought nothing: it was killed then."""
    before = None
    while (count := published(folder)[0]) != before:
        before = count
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(120)
    child.kill()
    child.wait()
    return None


def published(folder: Path) -> tuple[int, float]:
    """(segments so far, seconds from the end of the newest one to now)."""
    playlist = m3u8.load(str(folder / "v0.m3u8"))
    newest = playlist.segments[-1]
    end = newest.current_program_date_time.timestamp() + newest.duration
    return playlist.media_sequence + len(playlist.segments) - 1, time.time() - end


def soak(seconds: float, players: int, every: float, seed: int, rows: list[str], seen: Seen) -> None:
    """So many seconds; rows and what players have seen are there also if it ends early."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "live"
        with encoder(folder, stop) as encoding:
            while not (folder / "master.m3u8").exists():
                os.kill(encoding, 0)
                time.sleep(0.2)
            port = free_port()
            command = [sys.executable, "-m", "gvideo", "serve", str(folder), "--port", str(port), "--quiet"]
            with running(command, port) as serving:
                url = f"http://127.0.0.1:{port}/"
                threads = [
                    threading.Thread(
                        target=watch, args=(url + ("master.m3u8", "manifest.mpd")[k % 2], seen, stop, seed + k)
                    )
                    for k in range(players)
                ]
                for thread in threads:
                    thread.start()
                began = last = time.monotonic()
                try:
                    while last < began + seconds:
                        time.sleep(max(0.0, min(last + every, began + seconds) - time.monotonic()))
                        last = time.monotonic()
                        count, behind = published(folder)
                        files = sum(1 for p in folder.rglob("*") if p.is_file())
                        sizes = "\t".join(f"{resident_mb(pid):.0f}" for pid in (encoding, serving, os.getpid()))
                        if "\t0\t" in f"\t{sizes}\t":
                            raise SystemExit("a process died")
                        rows.append(
                            f"{last - began:.0f}\t{sizes}\t{files}\t{count}\t{behind:.1f}\t{seen.joins}\t{seen.frames}"
                            f"\t{sum(seen.errors.values())}"
                        )
                        print(rows[-1], file=sys.stderr, flush=True)
                finally:
                    stop.set()
                    for thread in threads:
                        thread.join()


def main() -> int:
    """Runs it and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--players", type=int, default=6)
    parser.add_argument("--every", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # encoder and server end with it
    rows, seen = [COLUMNS], Seen()
    try:
        soak(60 * options.minutes, options.players, options.every, options.seed, rows, seen)
    finally:
        write_rows(rows, options.out)
        for text, count in seen.errors.most_common():
            print(f"{count} times: {text}", file=sys.stderr)
    return bool(seen.errors)


if __name__ == "__main__":
    sys.exit(main())
