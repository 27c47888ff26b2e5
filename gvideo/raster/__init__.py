"""Rasterising: Gaussians in, pictures and gradients out. Several backends, one signal model (reference.py).

    backend = get_backend("auto")
    frames = backend.render(splats, basis, times, Viewport(width, height))                   # f32 [F,3,H,W]
    errors, gradients = backend.loss_and_gradients(splats, basis, times, targets, indices, weights)

Backends load when they are first called: importing this package imports neither numba nor torch. GVIDEO_CHECK=1
(or check=True) reruns the reference beside every call and raises where the two differ by more than rounding.
"""

from __future__ import annotations

import os

from gvideo.errors import OptionError
from gvideo.raster.backends import LazyBackend, require_cuda
from gvideo.raster.check import CheckedBackend, MismatchError
from gvideo.raster.interface import Backend, SplatGradients, Viewport
from gvideo.raster.threads import num_threads, set_num_threads

__all__ = [
    "Backend",
    "MismatchError",
    "SplatGradients",
    "Viewport",
    "get_backend",
    "num_threads",
    "set_num_threads",
]


def __dir__() -> list[str]:
    return __all__


def get_backend(name: str = "auto", *, check: bool | None = None) -> Backend:
    """A rasteriser; nothing falls back silently.

    Args:
        name: "cpu", "cuda", "reference", or "auto" (the fastest that works here, at present cpu).
        check: compare every call with the reference; None takes it from the environment variable GVIDEO_CHECK.

    Returns:
        A Backend, with the methods render and loss_and_gradients.

    Raises:
        OptionError: the name is unknown, or the backend cannot run here.

    Example:
        >>> gvideo.raster.get_backend("cpu", check=False).name
        'cpu'
    """
    if check is None:
        check = os.environ.get("GVIDEO_CHECK", "0") not in ("", "0")
    backend: Backend
    if name in ("auto", "cpu"):
        backend = LazyBackend("cpu")
    elif name == "reference":
        return LazyBackend(name)
    elif name == "cuda":
        require_cuda()
        backend = LazyBackend(name)
    else:
        raise OptionError(f"backend '{name}' is unknown; use 'auto', 'cpu', 'cuda' or 'reference'")
    return CheckedBackend(backend) if check else backend
