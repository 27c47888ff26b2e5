"""What codebooks and priors of a sequence are worth, in bytes of whole streams.

    python tests/bench/codebooks.py STREAM.gsv …
    GVIDEO_CLIPS=FOLDER python tests/bench/codebooks.py        encodes clips of the folder first, small and fast

Prints TSV: per stream and group the bytes with scalar coding and with codebooks of several sizes, without and with
priors, header included; then the way that the encoder chooses.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from gvideo import encode
from gvideo.bitstream import headers
from gvideo.decoder.stream import Stream
from gvideo.encoder.sharing import codebooks
from gvideo.encoder.sharing.recode import recode, sample_of
from gvideo.encoder.sharing.start_states import CodedSample
from gvideo.model.codebooks import GROUPS

CLIPS = ("juggle_720p24.mp4", "road_540p25.mp4", "bbb_540p60.mp4")


def payloads_of(stream: Stream) -> list[list[bytes]]:
    return [[stream.payload(u) for u in stream.segment_units(n)] for n in range(len(stream.segments))]


def measure(path: Path) -> None:
    stream = Stream(path)
    payloads = payloads_of(stream)
    samples: list[CodedSample] = [sample_of(p, stream.header) for p in payloads]
    scalar = [codebooks.scalar_bits(s) for s in samples]

    def show(group: str, kind: str, size: int, trial: codebooks.Trial) -> None:
        plain = codebooks.evaluate(samples, scalar, trial.plan, with_priors=False)
        corrections = len(trial.plan.corrections.entries)
        fields = (path.name, len(samples), group, kind, size, f"{plain.bits / 8:.0f}", f"{trial.bits / 8:.0f}")
        print(*fields, corrections, sep="\t", flush=True)

    none = codebooks.evaluate(samples, scalar, codebooks.SharingPlan())
    show("all", "scalar", 0, none)
    for number, group in enumerate(GROUPS):
        for trial in codebooks.trials(samples, scalar, codebooks.SharingPlan(), number):
            book = trial.plan.codebooks.groups[number]
            show(group, "index + residual" if book.residual else "index", len(book.entries), trial)
    plan = codebooks.train(samples)
    chosen = [g for g, book in zip(GROUPS, plan.codebooks.groups, strict=True) if len(book.entries)]
    show("+".join(chosen) or "none", "chosen", 0, codebooks.evaluate(samples, scalar, plan))
    plain = codebooks.SharingPlan().header(stream.header)
    after = plan.header(plain)
    written = len(headers.format_sequence(after)) - len(headers.format_sequence(plain))
    for p in payloads:
        written += sum(map(len, recode(p, stream.header, after, plan)))
    before = sum(len(q) for p in payloads for q in recode(p, stream.header, plain, codebooks.SharingPlan()))
    print(path.name, len(samples), "written", "scalar -> chosen", 0, before, written, "", sep="\t", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="*", type=Path)
    streams = parser.parse_args().streams
    print("stream", "segments", "group", "coding", "entries", "bytes", "bytes with priors", "corrections", sep="\t")
    with tempfile.TemporaryDirectory() as folder:
        if not streams:
            for name in CLIPS:
                streams.append(Path(folder) / f"{Path(name).stem}.gsv")
                clip = Path(os.environ["GVIDEO_CLIPS"]) / name
                encode(clip, streams[-1], crf=40, size=(320, 180), last=95, preset="fast", segment_seconds=1)
        for path in streams:
            measure(path)


if __name__ == "__main__":
    main()
