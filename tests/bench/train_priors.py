"""Trains gvideo/entropy/priors.bin, the start states of the contexts, from streams of training clips.

    python tests/bench/train_priors.py STREAM.gsv … [-o gvideo/entropy/priors.bin]

Streams must be made of clips outside the benchmark sets; they may have been coded with any priors. Each context gets
the probability and the count from which its bits in all training segments cost least: a context that is alike in all
clips ends with a high count, one that differs with a low one. Prints the bits per Gaussian from flat states, from the
shipped ones, and from states trained on all *other* clips (names up to the first underscore), which is what a new clip
can expect.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from gvideo.decoder.stream import Stream
from gvideo.encoder.sharing.start_states import CodedSample, Events, price_from, record
from gvideo.entropy import coder, contexts, priors, segment
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.jit import exact_kernel
from gvideo.entropy.sequence import SequenceState
from gvideo.types import Int64

#: Counts that a start state may have, and steps of log odds around the mean of its bits.
COUNTS = np.array([0, 1, 2, 4, 7, 10, 14, 20, 28, 40, 56], np.int64)
STEPS = np.array([-1.2, -0.8, -0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5, 0.8, 1.2])
#: Bits of either value that every context is taken to have seen besides.
SMOOTHING = 0.4
#: Fewer bits than this say no more than their mean.
FEW_BITS = 12


def samples_of(path: Path) -> list[CodedSample]:
    stream = Stream(path)
    found = []
    for number, place in enumerate(stream.segments):
        decoded = stream.decode_segment(number)
        size = (stream.header.width, stream.header.height)
        found.append(CodedSample(decoded.symbols, SequenceState(decoded.rules), *size, place.num_frames))
    return found


def count(sample: CodedSample, states: priors.States) -> np.ndarray:
    """Bits f64 [attributes] of a segment from start states."""
    where = (sample.symbols, sample.sequence, sample.width, sample.height, sample.num_frames)
    return segment.visit(coder.COUNT, *where, states=states)[1]


@exact_kernel
def _cheapest(bit, first, counts, steps, probability, seen):  # type: ignore[no-untyped-def]
    for c in range(len(probability)):
        low, high = first[c], first[c + 1]
        if low == high:
            continue
        zeros = 0
        for k in range(low, high):
            zeros += 1 - (bit[k] & 1)
        share = (zeros + SMOOTHING) / (high - low + 2 * SMOOTHING)
        odds = np.log(share / (1 - share))
        least = np.inf
        for step in steps:
            if step != 0 and high - low < FEW_BITS:
                continue
            p = min(max(int(65536 / (1 + np.exp(-odds - step))), 32), 65504)
            for n in counts:
                if 2 * n > high - low:
                    break
                cost = price_from(bit, low, high, p, n)
                if cost < least:
                    least, probability[c], seen[c] = cost, p, n


def train(samples: list[CodedSample]) -> priors.States:
    """The start states from which the samples cost least; flat ones where none of them uses a context."""
    nothing: list[Int64] = [np.zeros((len(s.symbols.table), 3), np.int64) for s in samples]
    events: Events = record(samples, nothing)
    probability, seen = (a.astype(np.int64) for a in contexts.flat_states())
    _cheapest(events.bit, events.first, COUNTS, STEPS, probability, seen)
    return probability.astype(np.uint16), seen.astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    clips: dict[str, list[CodedSample]] = defaultdict(list)
    for path in args.streams:
        clips[path.name.split("_")[0]] += samples_of(path)
    report(clips)
    if args.output:
        args.output.write_bytes(priors.format_states(train([s for group in clips.values() for s in group])))


def report(clips: dict[str, list[CodedSample]]) -> None:
    """Prints what the clips' segments cost from different start states."""
    everything = [s for group in clips.values() for s in group]
    gaussians = sum(len(s.symbols.table) for s in everything)
    flat = sum(count(s, contexts.flat_states()) for s in everything) / gaussians
    shipped = sum(count(s, priors.start_states()) for s in everything) / gaussians
    held_out = np.zeros(len(ATTRIBUTES))
    for name, group in clips.items():
        states = train([s for other, g in clips.items() if other != name for s in g])
        held_out += sum(count(sample, states) for sample in group) / gaussians
    print(f"{gaussians} Gaussians of {len(clips)} clips; bits per Gaussian from flat, shipped, other clips' states:")
    for name, *bits in zip((*ATTRIBUTES, "all"), *([*b, b.sum()] for b in (flat, shipped, held_out)), strict=True):
        print(f"  {name:12s} {bits[0]:6.2f} {bits[1]:6.2f} {bits[2]:6.2f}")


if __name__ == "__main__":
    main()
