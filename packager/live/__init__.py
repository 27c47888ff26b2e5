"""Publishing while the input still grows: what is on offer, what the next run needs to know, the order of the work."""

from __future__ import annotations

from packager.live.publisher import LivePublisher

__all__ = ["LivePublisher"]
