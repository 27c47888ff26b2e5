"""What a GPU would mind, seen on any machine: waits of the host for the device, and memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

#: Operations whose result the host needs before it can go on, or that bring what it has made to the device.
WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "lift_fresh", "unique", "bincount")


class _Waits(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0].removesuffix("_")
        flat = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, Tensor)]
        if name in WAITING or (name in ("index", "index_put") and any(a.dtype == torch.bool for a in flat[1:])):
            self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


@contextmanager
def no_waits() -> Iterator[None]:
    """Fails if the host waits for the device: torch tells on a GPU, the names of operations elsewhere."""
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return
    with _Waits() as watch, pytest.MonkeyPatch.context() as patch:
        for name in ("tolist", "numpy"):  # reads of tensors in the host's memory are no operations of torch
            patch.setattr(torch.Tensor, name, lambda *_, name=name: watch.seen.append(name))
        yield
    assert watch.seen == [], watch.seen


class Operations(TorchDispatchMode):
    """names: of operations of torch that a GPU would run; views and fresh memory are none."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and "empty" not in func.__name__:
            self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Memory(TorchDispatchMode):
    """peak: most bytes of tensors made while this is entered that were alive at once. Tensors from before do not
    count, nor what an operation needs and gives back."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for old in tree_flatten((args, kwargs))[0]:
            if isinstance(old, Tensor):
                self._known.add(old.untyped_storage()._cdata)
        result = func(*args, **(kwargs or {}))
        for made in tree_flatten(result)[0]:
            if isinstance(made, Tensor):
                self._count(made)
        return result

    def _count(self, made: Tensor) -> None:
        storage = made.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
