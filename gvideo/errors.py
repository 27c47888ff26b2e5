"""Every error that a user can cause, one class each; the command line prints them as one line.

Anything else that is raised is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class GVideoError(Exception):
    """Base of all errors with a cause outside this program (bad file, bad option, full disk)."""


class MediaError(GVideoError):
    """A source or destination file that cannot be read or written; names the file."""


class OptionError(GVideoError, ValueError):
    """An option whose value makes no sense; names the option and what would."""


class BitstreamError(GVideoError):
    """A coded stream that breaks the rules of SYNTAX.md; names the field."""


class TruncatedError(BitstreamError):
    """The stream ends before the field that is named."""


class InvalidError(BitstreamError):
    """A field holds a value that the syntax forbids, or a checksum differs."""


class UnsupportedError(BitstreamError):
    """A well-formed stream of a version or profile that this decoder does not know."""
