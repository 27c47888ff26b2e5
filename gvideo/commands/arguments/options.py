"""Values of options: sizes, ranges of frames, rates. A value that makes no sense is an OptionError that says so."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from gvideo.commands.terminal.console import console
from gvideo.errors import MediaError, OptionError

MAX_SIDE = 16384
#: A rate must fit the timescales of all containers.
MAX_RATE, MAX_RATE_TERM = 1000, 1 << 24
#: More bits a second than any stream.
MAX_BITS = 1e12
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "m": 1e6}


def parse_size(text: str | None) -> tuple[int, int] | None:
    """(width, height) of "WxH" in px, None of None."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(s.isascii() and s.isdigit() for s in sides):
        raise OptionError(f"--size {text}: WIDTHxHEIGHT wanted, such as 640x360")
    width, height = (int(s) for s in sides)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise OptionError(f"--size {text}: each side must be from 1 to {MAX_SIDE} pixels")
    return width, height


def parse_frames(text: str | None) -> slice:
    """The half-open range of "A:B"; either may be missing, a negative one counts from the end. "N" is ":N"."""
    if text is None:
        return slice(None)
    parts = text.split(":") if ":" in text else ["", text]
    try:
        if len(parts) != 2:
            raise ValueError
        first, stop = (int(part) if part.strip() else None for part in parts)
        if ":" not in text and (stop is None or stop < 1):
            raise ValueError
    except ValueError:
        raise OptionError(
            f"--frames {text}: A:B wanted, such as 0:100, 50: or :10 (B is not included), or 10 for the first 10"
        ) from None
    return slice(first, stop)


def frame_bounds(text: str | None) -> tuple[int, int | None]:
    """The first and the last (included) frame of a source's "A:B" or "N"."""
    frames = parse_frames(text)
    first, stop = frames.start or 0, frames.stop
    if first < 0 or (stop is not None and stop < 0):
        raise OptionError(f"--frames {text}: counted from the start only, so no negative numbers")
    if stop is not None and stop <= first:
        raise OptionError(f"--frames {text}: holds no frame; B must be above A")
    return first, None if stop is None else stop - 1


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that read whole sources."""
    parser.add_argument(
        "--stream", type=int, metavar="N", help="the file's stream N, as ffmpeg counts (default: as ffmpeg chooses)"
    )
    parser.add_argument("--strict", action="store_true", help="refuse a source of which frames are missing or damaged")


def tell_notes(source: object, notes: Iterable[str]) -> None:
    """Says on stderr what was unusual about a source, a line each."""
    for note in notes:
        console.say("note", f"gvideo: {source}: {note}", source=str(source))


def parse_rate(text: str | None) -> Fraction | None:
    """Frames per second of "25", "29.97" or "24000/1001", None of None."""
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise OptionError(f"--fps {text}: a number or a fraction wanted, such as 25 or 24000/1001") from None
    if not 0 < rate <= MAX_RATE or max(rate.numerator, rate.denominator) > MAX_RATE_TERM:
        raise OptionError(f"--fps {text}: above 0 and at most {MAX_RATE} wanted")
    return rate


def parse_bits(name: str, text: str | None) -> float | None:
    """Bits, or bits a second, of "300k", "1.2M" or "300000", None of None."""
    if text is None:
        return None
    digits, factor = (text[:-1], _FACTORS[text[-1:]]) if text[-1:] in _FACTORS else (text, 1.0)
    try:
        value = float(digits) * factor
    except ValueError:
        value = math.nan
    if not 0 < value <= MAX_BITS:
        raise OptionError(f"--{name} {text}: a number of bits above 0 wanted, such as 300k or 1.2M")
    return value


def check_destination(name: str, source: str) -> None:
    """Raises MediaError for a destination that cannot become a file, before any work is done."""
    path = Path(name)
    if not path.parent.is_dir():
        raise MediaError(f"{name}: its folder does not exist; make it first")
    if path.is_dir():
        raise MediaError(f"{name}: is a folder; give a file name in it")
    if path.exists() and not path.is_file():
        raise MediaError(f"{name}: is a device or a pipe; give the name of a file")
    if path.exists() and os.path.exists(source) and path.samefile(source):
        raise MediaError(f"{name}: is the source itself; give another name")
