"""The parser of the command line: argparse that names the nearest word for one that it does not know, and that takes
options from a file or a target where the command line does not give them.

    command line  >  --config FILE  >  --preset-for TARGET  >  defaults
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from gvideo.commands.arguments.config import EXCLUSIVE, TARGETS, read_config
from gvideo.commands.arguments.near import near


class Parser(argparse.ArgumentParser):
    """A parser whose errors suggest the near word."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse's, but for words that are left over."""
        found, left = self.parse_known_args(args, namespace)
        if left:
            options = self._options_of(getattr(found, "command", None))
            hints = [near(word.split("=")[0], options) for word in left if word.startswith("-")]
            self.error(f"unrecognized arguments: {' '.join(left)}{next(filter(None, hints), '')}")
        return found

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse's; a parser with --config takes what is not given from elsewhere."""
        if "--config" not in self._option_string_actions:
            return super().parse_known_args(args, namespace)
        words = list(args or ())
        actions = [a for a in self._actions if a.dest != "help"]
        defaults, required = {a.dest: a.default for a in actions}, [a for a in actions if a.required]
        try:
            for action in actions:
                action.default = argparse.SUPPRESS
                if any(w.split("=")[0] == "--config" for w in words):
                    action.required = action.required and not action.option_strings
            found, left = super().parse_known_args(words, namespace)
        finally:
            for action in actions:
                action.default, action.required = defaults[action.dest], action in required
        given = vars(found)
        config = read_config(given["config"], actions) if "config" in given else {}
        target = TARGETS.get(given.get("preset_for", config.get("preset_for")), {})
        rest = {**self._defaults, **defaults, **target, **config}
        for wins, loses in EXCLUSIVE:
            if wins in given or (wins in config and loses not in config):
                rest[loses] = None
        for name, value in rest.items():
            if name not in given:
                setattr(found, name, value)
        missing = ["/".join(a.option_strings) for a in required if getattr(found, a.dest, None) is None]
        if missing:
            self.error(f"the following arguments are required: {', '.join(missing)}")
        return found, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        words = [str(choice) for choice in action.choices]
        raise argparse.ArgumentError(
            action, f"invalid choice: {value!r} (choose from {', '.join(words)}){near(str(value), words)}"
        )

    def _options_of(self, command: str | None) -> list[str]:
        """Long options of this parser, or of a command."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and command in action.choices:
                child: Parser = action.choices[command]
                return child._options_of(None)
        return [o for o in self._option_string_actions if o.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """As argparse's: usage, one line, exit code 2."""
        super().error(message)
