"""Public names of a package that are loaded when they are first used, and the list of them for `dir` and editors.

__getattr__, __dir__ = attach(__name__, {"VideoDecoder": "gvideo.decoder.video_decoder", "errors": ""})
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from gvideo.extras import explained


def attach(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`.

    places: each public name and the module that holds it; "" for a submodule of the package. An unknown name is an
    AttributeError with the name that is nearest to it; one whose packages are not installed is a MissingExtraError.
    """

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        with explained(f"{package}.{name}"):
            if not places[name]:
                return importlib.import_module(f"{package}.{name}")
            return getattr(importlib.import_module(places[name]), name)

    def names() -> list[str]:
        return sorted(places)

    return load, names
