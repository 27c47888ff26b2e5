"""How long a decoder takes to show its first frame, and how much memory 720p takes. Run by hand; prints a table.

    python tests/bench/start.py

Every figure is the best of a few fresh processes with warm kernel caches.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

START = """
import time; t = [time.perf_counter()]
import gvideo; gvideo.VideoDecoder; t.append(time.perf_counter())
assert "torch" not in __import__("sys").modules and "numba" not in __import__("sys").modules
d = gvideo.VideoDecoder({path!r}); t.append(time.perf_counter())
d[0]; t.append(time.perf_counter())
d[1]; t.append(time.perf_counter())
print(*(b - a for a, b in zip(t, t[1:])), t[3] - t[0])
"""
IMPORTS = "import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
MEMORY = """
import sys, time
sys.path.insert(0, {tests!r})
from memory import peak_megabytes
import gvideo
d = gvideo.VideoDecoder({path!r})
started = time.perf_counter()
{work}
print(time.perf_counter() - started, peak_megabytes())
"""
WORK = {
    "iterate over RGB": "n = sum(1 for _ in d)",
    "decode to .y4m": "from gvideo.cli import main; main(['decode', {path!r}, '-o', {path!r} + '.y4m'])",
}


def best(code: str, repeats: int = 5) -> list[float]:
    """The fastest of some fresh processes, by the last figure."""
    runs = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        runs.append([float(x) for x in done.stdout.split()])
    return min(runs, key=lambda r: r[-1])


def main() -> None:
    """Prints the tables."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from streams import make_stream

    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.gsv", Path(folder) / "large.gsv"
        small.write_bytes(make_stream(count=100).data)
        options = {"width": 1280, "height": 720, "num_frames": 50, "num_segments": 2, "num_control": 7}
        large.write_bytes(make_stream(count=5000, largest_octave=6, **options).data)
        best(START.format(path=str(small)), 1)  # fills the caches
        for name in ("numpy", "cv2", "numba"):
            print(f"import {name:22} {best(IMPORTS.format(name=name))[0]:7.3f} s")
        names = ("import gvideo.VideoDecoder", "open", "first frame", "next frame", "start to first frame")
        for name, seconds in zip(names, best(START.format(path=str(small))), strict=True):
            print(f"{name:29} {seconds:7.3f} s")
        for name, work in WORK.items():
            options = {"path": str(large), "tests": str(Path(__file__).parent.parent)}
            code = MEMORY.format(**options, work=work.format(path=str(large)))
            seconds, megabytes = best(code, 1)
            print(f"720p, 5000 Gaussians, 100 frames: {name:18} {seconds:6.2f} s {megabytes:6.0f} MB at most")


if __name__ == "__main__":
    main()
