<<<<<<< HEAD
"""Subcommands of the command line, one module each (table: gvideo/cli.py); options.py and progress.py serve all."""
=======
"""Subcommands of `gvideo`, one module each: add_parser(subparsers) and run(args) -> exit code."""
>>>>>>> eval
