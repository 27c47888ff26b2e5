"""The ffmpeg program that measures and encodes the anchors: the one imageio-ffmpeg ships, driven by ffmpeg-python."""

from __future__ import annotations

import functools
import subprocess
from typing import Any

import ffmpeg
import imageio_ffmpeg

from gvideo.errors import GVideoError


class FFmpegError(GVideoError):
    """ffmpeg did not do what it was asked; the message is its last line that says why."""


@functools.cache
def executable() -> str:
    """Path of the program."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def version() -> str:
    """Version and build as the program states it, on one line."""
    return _output("-version").splitlines()[0].split(" Copyright")[0].removeprefix("ffmpeg version ")


@functools.cache
def encoders() -> frozenset[str]:
    """Names of all encoders in this build."""
    lines = _output("-encoders").split("------", 1)[-1].splitlines()
    return frozenset(line.split()[1] for line in lines if len(line.split()) > 1)


@functools.cache
def filters() -> frozenset[str]:
    """Names of all filters in this build."""
    return frozenset(line.split()[1] for line in _output("-filters").splitlines() if len(line.split()) > 2)


def run(stream: Any) -> str:
    """Runs a graph of ffmpeg-python and returns what it printed on stderr. Raises FFmpegError."""
    try:
        _, printed = ffmpeg.run(
            stream.global_args("-hide_banner", "-nostdin"), cmd=executable(), quiet=True, overwrite_output=True
        )
    except ffmpeg.Error as error:
        raise FFmpegError(_reason(error.stderr)) from error
    return str(printed.decode("utf-8", "replace"))


def _output(option: str) -> str:
    done = subprocess.run([executable(), "-hide_banner", option], capture_output=True, text=True, check=False)
    return done.stdout


def _reason(printed: bytes) -> str:
    """The first line that names an error, or else the last line."""
    lines = [line.strip() for line in printed.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "invalid" in line.lower()]
    return "ffmpeg: " + ((telling or lines or ["no reason given"])[0 if telling else -1])
