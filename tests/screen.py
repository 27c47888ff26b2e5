"""A virtual screen whose pixels can be read while a program draws on it, and a sound device that is a file."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

WIDTH, HEIGHT = 800, 600


@dataclass
class Screen:
    """environment: for programs that shall draw there. Pixels: u8 [H,W,3], as they are now."""

    environment: dict[str, str]
    memory: mmap.mmap
    offset: int
    stride: int

    def pixels(self) -> np.ndarray:
        data = np.frombuffer(self.memory, np.uint8, self.stride * HEIGHT, self.offset)
        return data.reshape(HEIGHT, self.stride // 4, 4)[:, :WIDTH, 2::-1].copy()

    def brightness(self, x: int, y: int) -> int:
        return self.memory[self.offset + y * self.stride + 4 * x + 1]


def has_screen() -> bool:
    return shutil.which("Xvfb") is not None


@contextmanager
def virtual_screen() -> Iterator[Screen]:
    """Xvfb with its pixels in a file (format: X window dump)."""
    with tempfile.TemporaryDirectory() as folder:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", folder]
        with subprocess.Popen(
            command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:  # fmt: skip
            os.close(write)
            try:
                with os.fdopen(read) as pipe:
                    number = pipe.readline().strip()
                if not number:
                    pytest.skip("Xvfb does not start here")
                file = Path(folder) / "Xvfb_screen0"
                for _ in range(100):
                    if file.exists() and file.stat().st_size > 4 * WIDTH * HEIGHT:
                        break
                    time.sleep(0.02)
                with file.open("rb") as opened:
                    memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
                header = np.frombuffer(memory, ">u4", 25)
                stride = int(header[12])
                colours = 12 * int(header[19])
                yield Screen({"DISPLAY": f":{number}"}, memory, int(header[0]) + colours, stride)
            finally:
                server.terminate()
                server.wait(10)
