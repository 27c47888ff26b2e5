"""Options of `gvideo encode` from elsewhere than the command line: a TOML file, and sets for common targets.

crf = 30                 # --crf 30
preset = "slow"          # --preset slow
fallback-crf = 28        # --fallback-crf 28; fallback_crf will do
subtitles = ["a.vtt"]    # what may be given several times is a list
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gvideo.commands.arguments.near import near
from gvideo.errors import MediaError, OptionError

#: Target -> options that it stands for. phone: little to fetch and to draw, a prefix of layers for a weak link. web: a
#: ladder of layers, segments of two seconds. archive: quality, whatever it takes. ml: short segments, each of which
#: random access parses once; nothing but the picture.
TARGETS: dict[str, dict[str, Any]] = {
    "phone": {"preset": "medium", "crf": 38.0, "layers": 4, "segment": 2.0},
    "web": {"preset": "medium", "crf": 34.0, "layers": 4, "segment": 2.0},
    "archive": {"preset": "slow", "crf": 24.0, "segment": 4.0},
    "ml": {"preset": "medium", "crf": 30.0, "segment": 1.0},
}

#: (option, the one that it replaces): each says how large the stream is.
EXCLUSIVE = (("bitrate", "crf"), ("crf", "bitrate"))


def targets_text() -> str:
    """The targets for the help."""
    return "; ".join(
        f"{name}: {' '.join(f'--{key} {_short(value)}' for key, value in options.items())}"
        for name, options in TARGETS.items()
    )


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_config(name: str, actions: Sequence[argparse.Action]) -> dict[str, Any]:
    """Values of a file by the names under which a command finds them. Raises OptionError and MediaError, which name the
    file and the key."""
    try:
        text = Path(name).read_bytes().decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"{name}: is no TOML ({error})") from error
    options = {key: action for key, action in long_options(actions).items() if key != "config"}
    return dict(_value(name, key, value, options) for key, value in found.items())


def long_options(actions: Sequence[argparse.Action]) -> dict[str, argparse.Action]:
    """Actions by the names of their long options, without dashes."""
    return {option[2:]: a for a in actions for option in a.option_strings if option.startswith("--")}


def _value(name: str, key: str, value: Any, options: Mapping[str, argparse.Action]) -> tuple[str, Any]:
    action = options.get(key.replace("_", "-"))
    if action is None:
        hint = near(key.replace("_", "-"), options) or "; gvideo encode --help lists the options"
        raise OptionError(f"{name}: {key} is no option{hint}")
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise OptionError(f"{name}: {key} is {value!r}: true or false wanted")
        return action.dest, value
    if isinstance(action, argparse._AppendAction):
        values = value if isinstance(value, list) else [value]
        return action.dest, [_scalar(name, key, one, action) for one in values]
    return action.dest, _scalar(name, key, value, action)


def _scalar(name: str, key: str, value: Any, action: argparse.Action) -> Any:
    kind = action.type or str
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OptionError(f"{name}: {key} is {value!r}: a text or a number wanted")
    try:
        converted = kind(str(value)) if callable(kind) else value
    except (ValueError, argparse.ArgumentTypeError):
        wanted = "a number" if kind is float else "a whole number" if kind is int else "another value"
        raise OptionError(f"{name}: {key} is {value!r}: {wanted} wanted") from None
    if action.choices is not None and converted not in action.choices:
        words = [str(choice) for choice in action.choices]
        raise OptionError(f"{name}: {key} is {value!r}: {', '.join(words)} wanted{near(str(value), words)}")
    return converted
