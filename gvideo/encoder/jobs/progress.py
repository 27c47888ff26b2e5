"""How far a pass over the segments is: what is done, what is being done, and what has come out."""

from __future__ import annotations

from dataclasses import dataclass, field

from gvideo.encoder.segment import SegmentResult


@dataclass
class PassProgress:
    """Accounts of a pass. stage: its name. num_frames: those that it will fit, or None if nobody knows. counts: frames
    of every segment met so far."""

    stage: str = ""
    num_frames: int | None = None
    counts: list[int] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)
    num_bytes: int = 0
    ticks: int = 0
    frames_coded: int = 0
    luma_errors: list[float] = field(default_factory=list)

    def account(self, number: int, result: SegmentResult) -> None:
        """A segment is done."""
        self.shares[number] = 1.0
        self.num_bytes += sum(len(u) for u in result.units())
        self.ticks += result.duration
        self.frames_coded += result.num_frames
        self.luma_errors.append(result.luma_error)

    def share(self, number: int, share: float) -> None:
        """A share of a segment is done."""
        self.shares[number] = min(max(self.shares.get(number, 0.0), share), 1.0)

    @property
    def frames_done(self) -> float:
        """Frames done, shares of unfinished segments among them."""
        return sum(share * self.counts[n] for n, share in self.shares.items() if n < len(self.counts))
