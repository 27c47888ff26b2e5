"""Room for the pairs of Gaussians and tiles of a training step, without waiting for the device to count them.

    measure        steps of a window                      confirm
    ───┬──────────────┬─────┬─────┬── … ──┬──────────────────┬───────────────────────────
       │ waits once   │ no wait: capacity of the pairs       │ waits once; more room and
       ▼              ▼     ▼     ▼       ▼                  ▼ the window again, if one step
    capacity       notes its pairs on the device          most pairs      had too many

A step of too many pairs gives wrong gradients, and so do those after it. None of that is kept: the window is repeated
from the state before it. A step that fits gives the same bits at any capacity, so capacities leave no trace.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Capacity over the most pairs that were seen, and the bounds between which it is left alone. In fits of the sample at
#: fast and medium no window of 25 steps needed more than 1.09 times the pairs of its first step.
_HEADROOM, _LEAST, _MOST = 1.25, 1.15, 2.0
#: Capacities are multiples of this many pairs, so that memory of the same size is asked for again and again.
_GRAIN = 4096


class PairCapacity:
    """A capacity that follows the pairs of the steps so far."""

    def __init__(self, device: torch.device) -> None:
        #: Pairs that memory is kept for; None before anything was measured.
        self.capacity: int | None = None
        self._num_gaussians = 0
        #: Most pairs of a step, on the device, and the least capacity of one.
        self._seen = torch.zeros((), dtype=torch.int64, device=device)
        self._least: int | None = None

    def capacity_of(self, num_gaussians: int) -> int | None:
        """Capacity for a step of that many Gaussians; None where they are more than ever measured: count the pairs,
        and tell measure()."""
        return self.capacity if num_gaussians <= self._num_gaussians else None

    def measure(self, num_gaussians: int, pairs: Tensor) -> None:
        """Takes the pairs i64 [] of a step that counted them. Waits for the device."""
        self._num_gaussians = num_gaussians
        self.capacity = max(self.capacity or 0, _roomy(int(pairs)))

    def note(self, pairs: Tensor, capacity: int) -> None:
        """Remembers the pairs i64 [] of a step that ran at a capacity. Does not wait."""
        torch.maximum(self._seen, pairs, out=self._seen)
        self._least = capacity if self._least is None else min(self._least, capacity)

    def confirm(self) -> bool:
        """Whether every step noted since the last call had room, even the one of the most pairs at the least capacity;
        follows what they needed. Waits for the device."""
        most, least = int(self._seen), self._least
        self._seen.zero_()
        self._least = None
        if self.capacity is not None and most and not _LEAST * most <= self.capacity <= _MOST * _roomy(most):
            self.capacity = _roomy(most)
        return least is None or most <= least


def _roomy(pairs: int) -> int:
    return (int(pairs * _HEADROOM) // _GRAIN + 1) * _GRAIN
