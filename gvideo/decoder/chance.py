"""Random numbers as torchcodec draws them: with torch's generator where torch is loaded, so that torch.manual_seed
holds, else with Python's. torch is never loaded for it."""

from __future__ import annotations

import random
import sys


def integers(first: int, end: int, count: int) -> list[int]:
    """`count` integers of first … end - 1."""
    torch = sys.modules.get("torch")
    if torch is None:
        return [random.randrange(first, end) for _ in range(count)]
    drawn: list[int] = torch.randint(low=first, high=end, size=(count,)).tolist()
    return drawn


def shares(count: int) -> list[float]:
    """`count` numbers in [0, 1)."""
    torch = sys.modules.get("torch")
    if torch is None:
        return [random.random() for _ in range(count)]
    drawn: list[float] = torch.rand(count, dtype=torch.float64).tolist()
    return drawn
