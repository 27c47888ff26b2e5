"""10 000 hours on 5000 cores: what of a cluster is the first that does not keep up, by arithmetic and by simulation.

    python tests/bench/cluster_plan.py docs/results [--hours 10000] [--cores 5000] [--size 640x360] [--rate 25]
                                                    [--frames-per-second 0.7] [--overhead 0.02]

Writes cluster_plan.tsv. --frames-per-second: of one core (README: fast at 640x360 and crf 36). --overhead: seconds that
a driver spends on handing over a segment (cluster.tsv); what reading, cutting and hashing one takes it is measured
here, on a moving texture in H.264. Drivers have a link of 10 Gbit/s and 128 GB. The simulation plays the queue of one
driver event by event: fits last between half and twice the mean, a machine of --cores-per-machine cores fails once in
--days-between-failures days and returns after ten minutes.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import av  # noqa: E402
import numpy as np  # noqa: E402

from gvideo.commands.arguments.options import parse_size  # noqa: E402
from gvideo.encoder.scenes.segmenter import segmenter_of  # noqa: E402
from gvideo.encoder.segment import SegmentJob  # noqa: E402
from gvideo.encoder.settings import EncodeSettings  # noqa: E402
from gvideo.evaluate import tables  # noqa: E402
from gvideo.media import VideoSource  # noqa: E402
from gvideo.model.steps import StepRules  # noqa: E402

LINK_BYTES = 1.25e9
#: Frames in flight of a driver with 128 GB: Ray takes 30 % of the memory for objects, we 30 % of that.
STORE_BYTES = 0.3 * 0.3 * 128e9
SEGMENT_SECONDS, REPAIR_SECONDS = 2.0, 600.0


@dataclass(frozen=True)
class Load:
    """What a segment costs. fit: seconds on a core. handing: seconds of its driver. size: bytes of its frames."""

    fit: float
    handing: float
    size: float

    def cores_of_a_driver(self) -> dict[str, float]:
        """How many cores one driver keeps busy, by what bounds it."""
        link = self.fit * LINK_BYTES / self.size
        return {"its own work": self.fit / self.handing, "its store": STORE_BYTES / self.size, "its link": link}


def write_texture(path: Path, width: int, height: int, rate: float, count: int) -> None:
    """Noise of 8 px that moves by two pixels a frame, in H.264."""
    texture = np.random.default_rng(0).integers(30, 220, (height // 8 + 1, (width + 2 * count) // 8 + 1), np.uint8)
    texture = texture.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(rate), options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for k in range(count):
            view = np.ascontiguousarray(texture[:height, 2 * k : 2 * k + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="gray8").reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def reading_seconds(width: int, height: int, rate: float) -> float:
    """Seconds that reading, cutting and hashing a segment takes, without the first, which loads what is needed."""
    ends = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texture.mp4"
        write_texture(path, width, height, rate, round(6 * SEGMENT_SECONDS * rate))
        with VideoSource(path) as video:
            for frames in segmenter_of(SEGMENT_SECONDS, video.format.timescale).segments(video.code_frames()):
                SegmentJob(tuple(frames), video.format, EncodeSettings(), 1, StepRules(60)).key()
                ends.append(time.monotonic())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def simulate(load: Load, cores: int, segments: int, per_machine: int, between_failures: float) -> tuple[float, float]:
    """(share of the cores' time spent on fits that counted, share of fits that were lost) of one driver that hands out
    segments one after the other. between_failures: seconds between failures of a machine, on average."""
    rng = np.random.default_rng(0)
    machines = [list(range(k, min(k + per_machine, cores))) for k in range(0, cores, per_machine)]
    handing = max(load.handing, load.size / LINK_BYTES)
    events: list[tuple[float, int, str, int]] = []  # (when, tie, what, core or machine)
    free, turn, down = list(range(cores)), np.zeros(cores, int), np.zeros(cores, bool)
    began = np.full(cores, -1.0)
    for machine in range(len(machines)):
        heapq.heappush(events, (rng.exponential(between_failures), len(events), "fails", machine))
    now, driver, left, under_way, tie, done, useful, lost = 0.0, 0.0, segments, 0, len(events), 0, 0.0, 0
    while done < segments:
        while free and left and driver <= now:
            core = free.pop()
            driver = max(driver, now) + handing
            left, under_way, tie = left - 1, under_way + 1, tie + 1
            turn[core] += 1
            began[core] = driver
            end = driver + load.fit * 2.0 ** rng.uniform(-1, 1)
            heapq.heappush(events, (end, tie * cores + int(turn[core]), f"ends {turn[core]}", core))
        when, _, what, which = events[0]
        if free and left and driver < when:
            now = driver
            continue
        heapq.heappop(events)
        now, tie = when, tie + 1
        if what == "fails":
            for core in machines[which]:
                down[core] = True
                if began[core] >= 0:
                    began[core], left, under_way, lost = -1.0, left + 1, under_way - 1, lost + 1
                    turn[core] += 1
            free = [core for core in free if not down[core]]
            heapq.heappush(events, (now + REPAIR_SECONDS, tie, "returns", which))
        elif what == "returns":
            down[machines[which]] = False
            free += machines[which]
            heapq.heappush(events, (now + rng.exponential(between_failures), tie, "fails", which))
        elif what == f"ends {turn[which]}":
            useful += now - began[which]
            began[which], done, under_way = -1.0, done + 1, under_way - 1
            free.append(which)
    return useful / (now * cores), lost / (segments + lost)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--hours", type=float, default=10000)
    parser.add_argument("--cores", type=int, default=5000)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rate", type=float, default=25)
    parser.add_argument("--frames-per-second", type=float, default=0.7)
    parser.add_argument("--overhead", type=float, default=0.02)
    parser.add_argument("--cores-per-machine", type=int, default=64)
    parser.add_argument("--days-between-failures", type=float, default=1)
    args = parser.parse_args()
    width, height = parse_size(args.size) or (640, 360)
    frames = args.rate * SEGMENT_SECONDS
    reading = reading_seconds(width, height, args.rate)
    load = Load(frames / args.frames_per_second, args.overhead + reading, 1.5 * width * height * frames)
    segments = 3600 * args.hours / SEGMENT_SECONDS
    days = segments * load.fit / args.cores / 86400
    table: tables.Table = [("what", "value", "unit")]
    table += [
        ("segments", f"{segments:.0f}", ""),
        ("a segment", tables.number(load.fit, 1), "s of a core"),
        ("its driver: reading, cutting, hashing", tables.number(reading, 3), "s"),
        ("its driver: handing over", tables.number(args.overhead, 3), "s"),
        ("frames of a segment", tables.number(load.size / 1e6, 1), "MB"),
        ("all of it", tables.number(segments * load.fit / 86400 / 365, 1), "core years"),
        ("at best", tables.number(days, 1), "days"),
        ("segments done by all cores", tables.number(args.cores / load.fit, 1), "1/s"),
        ("frames on the way", tables.number(args.cores / load.fit * load.size / 1e9, 2), "GB/s"),
        ("frames waiting in one driver's store", tables.number(1.25 * args.cores * load.size / 1e9, 1), "GB"),
    ]
    bounds = load.cores_of_a_driver().items()
    table += [(f"cores that one driver feeds, by {what}", f"{cores:.0f}", "") for what, cores in bounds]
    between = 86400 * args.days_between_failures
    for cores in (50, 200, 500, 1000, 5000):
        busy, lost = simulate(load, cores, 20 * cores, args.cores_per_machine, between)
        table.append(
            (f"one driver, {cores} cores, 20 segments each: share of time at work", tables.number(busy, 3), "")
        )
        table.append((f"one driver, {cores} cores: share of fits lost with machines", tables.number(lost, 5), ""))
    tables.write_tsv(args.output / "cluster_plan.tsv", table)
    print((args.output / "cluster_plan.tsv").read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
