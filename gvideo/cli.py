"""The command line. Every subcommand is a module with `add_arguments(parser)` and `run(arguments)`, named in one table.

    exit code 0: done · 1: a bug of ours (with its traceback) · 2: a bad file or option (one line) · 130: interrupted

Modules named here import nothing heavy at their top, so that `gvideo --help` is there at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from gvideo import __version__
from gvideo.errors import GVideoError

#: Subcommands in the order of the help: name -> module.
COMMANDS = {
    "encode": "gvideo.commands.encode",
    "decode": "gvideo.commands.decode",
    "info": "gvideo.commands.info",
    "package": "gvideo.commands.package",
    "serve": "gvideo.commands.serve",
    "play": "gvideo.commands.play",
    "eval": "gvideo.commands.eval",
    "study": "gvideo.commands.study",
}
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    parser = argparse.ArgumentParser(prog="gvideo", description="A video codec made of moving 2D Gaussians.")
    parser.add_argument("--version", action="version", version=f"gvideo {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        child = parsers.add_parser(name, help=summary, description=summary)
        module.add_arguments(child)
        child.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code. Errors of users are one line on stderr."""
    arguments = make_parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    # a stopped container leaves no halves either
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except GVideoError as error:
        print(f"gvideo: {_one_line(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt as interrupt:
        print(f"gvideo: interrupted{_one_line(interrupt)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BAD_INPUT
    finally:
        # a program that calls this, and its forked children, keep their own ways of ending
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
    return 0


def _joined(argv: Sequence[str]) -> list[str]:
    """`--frames -5:` as `--frames=-5:`, which argparse would take for an option of its own."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] == "--frames":
            joined[-1] = f"--frames={word}"
        else:
            joined.append(word)
    return joined


def _one_line(error: BaseException) -> str:
    # what cannot be printed would act upon a terminal; it comes from files that others wrote
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(error).split()))


if __name__ == "__main__":
    sys.exit(main())
