"""One line on the terminal that says how far a command is. Nothing is shown where stderr is no terminal; with
--log-json an event a second."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterable
from types import TracebackType

from gvideo.commands.terminal.console import console

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_EVENTS = 1.0
_BAR_CELLS = 20


class ProgressLine:
    """A line that is written over again and again; leaving the context wipes it."""

    def __init__(self) -> None:
        self._shown = console.verbosity >= 0 and not console.as_json and sys.stderr.isatty()
        self._next = 0.0
        self._started = time.monotonic()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def wipe(self) -> None:
        """Makes place for a message; the next time there is something to show, it is shown at once."""
        self._next = 0.0
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, done: float, total: int | None, *notes: str) -> None:
        """`done` of `total` frames (None: unknown), then whatever else there is to say."""
        now = time.monotonic()
        if now < self._next or not (self._shown or console.as_json):
            return
        if console.as_json:
            self._next = now + _SECONDS_BETWEEN_EVENTS
            console.say("progress", " · ".join(notes), frames_done=round(done, 2), num_frames=total)
            return
        self._write(progress_text(done, total, now - self._started, notes))

    def show_parts(self, *parts: str) -> None:
        """Something else than frames, for people alone."""
        if self._shown and time.monotonic() >= self._next:
            self._write(parts)

    def _write(self, parts: Iterable[str]) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN
        text = " · ".join(parts)
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
        sys.stderr.flush()


def progress_text(done: float, total: int | None, elapsed_s: float, notes: tuple[str, ...] = ()) -> list[str]:
    """Parts of the line: bar and frames, speed, the notes, time left."""
    parts = []
    if total:
        share = min(done / total, 1.0)
        parts.append(f"{'#' * round(_BAR_CELLS * share):.<{_BAR_CELLS}} {done:.0f}/{total} frames")
    else:
        parts.append(f"{done:.0f} frames")
    speed = done / elapsed_s if elapsed_s > 0 else 0.0
    if speed > 0:
        parts.append(f"{speed:.3g} frames/s")
    parts += notes
    if total and speed > 0:
        parts.append(f"{format_time((total - done) / speed)} left")
    return parts


def format_time(seconds: float) -> str:
    """h:mm:ss or m:ss."""
    whole = max(0, math.ceil(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def format_bytes(count: float) -> str:
    """A count of bytes with a decimal prefix."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} GB"


def format_bitrate(bits_per_second: float) -> str:
    """A bitrate in kbit/s or Mbit/s."""
    kilo = bits_per_second / 1000
    return f"{kilo:.4g} kbit/s" if kilo < 10000 else f"{kilo / 1000:.4g} Mbit/s"
