"""Trains gvideo/entropy/priors.bin, the start states of the contexts, from streams of training clips.

    python tests/bench/train_priors.py STREAM.gsv … [-o gvideo/entropy/priors.bin]

Streams must be made of clips outside the benchmark set; they may have been coded with any priors. Two passes: one
lets the adaptive states settle over all segments, a second averages each context's state over the segments that use
it, weighted by how often they do. Prints the bits per Gaussian from flat states, and from states trained on all
*other* clips (names up to the first underscore), which is what a new clip can expect.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from gvideo.decoder.stream import Stream
from gvideo.entropy import coder, contexts, priors, segment
from gvideo.entropy.attributes import ATTRIBUTES
from gvideo.entropy.sequence import SequenceState
from gvideo.model.steps import StepRules
from gvideo.model.symbols import SegmentSymbols

Sample = tuple[SegmentSymbols, StepRules, int, int, int]
MEASURED_AGE = 10
WEIGHT_LIMIT = 40


def samples_of(path: Path) -> list[Sample]:
    stream = Stream(path)
    found = []
    for number, place in enumerate(stream.segments):
        decoded = stream.decode_segment(number)
        found.append((decoded.symbols, decoded.rules, stream.header.width, stream.header.height, place.num_frames))
    return found


def count(sample: Sample, states: priors.States) -> np.ndarray:
    symbols, rules, *rest = sample
    return segment.visit(coder.COUNT, symbols, SequenceState(rules), *rest, states=states)[1]


def train(samples: list[Sample]) -> priors.States:
    states = contexts.flat_states()
    for sample in samples:
        count(sample, states)
    total, weight = np.zeros(contexts.NUM_CONTEXTS), np.zeros(contexts.NUM_CONTEXTS)
    for sample in samples:
        probability, seen = states[0].copy(), np.full(contexts.NUM_CONTEXTS, MEASURED_AGE, np.uint8)
        count(sample, (probability, seen))
        used = np.minimum(seen.astype(float) - MEASURED_AGE, WEIGHT_LIMIT)
        total += probability * used
        weight += used
    mean = np.where(weight > 0, total / np.maximum(weight, 1), states[0])
    return mean.clip(32, 65504).astype(np.uint16), np.minimum(states[1], priors.AGE_LIMIT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    clips: dict[str, list[Sample]] = defaultdict(list)
    for path in args.streams:
        clips[path.name.split("_")[0]] += samples_of(path)
    everything = [s for group in clips.values() for s in group]
    gaussians = sum(len(s[0].table) for s in everything)
    flat = sum(count(s, contexts.flat_states()) for s in everything)
    held_out = np.zeros(len(ATTRIBUTES))
    for name, group in clips.items():
        probability, seen = train([s for other, g in clips.items() if other != name for s in g])
        for sample in group:
            held_out += count(sample, (probability.copy(), seen.copy()))
    print(f"{gaussians} Gaussians of {len(clips)} clips; bits per Gaussian from flat and from other clips' states:")
    for name, a, b in zip(ATTRIBUTES, flat / gaussians, held_out / gaussians, strict=True):
        print(f"  {name:12s} {a:6.2f} {b:6.2f}")
    print(f"  {'all':12s} {flat.sum() / gaussians:6.2f} {held_out.sum() / gaussians:6.2f}")
    if args.output:
        args.output.write_bytes(priors.format_states(train(everything)))


if __name__ == "__main__":
    main()
