"""Keys and what they do, apart from any window."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Do(Enum):
    """What a viewer can ask for."""

    PAUSE = auto()
    SEEK = auto()
    STEP = auto()
    LEVEL = auto()
    ZOOM = auto()
    WHOLE = auto()
    SLOWER = auto()
    FASTER = auto()
    STATISTICS = auto()
    HELP = auto()
    CAPTIONS = auto()
    MUTE = auto()
    FULLSCREEN = auto()
    START = auto()
    END = auto()
    LEAVE = auto()


@dataclass(frozen=True, slots=True)
class Action:
    """amount: seconds of SEEK, frames of STEP, the factor of ZOOM, the best level of LEVEL counted from 1 (0: any)."""

    do: Do
    amount: float = 0.0


ZOOM_STEP = 1.25
_BY_TEXT = {
    " ": Action(Do.PAUSE),
    ".": Action(Do.STEP, 1),
    ",": Action(Do.STEP, -1),
    "+": Action(Do.ZOOM, ZOOM_STEP),
    "=": Action(Do.ZOOM, ZOOM_STEP),
    "-": Action(Do.ZOOM, 1 / ZOOM_STEP),
    "[": Action(Do.SLOWER),
    "]": Action(Do.FASTER),
    "z": Action(Do.WHOLE),
    "s": Action(Do.STATISTICS),
    "h": Action(Do.HELP),
    "?": Action(Do.HELP),
    "c": Action(Do.CAPTIONS),
    "m": Action(Do.MUTE),
    "f": Action(Do.FULLSCREEN),
    "q": Action(Do.LEAVE),
    **{str(n): Action(Do.LEVEL, n) for n in range(9)},
}
_BY_NAME = {
    "left": Action(Do.SEEK, -5),
    "right": Action(Do.SEEK, 5),
    "up": Action(Do.SEEK, 30),
    "down": Action(Do.SEEK, -30),
    "home": Action(Do.START),
    "end": Action(Do.END),
    "f1": Action(Do.HELP),
    "f11": Action(Do.FULLSCREEN),
    "escape": Action(Do.LEAVE),
}
HELP = (
    ("space", "pause, go on"),
    ("left right", "5 s back, on"),
    ("down up", "30 s back, on"),
    (", .", "a frame back, on"),
    ("[ ]", "slower, faster"),
    ("1 … 8, 0", "so many layers, all"),
    ("+ - wheel", "zoom"),
    ("drag, z", "move, the whole picture"),
    ("c, m", "subtitles, sound"),
    ("s, h", "statistics, this help"),
    ("f, q", "full screen, leave"),
)


def action_of(name: str, text: str) -> Action | None:
    """The action of a key. text: what it types, whatever the keyboard's layout; name: used where it types nothing."""
    return _BY_TEXT.get(text.lower()) or _BY_NAME.get(name)
