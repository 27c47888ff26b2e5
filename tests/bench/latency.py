"""How long after its capture a picture of a live stream is published, and shown by the Python player and the page.

    python tests/bench/latency.py docs/results/0.1.0 [--seconds 40] [--segments 0.5 1 2 2/0.5] [--fit]

Pictures of 64x48 are written to the pipe of `gvideo encode --live` in real time, 25 a second, from when it has opened
the pipe; `gvideo serve` serves the folder; a player follows the playlist, another the manifest, and where Chromium and
`npm ci` of tests/web are there the page follows the playlist. 2/0.5 are segments of 2 s in parts of 0.5 s. Pictures
have exact times, so what is shown tells when it was captured. Players begin 10 s after the first publication. Without
--fit segments are fitted in no time, so that what is left is what cutting, publishing and playing take. Rows of the
same segments and parts in latency.tsv are replaced.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import m3u8
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "web"), str(HERE.parents[1])]

from browser import Browser, missing  # noqa: E402
from packaged import QUICK_PROGRAM, ROOT, serve  # noqa: E402

from player.presentation import playback  # noqa: E402
from player.presentation.stream_reel import open_reel  # noqa: E402
from player.source.fetch import Fetcher  # noqa: E402

RATE, SIZE = 25, (64, 48)
_SETTLED_SECONDS = 10.0
COLUMNS = ("segment_s", "part_s", "what", "count", "least_s", "median_s", "most_s")


def capture(path: Path, seconds: float, began: list[float]) -> None:
    """Writes a moving picture in real time; began gets the time of day of the first one."""
    noise = np.random.default_rng(0)
    with path.open("wb", buffering=0) as pipe, av.open(pipe, "w", format="mpegts") as out:
        stream = out.add_stream("mpeg2video", rate=RATE, bit_rate=2_000_000)
        stream.width, stream.height, stream.pix_fmt, stream.max_b_frames = *SIZE, "yuv420p", 0
        y, x = np.mgrid[: SIZE[1], : SIZE[0]]
        began.append(time.monotonic())
        for k in range(round(RATE * seconds)):
            time.sleep(max(0.0, began[0] + k / RATE - time.monotonic()))
            blob = np.exp(-((x - 32 - 20 * np.sin(k / 20)) ** 2 + (y - 24) ** 2) / 60)
            blob = blob + noise.uniform(0, 0.4, blob.shape)
            frame = av.VideoFrame.from_ndarray((60 + 150 * blob).astype(np.uint8), format="gray").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def watch(url: str, began: list[float], latencies: list[float]) -> None:
    """Plays to the end, and notes how old each picture is."""
    reel = open_reel(url, Fetcher())
    playback.play(reel, lambda _, at: latencies.append(time.monotonic() - began[0] - at))
    reel.close()


#: Notes the time of day and of the stream at every picture that the page draws.
_NOTES = """
window.noted = [];
const canvas = Object.assign(document.createElement("canvas"), { style: "width: 64px; height: 48px" });
document.body.prepend(canvas);
const { GVideoPlayer } = await import("/gvideo-player.js");
window.watched = new GVideoPlayer(canvas, "/master.m3u8", { autoplay: true });
watched.addEventListener("timeupdate", () => noted.push([Date.now(), watched.currentTime]));
"""


def watch_page(url: str, settled: float, began: list[float], is_over: threading.Event, latencies: list[float]) -> None:
    """Plays in the page, once settled, and notes how old each picture is."""
    browser = Browser()
    try:
        page = browser.open(f"{url}/index.html")
        time.sleep(max(0.0, settled - time.monotonic()))
        page.evaluate(_NOTES)
        off = time.time() - time.monotonic()
        while not is_over.wait(1.0):
            noted = page.evaluate("return noted.splice(0);")
            latencies += [at / 1000 - off - began[0] - shown for at, shown in noted]
    finally:
        browser.close()


def measure(segment: float, part: float | None, seconds: float, folder: Path, *, fit: bool) -> list[tuple[object, ...]]:
    """Rows of a run."""
    pipe = folder.with_suffix(".pipe")
    os.mkfifo(pipe)
    program = ["-m", "gvideo"] if fit else ["-c", QUICK_PROGRAM]
    command = [sys.executable, *program, "encode", str(pipe), "-o", f"{folder}/", "--live"]
    command += ["--segment", str(segment), "--preset", "veryfast"] + ([] if part is None else ["--part", str(part)])
    began: list[float] = []
    published: dict[int, tuple[float, float]] = {}
    shown: dict[str, list[float]] = {"shown, HLS": [], "shown, DASH": []}
    in_page: list[float] = []
    is_over = threading.Event()
    with subprocess.Popen(command, cwd=ROOT) as child:
        writer = threading.Thread(target=capture, args=(pipe, seconds, began))
        writer.start()
        while not (folder / "master.m3u8").exists():
            time.sleep(0.02)
        for url in serve(folder, "--quiet"):
            players: list[threading.Thread] = []
            settled = time.monotonic() + _SETTLED_SECONDS
            browser = threading.Thread(target=watch_page, args=(url, settled, began, is_over, in_page))
            if missing() is None:
                browser.start()
            while child.poll() is None:
                at, now = 0.0, time.monotonic() - began[0]
                for n, length in enumerate(lengths(folder, part)):
                    published.setdefault(n, (now - at, now - at - length))
                    at += length
                if not players and time.monotonic() > settled:
                    names = zip(("master.m3u8", "manifest.mpd"), shown.values(), strict=True)
                    players = [threading.Thread(target=watch, args=(f"{url}/{n}", began, into)) for n, into in names]
                    for player in players:
                        player.start()
                time.sleep(0.02)
            is_over.set()
            for player in [*players, browser]:
                if player.ident is not None:
                    player.join()
    late = [ages for n, ages in sorted(published.items()) if n][1:]
    found = {
        "published, of its first picture": [a for a, _ in late],
        "published, of its last picture": [b for _, b in late],
        **shown,
        "shown by the page, HLS": in_page,
    }
    return [
        (
            segment,
            "-" if part is None else part,
            what,
            len(ages),
            *(f"{f(ages):.2f}" for f in (min, statistics.median, max)),
        )
        for what, ages in found.items()
        if ages
    ]


def lengths(folder: Path, part: float | None) -> list[float]:
    """Seconds of what the playlist names: of parts, as many as its segments are known to have, and segments."""
    listed = m3u8.load(f"{folder}/v0.m3u8").segments
    if part is None:
        return [s.duration for s in listed]
    found: list[float] = []
    for each in listed:
        count = max(1, round(each.duration / part)) if each.duration else 0
        found += [p.duration for p in each.parts] or [each.duration / count] * count
    return found


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--segments", nargs="+", default=["0.5", "1", "2", "2/0.5"])
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    table = arguments.folder / "latency.tsv"
    known = table.read_text().splitlines()[1:] if table.exists() else []
    for each in arguments.segments:
        segment, _, part = each.partition("/")
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "live"
            rows = measure(float(segment), float(part) if part else None, arguments.seconds, place, fit=arguments.fit)
        lines = ["\t".join(map(str, row)) for row in rows]
        print("\n".join(lines), flush=True)
        known = [line for line in known if line.split("\t")[:2] != lines[0].split("\t")[:2]] + lines
    table.write_text("\n".join(["\t".join(COLUMNS), *known]) + "\n")


if __name__ == "__main__":
    main()
