"""Many clients at once: ranges, slow readers and connections that hang, and whether the server's memory stays flat.

    python tests/bench/crowd.py [--clients 100 1000] [--seconds 30] [--server uvicorn granian nginx]
                                [--out docs/results/0.1.0/crowd.tsv]

Of ten clients seven ask for one range after another of a file of 1 MB and compare the bytes, two read the whole file at
20 kB/s, one sends half a request and says no more. All are one process on the same machine. A row: server, clients,
right answers a second, the 99th percentile of their seconds, wrong answers, failed connections, resident memory in MB
of all processes of the server before, after a third of the time, and at the end, seconds until it ended when told to.
nginx, which serves the same folder without gvideo, is there to compare with.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import NGINX, free_port, resident_mb, running, write_rows

NAME, NUM_BYTES, RANGE_BYTES = "segment_1MB.m4s", 1_000_000, 20_000
COLUMNS = "server\tclients\tright_per_s\tp99_s\twrong\tfailed\tbefore_MB\tthird_MB\tend_MB\tstop_s"


@dataclass
class Told:
    """What clients have seen. seconds: of every right answer."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    failed: int = 0


async def ask_ranges(port: int, data: bytes, told: Told, seed: int) -> None:
    """One range after another over one connection, each compared."""
    rng = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            start = rng.randrange(NUM_BYTES - RANGE_BYTES)
            began = time.monotonic()
            last = start + RANGE_BYTES - 1
            writer.write(f"GET /{NAME} HTTP/1.1\r\nHost: x\r\nRange: bytes={start}-{last}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            right = head.startswith(b"HTTP/1.1 206 ") and f"bytes {start}-{last}/".encode() in head
            if right and await reader.readexactly(RANGE_BYTES) == data[start : last + 1]:
                told.seconds.append(time.monotonic() - began)
            else:
                told.wrong += 1
                return
    finally:
        writer.close()


async def read_slowly(port: int, data: bytes, told: Told, seed: int) -> None:
    """The whole file, 2 kB each tenth of a second, again and again."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        try:
            writer.write(f"GET /{NAME} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            at = 0
            while part := await reader.read(2000):
                told.wrong += part != data[at : at + len(part)]
                at += len(part)
                await asyncio.sleep(0.1)
        finally:
            writer.close()


async def hang(port: int, data: bytes, told: Told, seed: int) -> None:
    """Half a request."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET /{NAME} HTTP/1.1\r\nHos".encode())
        await asyncio.sleep(3600)
    finally:
        writer.close()


CLIENTS = (*[ask_ranges] * 7, *[read_slowly] * 2, hang)


async def crowd(port: int, pid: int, data: bytes, clients: int, seconds: float) -> tuple[Told, list[float]]:
    """(what they saw, memory after a third of the time and at its end) of so many clients."""
    told = Told()

    async def one(number: int) -> None:
        try:
            await asyncio.sleep(number / clients * seconds / 10)  # not all in one moment
            await CLIENTS[number % len(CLIENTS)](port, data, told, number)
        except (OSError, asyncio.IncompleteReadError):
            told.failed += 1

    tasks = [asyncio.create_task(one(k)) for k in range(clients)]
    memory = []
    for share in (1 / 3, 2 / 3):
        await asyncio.sleep(seconds * share)
        memory.append(resident_mb(pid))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told, memory


def row(server: str, clients: int, seconds: float, folder: Path) -> str:
    """A server under so many clients."""
    data = (folder / NAME).read_bytes()
    port = free_port()
    if server == "nginx":
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, files=folder, port=port))
        command = ["nginx", "-c", str(configuration), "-e", str(folder / "error.log")]
    else:
        command = [sys.executable, "-m", "gvideo", "serve", str(folder), "--port", str(port), "--quiet"]
        command += ["--server", server]
    with running(command, port) as pid:
        before = resident_mb(pid)
        told, memory = asyncio.run(crowd(port, pid, data, clients, seconds))
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() - began < 15 and Path(f"/proc/{pid}/status").exists():
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                break
            time.sleep(0.05)
        stop = time.monotonic() - began
    p99 = sorted(told.seconds)[int(0.99 * len(told.seconds))] if told.seconds else float("nan")
    return (
        f"{server}\t{clients}\t{len(told.seconds) / seconds:.0f}\t{p99:.2f}\t{told.wrong}\t{told.failed}\t{before:.0f}"
        f"\t{memory[0]:.0f}\t{memory[1]:.0f}\t{stop:.1f}"
    )


def main() -> int:
    """Measures all and writes the table; exit code 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--server", nargs="+", default=["uvicorn", "granian"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    rows = [COLUMNS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers are another user's
        (folder / NAME).write_bytes(os.urandom(NUM_BYTES))
        for server in options.server:
            for clients in options.clients:
                rows.append(row(server, clients, options.seconds, folder))
                print(rows[-1], file=sys.stderr)
    write_rows(rows, options.out)
    return any(int(r.split("\t")[4]) for r in rows[1:])


if __name__ == "__main__":
    sys.exit(main())
