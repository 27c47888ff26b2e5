"""Reduce and the second map: what all segments share is trained from some of them, then all are coded anew.

Symbols stay as they are, so this is entropy coding only, segment by segment. A live encode trains from what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gvideo.bitstream.headers import SequenceHeader
from gvideo.encoder.sharing.codebooks import SharingPlan, train
from gvideo.encoder.sharing.start_states import CodedSample
from gvideo.entropy.segment import decode_segment, encode_segment
from gvideo.entropy.sequence import SequenceState

#: Segments and Gaussians that training looks at: more would cost memory and time, and change little.
MAX_SEGMENTS, MAX_GAUSSIANS = 64, 40_000
#: But so many segments whatever they hold: corrections that fit two may fit no other.
MIN_SEGMENTS = 8


def even_choice(num_segments: int, num_gaussians: int) -> list[int]:
    """Numbers of the segments to train from, evenly spread."""
    mean = max(num_gaussians // max(num_segments, 1), 1)
    wanted = min(num_segments, MAX_SEGMENTS, max(MAX_GAUSSIANS // mean, MIN_SEGMENTS))
    return [(2 * k + 1) * num_segments // (2 * wanted) for k in range(wanted)]


def sample_of(payloads: Sequence[bytes], header: SequenceHeader) -> CodedSample:
    """A coded segment as symbols, with the sequence as if it had no codebooks and priors."""
    found, symbols, rules, _ = decode_segment(payloads, SequenceState.of(header), header.width, header.height)
    return CodedSample(symbols, SequenceState(rules), header.width, header.height, found.num_frames)


def reduce_segments(segments: Iterable[Sequence[bytes]], header: SequenceHeader, num_segments: int) -> SharingPlan:
    """The plan of a stream. segments: payloads of an even choice among its num_segments, coded under `header`."""
    samples = [sample_of(payloads, header) for payloads in segments]
    return train(samples, num_segments / max(len(samples), 1))


def recode(payloads: Sequence[bytes], before: SequenceHeader, after: SequenceHeader, plan: SharingPlan) -> list[bytes]:
    """A segment's payloads under another header: the plan's."""
    header, symbols, rules, _ = decode_segment(payloads, SequenceState.of(before), before.width, before.height)
    plain = CodedSample(symbols, SequenceState(rules), before.width, before.height, header.num_frames)
    sequence = SequenceState.of(after).with_distortion(rules.distortion)
    return encode_segment(symbols, header, sequence, after.width, after.height, plan.choices(plain))
