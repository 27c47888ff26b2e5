"""Numbered pictures: a name such as frames/%05d.png, and the files of a folder that it means.

f007.png f008.png f009.png           from the lowest number on, whatever it is,
f001.png f002.png | f004.png         to the first gap
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gvideo.errors import MediaError

_NUMBER = re.compile(r"%(?:0?\d+)?d")


@dataclass(frozen=True, slots=True)
class NumberedPictures:
    """A run of numbers without a gap. missing: the first name that is not there though `num_behind` later ones are,
    else None."""

    first: int
    count: int
    missing: str | None
    num_behind: int


def numbered_pictures(path: Path) -> NumberedPictures:
    """The pictures that a pattern means. Raises MediaError if it is no pattern of one number or means none."""
    parts = _NUMBER.split(path.name)
    if len(parts) != 2 or "%" in "".join(parts).replace("%%", "") or "%" in os.fspath(path.parent):
        raise MediaError(f"{path}: no such file, and no pattern for numbered pictures, such as {path.parent}/%05d.png")
    before, after = (re.escape(part.replace("%%", "%")) for part in parts)
    wanted = re.compile(f"{before}(\\d+){after}")
    try:
        names = os.listdir(path.parent)
    except OSError as error:
        raise MediaError(f"{path}: its folder cannot be read ({error.strerror or error})") from error
    found = (int(match.group(1)) for name in names if (match := wanted.fullmatch(name)))
    present = set(names)
    numbers = sorted({number for number in found if path.name % number in present})
    if not numbers:
        raise MediaError(f"{path}: no such file; no name in {path.parent} fits the pattern")
    count = next((k for k, number in enumerate(numbers) if number != numbers[0] + k), len(numbers))
    missing = path.name % (numbers[0] + count) if count < len(numbers) else None
    return NumberedPictures(numbers[0], count, missing, len(numbers) - count)
