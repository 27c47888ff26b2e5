"""Pieces of live segments that are not offered by themselves any more: cut out of their whole segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from player.source.record import Resource, Segment


class Cutter:
    """Cuts pieces out of whole segments, of which the last is kept for the pieces beside it. read: the bytes of a
    resource."""

    def __init__(self, read: Callable[[Resource], bytes]) -> None:
        self._read = read
        self._whole: tuple[Resource, bytes] | None = None

    def cut(self, segment: Segment, place: Resource, places: Callable[[bytes], Sequence[tuple[int, int]]]) -> bytes:
        """A piece. place: of the whole segment; places: (offset, bytes) of the coded segments in its bytes. Raises
        MediaError, and InvalidError if the piece is not in it."""
        if self._whole is None or self._whole[0] != place:
            self._whole = place, self._read(place)
        data = self._whole[1]
        found = segment.chosen(places(data))
        return data[found[0][0] : sum(found[-1])]
