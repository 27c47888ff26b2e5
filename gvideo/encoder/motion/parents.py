"""Which trajectory each one is predicted from: what shakes with the camera says so once.

rest ── 1 ──┬── 2        A trajectory's steps from control point to control point are coded as differences to
            └── 3 ── 4   those of its parent, which stands before it. The tree of the fewest bits is a minimum
                         spanning tree (R. C. Prim, 1957).
"""

from __future__ import annotations

import numpy as np

from gvideo.types import Float32, Float64, Int64

#: Bits of a component that is as predicted.
ZERO_BITS = 0.15


def step_bits(steps: Float64) -> Float64:
    """Bits of differences, about: of [..., K, 2, 3] or [..., K, 6], summed over all but the first axes."""
    bits: Float64 = ZERO_BITS + 2 * np.log2(1 + np.abs(steps))
    return bits


def choose_parents(control: Int64) -> tuple[Int64, Int64]:
    """(order i64 [n], parents i64 [n]) of trajectories i64 [n,K,6], rest left out: the m-th to be coded is order[m],
    and follows the parents[m]-th of those before it, counted from 1; 0 is rest."""
    count = len(control)
    steps = np.diff(control, axis=1, prepend=0).astype(np.float64)
    order, parents = np.zeros(count, np.int64), np.zeros(count, np.int64)
    best = step_bits(steps).sum((1, 2))  # from rest
    parent = np.zeros(count, np.int64)
    open_ = np.ones(count, bool)
    for m in range(count):
        chosen = int(np.where(open_, best, np.inf).argmin())
        order[m], parents[m], open_[chosen] = chosen, parent[chosen], False
        bits = step_bits(steps - steps[chosen]).sum((1, 2))
        closer = open_ & (bits < best)
        best[closer], parent[closer] = bits[closer], m + 1
    return order, parents


def difference_matrix(parents: Int64) -> Float32:
    """What makes differences to their parents i64 [M] of trajectories: f32 [M,M]. The first is at rest: nothing is
    taken from those it predicts, and it has no difference."""
    matrix = np.eye(len(parents), dtype=np.float32)
    matrix[np.arange(len(parents)), parents] -= 1
    matrix[0], matrix[:, 0] = 0, 0
    return matrix
