"""print a script that completes commands, options and files in a shell"""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "fish")
#: Metavars that stand for files, and for folders.
_FILES = ("FILE", "IN", "OUT", "CLIP", "IN.gsv", "SOURCE", "FILE[:LANG]")
_FOLDERS = ("DIR", "DIR|URL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `gvideo completion`."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        metavar="SHELL",
        help='bash, zsh or fish: eval "$(gvideo completion bash)" in ~/.bashrc, '
        "gvideo completion fish > ~/.config/fish/completions/gvideo.fish",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints the script for all commands."""
    print(script(arguments.parser, arguments.shell))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a parser, whose words for files and folders are completed as such."""
    import shtab

    _mark_files(parser, shtab)
    return str(shtab.complete(parser, shell))


def _mark_files(parser: argparse.ArgumentParser, shtab: object) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                _mark_files(child, shtab)
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
