"""What viewers of a live stream in parts (LL-HLS) cost the server while they wait for the next part.

    python tests/bench/waiting.py [--viewers 1 200] [--seconds 20] [--part 0.5] [--code DIR] [--label NAME]
                                  [--out FILE]

A playlist of parts grows in real time; every viewer asks for the part that comes next and is held, over a
connection of its own, all in one process. A row: label, viewers, seconds of a part, right answers, wrong ones, seconds
of processor that the server took in a second, median and 99th percentile of the milliseconds from publication to the
end of the answer. --code: a checkout whose server is measured, to compare versions; --out: the row is added there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from serving import ROOT, free_port

PARTS = 4
#: Segments that the playlist has, as that of a stream with a window of two minutes.
SEGMENTS = 60
COLUMNS = "server\tviewers\tpart_s\tright\twrong\tcpu_share\tmedian_ms\tp99_ms"


@dataclass
class Told:
    """What viewers have seen. delays: s from publication to the end of the answer."""

    delays: list[float] = field(default_factory=list)
    wrong: int = 0


def playlist(count: int) -> str:
    """As it stands when so many parts have been published behind the first segments."""
    whole, parts = divmod(count, PARTS)
    lines = [
        "#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,PART-HOLD-BACK=1.500",
        "#EXT-X-PART-INF:PART-TARGET=0.500", f"#EXT-X-MEDIA-SEQUENCE:{1 + whole}", '#EXT-X-MAP:URI="v0/init.mp4"',
    ]  # fmt: skip
    for number in range(1 + whole, 1 + whole + SEGMENTS):
        lines += ["#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000Z", "#EXTINF:2.000000,", f"v0/seg_{number}.m4s"]
    lines += [
        f'#EXT-X-PART:DURATION=0.500000,URI="v0/part_{whole * PARTS + n}.m4s",INDEPENDENT=YES' for n in range(parts)
    ]
    return "\n".join(lines) + "\n"


async def view(port: int, published: list[float], told: Told) -> None:
    """Asks for one part after another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            wanted = len(published)
            whole, part = divmod(wanted, PARTS)
            query = f"_HLS_msn={1 + whole + SEGMENTS}&_HLS_part={part}&_HLS_skip=YES"
            writer.write(f"GET /v0.m3u8?{query} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            await reader.readexactly(size)
            if not head.startswith(b"http/1.1 200") or len(published) <= wanted:
                told.wrong += 1
                return
            told.delays.append(time.monotonic() - published[wanted])
    finally:
        writer.close()


async def publish(folder: Path, part: float, seconds: float, published: list[float]) -> None:
    """Parts in real time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        await asyncio.sleep(max(0.0, began + part * (len(published) + 1) - time.monotonic()))
        put(folder, len(published) + 1)
        published.append(time.monotonic())


def put(folder: Path, count: int) -> None:
    """The playlist, all at once."""
    (folder / "next").write_text(playlist(count))
    (folder / "next").replace(folder / "v0.m3u8")


async def watch(port: int, folder: Path, viewers: int, part: float, seconds: float) -> Told:
    """All viewers while the stream grows."""
    told, published = Told(), list[float]()
    tasks = [asyncio.create_task(view(port, published, told)) for _ in range(viewers)]
    await publish(folder, part, seconds, published)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told


def cpu_seconds(pid: int) -> float:
    """Seconds of processor that a process and its children have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_seconds(int(child)) for child in children)


def measure(code: Path, viewers: int, part: float, seconds: float) -> tuple[Told, float]:
    """What viewers were told, and the server's seconds of processor a second."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        put(folder, 0)
        command = [sys.executable, "-m", "gvideo", "serve", str(folder), "--port", str(port), "--quiet"]
        environment = {**os.environ, "PYTHONPATH": str(code)}
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as child:
            try:
                for _ in range(1200):
                    try:
                        asyncio.run(_touch(port))
                        break
                    except OSError:
                        time.sleep(0.1)
                before, began = cpu_seconds(child.pid), time.monotonic()
                told = asyncio.run(watch(port, folder, viewers, part, seconds))
                return told, (cpu_seconds(child.pid) - before) / (time.monotonic() - began)
            finally:
                child.terminate()
                child.wait(15)


async def _touch(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def main() -> int:
    """Measures and adds rows to the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 200])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--part", type=float, default=0.5, help="seconds")
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--label", default="this version")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rows = []
    for viewers in options.viewers:
        told, share = measure(options.code.resolve(), viewers, options.part, options.seconds)
        delays = sorted(told.delays) or [0.0]
        p99 = delays[int(0.99 * (len(delays) - 1))]
        rows.append(
            f"{options.label}\t{viewers}\t{options.part:g}\t{len(told.delays)}\t{told.wrong}\t{share:.3f}\t"
            f"{1000 * statistics.median(delays):.0f}\t{1000 * p99:.0f}"
        )
        print(rows[-1], flush=True)
    if options.out:
        known = options.out.read_text().splitlines() if options.out.exists() else [COLUMNS]
        options.out.write_text("\n".join([*known, *rows]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
