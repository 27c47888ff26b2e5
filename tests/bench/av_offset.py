"""How far picture and sound are apart on screen and at the sound device: a clip that flashes and beeps at once, played
by `gvideo play` on a virtual screen, with SDL's device that writes what it plays into a file in real time.

    python tests/bench/av_offset.py docs/results/0.1.0        # needs Xvfb

A second process looks at the pixel in the middle of the screen and at the length of the file two thousand times a
second. The device counts as playing a block from the moment that it was written, until the next one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from packaged import package_plain, write_clip, write_flashes
from screen import HEIGHT, WIDTH, virtual_screen

RATE, BYTES_A_SAMPLE = 48000, 8
BLOCK_SECONDS = 1024 / RATE
BRIGHT, LOUD = 150, 0.2
WINDOW = (320, 240)


@dataclass(frozen=True)
class Offsets:
    """seconds: f64, for every flash how long after its beep it was on screen."""

    seconds: np.ndarray

    def line(self, name: str) -> str:
        ms = 1000 * self.seconds
        within = int((np.abs(ms) <= 40).sum())
        return f"{name}\t{len(ms)}\t{np.median(ms):.1f}\t{ms.min():.1f}\t{ms.max():.1f}\t{within}"


def measure(folder: Path, *options: str) -> Offsets:
    """Plays a published folder once. Raises RuntimeError with what it said if it fails."""
    with virtual_screen() as screen, tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound.raw"
        environment = {
            **os.environ, **screen.environment, "SDL_AUDIODRIVER": "disk", "SDL_DISKAUDIOFILE": str(sound),
        }  # fmt: skip
        environment.pop("SDL_VIDEODRIVER", None)
        size = "x".join(map(str, WINDOW))
        command = [sys.executable, "-m", "gvideo", "play", str(folder), "--leave", "--size", size, *options]
        flashes: list[float] = []
        written: list[tuple[float, int]] = []
        was_bright = True
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as player:
            while player.poll() is None:
                now = time.monotonic()
                is_bright = screen.brightness(WIDTH // 2, HEIGHT // 2) > BRIGHT
                if is_bright and not was_bright:
                    flashes.append(now)
                was_bright = is_bright
                length = os.stat(sound).st_size if sound.exists() else 0
                if length and (not written or length > written[-1][1]):
                    written.append((now, length))
                time.sleep(0.0005)
            said = player.stderr.read() if player.stderr else ""
        if player.returncode:
            raise RuntimeError(said)
        samples = np.fromfile(sound, np.float32)[::2]
    return Offsets(_offsets(flashes, written, np.flatnonzero(np.abs(samples) > LOUD)))


def _offsets(flashes: list[float], written: list[tuple[float, int]], loud: np.ndarray) -> np.ndarray:
    begins = loud[np.diff(loud, prepend=-RATE) > RATE // 4]
    ends = [length // BYTES_A_SAMPLE for _, length in written]
    beeps = []
    for sample in begins.tolist():
        block = bisect_right(ends, sample)
        beeps.append(written[block][0] + (sample - (ends[block - 1] if block else 0)) / RATE)
    found = [flash - min(beeps, key=lambda b: abs(b - flash)) for flash in flashes if beeps]
    return np.array(found)


def made(folder: Path, seconds: int) -> Path:
    """A published folder of a clip of so many seconds, with a flash and a beep in each."""
    clip = write_clip(folder / "clip.mp4", seconds)
    stream = write_flashes(folder / "clip.gsv", seconds)
    return package_plain(stream, folder / "published", "--source", str(clip))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = made(Path(scratch), 12)
        rows = [measure(folder).line(f"run {number}") for number in (1, 2, 3)]
    head = "run\tflashes\tmedian_ms\tleast_ms\tgreatest_ms\twithin_40_ms"
    out = "\n".join([head, *rows]) + "\n"
    (Path(sys.argv[1]) / "av_offset.tsv").write_text(out)
    print(out, end="")
