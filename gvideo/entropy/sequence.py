"""What a sequence header says to the coding of its segments: step rules, codebooks, start states."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gvideo.bitstream.headers import SequenceHeader
from gvideo.entropy import coder, priors
from gvideo.model.codebooks import Codebooks, parse_codebooks
from gvideo.model.steps import StepRules


@dataclass(frozen=True, slots=True)
class SequenceState:
    """rules: the sequence's; each segment replaces their distortion. start: states that every segment begins with, not
    to be written to."""

    rules: StepRules
    codebooks: Codebooks = field(default_factory=Codebooks.none)
    start: priors.States = field(default_factory=priors.start_states)

    @classmethod
    def of(cls, h: SequenceHeader) -> SequenceState:
        """The state that a header describes. Raises BitstreamError for a bad codebook or prior."""
        corrected = priors.corrected(priors.start_states(), priors.parse_corrections(h.priors))
        return cls(rules_of(h), parse_codebooks(h.codebooks), corrected)

    def with_distortion(self, distortion: int) -> SequenceState:
        """The same with the rules of a segment."""
        return replace(self, rules=self.rules.with_distortion(distortion))

    def states(self) -> priors.States:
        """The states that a segment begins with, to be used up by its coders: (probability u16 [C,2], seen u8 [C])."""
        return coder.begin(*self.start)


def rules_of(h: SequenceHeader) -> StepRules:
    """Step rules of a sequence, without the distortion, which each segment sets."""
    r = h.rules
    return StepRules(0, r.position, r.angle, r.centre, r.chroma, r.residual, r.trajectory)
