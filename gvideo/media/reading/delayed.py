"""Colour of frames that a decoder holds back.

    header says nothing | I B B P | header says full range | I B B P
                              ^ comes out here, and libavcodec fills in what it lacks from the newest header

What a frame left unspecified when its packet was decoded is unspecified again here, so that a change of range or matrix
begins with the frame that it belongs to.
"""

from __future__ import annotations

import av
import av.packet
import av.video.codeccontext
import av.video.stream

#: Field -> its value for "unspecified".
_FIELDS = {"color_range": 0, "colorspace": 2, "color_primaries": 2, "color_trc": 2}
#: No decoder holds back so many frames.
_MOST_HELD = 64


class DelayedColour:
    """Remembers the colour that headers stated at each packet. One object per pass."""

    def __init__(self, context: av.video.codeccontext.VideoCodecContext) -> None:
        self._context = context
        self._stated: dict[int, dict[str, int]] = {}

    def note(self, packet: av.packet.Packet[av.video.stream.VideoStream]) -> None:
        """Takes note of a packet that has just been decoded."""
        if packet.pts is not None:
            self._stated[packet.pts] = self._now()
            if len(self._stated) > _MOST_HELD:
                del self._stated[next(iter(self._stated))]

    def restore(self, frame: av.VideoFrame) -> None:
        """Takes back what a frame got from a later header than its own."""
        stated = self._stated.pop(frame.pts, None) if frame.pts is not None else None
        if stated is None:
            return
        for field, now in self._now().items():
            if stated[field] == _FIELDS[field] != now == getattr(frame, field):
                setattr(frame, field, _FIELDS[field])

    def _now(self) -> dict[str, int]:
        return {field: int(getattr(self._context, field)) for field in _FIELDS}
