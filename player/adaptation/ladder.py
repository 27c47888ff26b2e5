"""The ladder of a published stream for the simulator: measured bytes of every segment at every level."""

from __future__ import annotations

import numpy as np

from gvideo.errors import MediaError, OptionError
from player.adaptation.plan import Ladder
from player.adaptation.rungs import choose_rungs
from player.source.fetch import Fetcher
from player.source.record import Track
from player.source.stream import read_presentation


def read_ladder(source: str, fetcher: Fetcher, *, num_levels: int | None = None) -> Ladder:
    """The layers of a layered stream, else its rungs as a simulcast ladder; the num_levels poorest.

    Quality counts levels from 0. Raises MediaError and BitstreamError, which name the source.
    """
    if source.lower().endswith(".gsv"):
        raise MediaError(f"{source}: a published stream wanted; gvideo package makes one")
    presentation, _ = read_presentation(source, fetcher)
    rungs = choose_rungs(presentation)
    seconds, layered = rungs.seconds(), rungs.layered
    bits = rungs.bits() if layered else np.array([_sizes(t, fetcher) for t in rungs.tracks]).T
    bits = bits[:, np.argsort(bits.sum(0))]
    if num_levels is not None:
        if num_levels > bits.shape[1]:
            raise OptionError(f"--layers {num_levels}: the stream has {bits.shape[1]} levels")
        bits = bits[:, :num_levels]
    return Ladder(bits, seconds, np.arange(bits.shape[1], dtype=np.float64), layered)


def _sizes(track: Track, fetcher: Fetcher) -> list[float]:
    """Bits of every segment; the server is asked where the manifest does not tell."""
    found = []
    for segment in track.segments:
        size = segment.media.size
        if size is None:
            size = fetcher.some(segment.media.url, 0, 1).total
        if not size:
            raise MediaError(f"{segment.media.url}: the server does not tell its size")
        found.append(8.0 * size)
    return found
