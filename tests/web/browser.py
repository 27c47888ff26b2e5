"""Pages in headless Chromium, driven through driver.mjs."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import gvideo

HERE = Path(__file__).parent
NODE_VERSION = 20
#: Code values by which a picture may differ from the Python decoder's.
TOLERANCE = 2

#: Gives the pixels on the canvas of window.player as text: width, height and base64 of R'G'B'A.
_SNAPSHOT = """
const { width, height, data } = player.snapshot();
let text = "";
for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
return [width, height, btoa(text)];
"""


def missing() -> str | None:
    """Why pages cannot be tested here, or None."""
    if shutil.which("node") is None:
        return "needs Node.js"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE_VERSION:
        return f"needs Node.js {NODE_VERSION}, playwright-core does; this is {version.strip()}"
    if find_chromium() is None:
        return "needs Chromium (apt-get install chromium)"
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        return "needs playwright-core (npm ci in tests/web)"
    return None


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One Chromium for many pages."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "driver.mjs"), str(find_chromium())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "the driver ended"}')
        assert "error" not in answer, answer["error"]
        return answer

    def open(self, url: str, **options: Any) -> Page:
        return Page(self, self.ask(op="open", url=url, **options)["value"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Page:
    """One page. Complaints of its scripts and requests to other hosts fail the test when it is closed.

    streams: the beginning of addresses of another host that it may fetch all the same.
    """

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser, self._number = browser, number
        self.streams: tuple[str, ...] = ()

    def evaluate(self, script: str) -> Any:
        """The value of an async function's body."""
        return self._ask(op="evaluate", script=script).get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until an expression is true in the page."""
        milliseconds = int(1000 * seconds)
        done = self.evaluate(
            f"const end = performance.now() + {milliseconds};"
            f"while (!({condition})) {{ if (performance.now() > end) return false;"
            "await new Promise((r) => setTimeout(r, 20)); } return true;"
        )
        assert done, f"never true: {condition}"

    def snapshot(self) -> np.ndarray:
        """What the canvas of window.player shows, u8 [H,W,3]."""
        width, height, text = self.evaluate(_SNAPSHOT)
        pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
        assert (pixels[..., 3] == 255).all()
        return pixels[..., :3]

    def assert_shows(self, expected: np.ndarray) -> None:
        """Fails unless the canvas shows the frame u8 [3,H,W] up to what float32 on a graphics card may differ."""
        difference = np.abs(self.snapshot().astype(int) - expected.transpose(1, 2, 0))
        assert difference.max() <= TOLERANCE, f"{difference.max()} at most, {difference.mean():.3f} on average"

    def assert_shows_layers(self, data: bytes) -> None:
        """Fails unless the player shows frames of a stream of two layers with one and with both of them."""
        for layers in (1, 2):
            self.evaluate(f"player.quality = {layers - 1};")
            with gvideo.VideoDecoder(data, layers=layers) as decoder:
                for number in (40, 0, 74):
                    self.evaluate(f"await player.seekFrame({number});")
                    self.wait(f"player.statistics.quality === {layers - 1}")
                    self.assert_shows(decoder[number])

    def listen(self) -> None:
        """From now on the page notes which captions are `heard`, and by how much sound and picture are `apart`, s."""
        self.evaluate("""
            player.captionTrack = player.captionTracks[0];
            window.heard = new Set(); window.apart = 0;
            player.addEventListener("timeupdate", () => {
              heard.add(player.caption);
              const { paused, currentTime } = player.element;
              if (!paused) apart = Math.max(apart, Math.abs(currentTime - player.currentTime));
            });
        """)

    def press(self, key: str) -> None:
        self._ask(op="press", key=key)

    def screenshot(self, path: Path) -> None:
        self._ask(op="screenshot", path=str(path))

    def close(self) -> None:
        last = self._ask(op="evaluate", script="return null;")
        self._ask(op="close")
        assert last["complaints"] == []
        assert [address for address in last["external"] if not address.startswith(self.streams)] == []

    def _ask(self, **request: Any) -> dict[str, Any]:
        return self._browser.ask(page=self._number, **request)
