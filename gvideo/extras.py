"""Packages that the light install does not bring, and the extra of gvideo that does.

    pip install gvideo            decoding, packaging, serving, inspecting, playing in a terminal, and the API of these
    pip install 'gvideo[encode]'  and so on: EXTRAS

Code imports such a package as usual, where it needs it. Where users come in (commands, public names that load when they
are first used, arguments that ask for a package), `explained` turns the ImportError into one line that names the extra.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gvideo.errors import MissingExtraError

#: Module that is imported -> the smallest extra that brings it (pyproject.toml).
EXTRAS = {
    "torch": "encode",
    "cv2": "encode",
    "scipy": "encode",
    "threadpoolctl": "encode",
    "yaml": "encode",
    "triton": "cuda",
    "granian": "server",
    "prometheus_client": "server",
    "pygame": "play",
    "ffmpeg": "eval",
    "imageio_ffmpeg": "eval",
    "obstore": "store",
    "ray": "cluster",
}
#: Extras that contain others.
CONTAINS = {"cuda": ("encode",), "eval": ("encode",), "cluster": ("encode",)}


def missing(extra: str) -> list[str]:
    """The modules of an extra, and of those in it, that are not installed; nothing is imported."""
    wanted = (extra, *CONTAINS.get(extra, ()))
    return [module for module, name in EXTRAS.items() if name in wanted and importlib.util.find_spec(module) is None]


def require(extra: str, what: str) -> None:
    """Raises MissingExtraError if an extra is not there as a whole."""
    lacking = missing(extra)
    if lacking:
        raise MissingExtraError(f"{what}: needs {', '.join(lacking)}; pip install 'gvideo[{extra}]'")


@contextmanager
def explained(what: str, extra: str = "") -> Iterator[None]:
    """Within it, an import that fails for want of an extra is a MissingExtraError of one line.

    what: who needs the package, such as "gvideo encode". extra: the extra to install, if it is more than the smallest
    that brings the package. Other ImportErrors stay what they are.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        name = extra or EXTRAS[package]
        raise MissingExtraError(f"{what}: needs {package}; pip install 'gvideo[{name}]'") from error


def load(name: str, what: str) -> Any:
    """A module of an extra, by name. Raises MissingExtraError, which says what needs it and how to install it."""
    with explained(what):
        return importlib.import_module(name)
