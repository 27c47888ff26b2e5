"""The version of the installed package, which setuptools-scm took from the tags of git when it was built."""

from __future__ import annotations

import importlib.metadata

try:
    __version__ = importlib.metadata.version("gvideo")
except importlib.metadata.PackageNotFoundError:  # a folder of sources that was never installed
    __version__ = "0+unknown"
