"""Subcommands of the command line, one module each (table: gvideo/cli.py); options.py and progress.py serve all."""
