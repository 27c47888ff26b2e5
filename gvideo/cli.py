"""The command line. Every subcommand is a module with `add_arguments(parser)` and `run(arguments)`, named in one table.

    exit code 0: done · 1: a bug of ours (with its traceback) · 2: a bad file or option (one line) · 130: interrupted

Modules named here import nothing heavy at their top, so that `gvideo --help` is there at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from gvideo import __version__
from gvideo.commands.arguments.parser import Parser
from gvideo.commands.terminal.console import console
from gvideo.errors import GVideoError
from gvideo.extras import explained, require

#: Subcommands in the order of the help: name -> module.
COMMANDS = {
    "encode": "gvideo.commands.encode",
    "batch": "gvideo.commands.batch",
    "decode": "gvideo.commands.decode",
    "info": "gvideo.commands.info",
    "inspect": "gvideo.commands.inspect",
    "package": "gvideo.commands.package",
    "serve": "gvideo.commands.serve",
    "play": "gvideo.commands.play",
    "eval": "gvideo.commands.eval",
    "study": "gvideo.commands.study",
    "doctor": "gvideo.commands.doctor",
    "completion": "gvideo.commands.completion",
}
#: The extra without which a command can do nothing; what others need of an extra, they say where they need it.
EXTRA_OF = {"encode": "encode", "batch": "encode", "eval": "eval", "study": "eval"}
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


def make_parser() -> Parser:
    """The parser of all subcommands."""
    parser = Parser(prog="gvideo", description="A video codec made of moving 2D Gaussians.")
    parser.add_argument("--version", action="version", version=f"gvideo {__version__}")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        child = parsers.add_parser(name, help=summary, description=summary)
        module.add_arguments(child)
        group = child.add_argument_group("messages")
        how_much = group.add_mutually_exclusive_group()
        how_much.add_argument("-v", "--verbose", action="store_true", help="say more, and where an error comes from")
        how_much.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
        group.add_argument("--log-json", action="store_true", help="messages on stderr as a JSON object a line")
        child.set_defaults(run=module.run, parser=parser, main=main)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code. Errors of users are one line on stderr."""
    console.set()
    # a stopped container leaves no halves either
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments = make_parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
        console.set(arguments.command, arguments.verbose - arguments.quiet, arguments.log_json)
        started = time.monotonic()
        console.say("start", f"gvideo {__version__}: {arguments.command}", options=_plain(vars(arguments)))
        if arguments.command in EXTRA_OF:
            require(EXTRA_OF[arguments.command], f"gvideo {arguments.command}")
        with explained(f"gvideo {arguments.command}"):
            arguments.run(arguments)
        sys.stdout.flush()
        console.say("detail", f"gvideo: {arguments.command} took {time.monotonic() - started:.2f} s")
    except GVideoError as error:
        console.say("error", f"gvideo: {_one_line(error)}", kind=type(error).__name__)
        if console.verbosity > 0:
            console.say("detail", "".join(traceback.format_exception(error)).rstrip())
        return EXIT_BAD_INPUT
    except KeyboardInterrupt as interrupt:
        console.say("interrupted", f"gvideo: interrupted{_one_line(interrupt)}")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; Python would complain once more when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BAD_INPUT
    finally:
        # a program that calls this, and its forked children, keep their own ways of ending
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
    return 0


def _plain(options: dict[str, object]) -> dict[str, object]:
    """The options that say something."""
    return {k: v for k, v in options.items() if k not in ("run", "parser", "main") and v not in (None, False, "", [])}


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
