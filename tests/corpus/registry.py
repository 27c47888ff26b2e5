"""The table of odd inputs, and what is to come out of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What reading must give. times: of the frames, in seconds, to half a millisecond. frames: their numbers in the
    picture (writing.level), None: not looked at. last: how long the last one lasts, in seconds. notes: patterns, one a
    note, in any order. error: pattern of the refusal, instead of all else. The rest as VideoFormat has it."""

    times: Sequence[float] = ()
    frames: Sequence[int] | None = None
    last: float | None = None
    size: tuple[int, int] = (48, 32)
    chroma_format: str = "420"
    bit_depth: int = 8
    colour: tuple[int, int, int, bool] | None = None
    rotation: int = 0
    notes: Sequence[str] = ()
    error: str = ""
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OddInput:
    """An input by its name (a pattern for pictures), what it is and what comes out, in words and as an outcome."""

    kind: str
    name: str
    what: str
    expected: str
    make: Callable[[Path], None]
    outcome: Outcome


INPUTS: list[OddInput] = []


def odd(
    kind: str, name: str, what: str, expected: str, outcome: Outcome
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Adds an input that the decorated function makes at a path."""

    def add(make: Callable[[Path], None]) -> Callable[[Path], None]:
        INPUTS.append(OddInput(kind, name, what, expected, make, outcome))
        return make

    return add


#: Where writing.transport_stream's first frame is, in seconds.
TS_START = 0.08


def steps(count: int, start: float = 0.0, step: float = 0.04) -> list[float]:
    """`count` evenly spaced times."""
    return [start + k * step for k in range(count)]
