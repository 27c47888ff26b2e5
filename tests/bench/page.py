"""Speed of the page in headless Chromium: entropy decoding in the worker, and drawing with Gaussians added up by WebGL2
and by the processor in turn; prints a TSV.

    python tests/bench/page.py STREAM.gsv… [--repeats 5]

Draws every frame of the first segment of each stream at its own size, each frame waited for (readback of one pixel),
and decodes the segment in the worker. Medians. The device is the one that Chromium names; without a graphics card it is
SwiftShader, on the processor.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "web"))

from browser import Browser, missing  # noqa: E402
from server import WebServer  # noqa: E402

COLUMNS = (
    "size", "frames", "gaussians", "bytes", "decode_first_ms", "decode_ms", "graphics_ms", "processor_ms", "times",
    "processor_frames_per_s",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if reason := missing():
        print(reason, file=sys.stderr)
        return 2
    folders = {str(k): stream.resolve().parent for k, stream in enumerate(arguments.streams)}
    server = WebServer({"player": ROOT / "player" / "web", "tests": ROOT / "tests" / "web", **folders})
    browser = Browser()
    lines = []
    for k, stream in enumerate(arguments.streams):
        page = browser.open(f"{server.url}/tests/bench.html")
        page.wait("window.measure")
        m = page.evaluate(f'return await measure("/{k}/{stream.name}", {arguments.repeats});')
        page.close()
        if not lines:
            lines = [f"# {m['device']}; {os.cpu_count()} threads, load {os.getloadavg()[0]:.1f}", "\t".join(COLUMNS)]
        values = [f"{m['width']}x{m['height']}", m["frames"], m["gaussians"], m["bytes"]]
        values += [f"{m[name]:.1f}" for name in ("decodeFirst", "decode", "graphics", "processor")]
        values += [f"{m['graphics'] / m['processor']:.2f}", f"{1000 / m['processor']:.1f}"]
        lines.append("\t".join(map(str, values)))
    browser.close()
    server.close()
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
