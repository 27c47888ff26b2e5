"""Subcommands of the command line, one module each (table: gvideo/cli.py).

arguments  what may be said on the command line     encoding  what `encode` and `batch` share
terminal   what is said back
"""
