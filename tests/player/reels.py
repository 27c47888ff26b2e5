"""Published streams opened for a test, and waiting for what their threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from player.presentation.stream_reel import StreamReel, open_reel
from player.source.fetch import Fetcher


def opened(source: str, **options: Any) -> StreamReel:
    """A stream from a fetcher that tries again at once."""
    reel = open_reel(source, Fetcher(backoff_seconds=0.01), **options)
    assert isinstance(reel, StreamReel)
    return reel


def until(what: Callable[[], object], seconds: float) -> None:
    """Fails unless something becomes true in time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)
