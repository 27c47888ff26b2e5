"""Every error that a user can cause, one class each; the command line prints them as one line.

Anything else that is raised is a bug of ours and keeps its traceback. All are RuntimeErrors, as what torchcodec raises
for files that it cannot open or read.
"""

from __future__ import annotations

__all__ = [
    "BitstreamError",
    "GVideoError",
    "InvalidError",
    "MediaError",
    "MissingExtraError",
    "OptionError",
    "OutsideError",
    "TruncatedError",
    "UnsupportedError",
]


class GVideoError(RuntimeError):
    """Base of all errors with a cause outside this program (bad file, bad option, full disk)."""


class MediaError(GVideoError):
    """A source or destination file that cannot be read or written; names the file."""


class OptionError(GVideoError, ValueError):
    """An option whose value makes no sense; names the option and what would."""


class MissingExtraError(OptionError, ImportError):
    """A package that the light install leaves out; names what needs it and the extra of gvideo that brings it."""


class OutsideError(GVideoError, IndexError):
    """A number of a frame, or a time, that the stream does not have; names both."""


class BitstreamError(GVideoError):
    """A coded stream that breaks the rules of SYNTAX.md; names the field."""


class TruncatedError(BitstreamError):
    """The stream ends before the field that is named."""


class InvalidError(BitstreamError):
    """A field holds a value that the syntax forbids, or a checksum differs."""


class UnsupportedError(BitstreamError):
    """A well-formed stream of a version or profile that this decoder does not know."""
