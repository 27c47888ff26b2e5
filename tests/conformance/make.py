"""Makes the conformance streams, NAME… or all of them:

    PYTHONPATH=tests:tests/conformance:samples python tests/conformance/make.py NAME…

Streams that are there already are kept, so that their bytes stay; take a file away to have it made anew.
conformance.json is written from what is there.

    random legal symbols (tests/streams.py) · headers of every kind · noise as coded bytes · tiny encodes
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import page_pictures
import page_symbols
from page_headers import InvalidError, read_stream
from streams import join_units, make_stream, shared_header, split_units

import gvideo
from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader, Writer
from gvideo.bitstream.headers import Grain, LayerHeader, Rules, SegmentHeader, SequenceHeader
from gvideo.decoder.listing import symbol_lines

HERE = Path(__file__).parent
STREAMS = HERE / "streams"
SIZE = {"width": 24, "height": 16}
GRAIN = Grain(7, (255, 0, 90, 9, 40, 80, 255, 1), (40, -20, 9, 30, 0, -1, 12, 6, 5))


def header(**fields: Any) -> SequenceHeader:
    return SequenceHeader(24, 16, 1000, 40, **fields)


def made(**options: Any) -> bytes:
    return make_stream(**{**SIZE, "count": 12, **options}).data


def with_segments(data: bytes, change: Callable[[int, SegmentHeader], SegmentHeader]) -> bytes:
    """The same stream, without an index, with other segment headers."""
    parts, number = [], 0
    for kind, payload in split_units(data):
        if kind == units.SEGMENT:
            reader, writer = Reader(payload), Writer()
            headers.visit_segment(writer, change(number, headers.visit_segment(reader)))
            payload, number = writer.getvalue() + payload[reader.position :], number + 1
        parts.append((kind, payload))
    return join_units(parts)


def gaps() -> bytes:
    data = made(num_segments=3, sequence=header(start=-5000))
    return with_segments(data, lambda number, h: replace(h, gap=(-70, 0, 123)[number]))


def other_units() -> bytes:
    """Units before and between all others: unknown ones, metadata, the sequence again, an index too late, a layer too
    early; checksums of unknown ones are not looked at."""
    sequence, first, *rest = split_units(made(num_segments=2, num_layers=2))
    parts = [(0x7F, b"before"), sequence, (units.METADATA, b"x"), (units.LAYER, b"early"), (0, b""), first]
    between = [(units.METADATA, b"{}"), sequence, rest[0], (6, b"z"), (units.INDEX, b"\0"), *rest[1:]]
    data = join_units(parts + between)
    return data + units.format_unit(0x30, b"at the end")[:-4] + bytes(4)


def indexed() -> bytes:
    return make_stream(**SIZE, num_segments=3, count=5, index=True, extra_units=True, num_layers=2).data


def absent_layers() -> bytes:
    parts = split_units(made(num_segments=2, num_layers=4, layer_step=5))
    return join_units([*parts[:3], *parts[5:8]])


def long_varints() -> bytes:
    """Every varint of the headers longer than it needs to be."""
    padded = bytes(
        [1, 0, 0x98, 0x80, 0, 0x90, 0, 0xE8, 0x87, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0xA8, 0, 0x80, 0, 1, 0]
    )
    parts = split_units(made(num_segments=1))
    reader = Reader(parts[1][1])
    h = headers.visit_segment(reader)
    layer = headers.visit_layer(reader)
    coded = parts[1][1][reader.position :]
    writer = Writer()
    headers.visit_segment(writer, h)
    segment = writer.getvalue()
    assert segment[0] == h.num_frames < 128
    long = bytes([segment[0] | 128, 0]) + segment[1:]
    counts = bytes([layer.num_gaussians | 128, 128, 0, layer.num_bytes & 127 | 128, layer.num_bytes >> 7 | 128, 0])
    return join_units([(units.SEQUENCE, padded), (units.SEGMENT, long + counts + coded)])


class Scripted(page_symbols.Coder):
    """Writes instead of reading: bits are what a script says of their context, else drawn with its probability. Bits
    without a context are drawn evenly."""

    def __init__(self, script: Callable[[int], int | None], rng: np.random.Generator, states: Any) -> None:
        super().__init__(b"", *states, np.zeros(page_symbols.NUM_CONTEXTS, np.int64))
        self.script, self.rng = script, rng
        self.wanted: int | None = None
        self.low, self.num_bytes = 0, 4

    def bit(self, context: int) -> int:
        self.wanted = self.script(context)
        if self.wanted is None:
            self.wanted = int(self.rng.random() * 65536 >= self.probability(context))
        return super().bit(context)

    def decode(self, bound: int) -> int:
        bit = int(self.rng.integers(2)) if self.wanted is None else self.wanted
        self.wanted = None
        self.low, self.range = (self.low + bound, self.range - bound) if bit else (self.low, bound)
        while self.range < 1 << 24:
            self.low, self.range, self.num_bytes = self.low << 8, self.range << 8, self.num_bytes + 1
        return bit

    def coded(self) -> bytes:
        return self.low.to_bytes(self.num_bytes, "big").rstrip(b"\0")


def scripted(
    script: Callable[[int], int | None],
    wanted: Callable[[list[page_symbols.Gaussian], Any], bool] = lambda g, _: True,
    **segment: Any,
) -> bytes:
    """Symbols as a script and chance have them, also those that no encoder writes, of which `wanted` holds."""
    sequence = headers.format_sequence(SequenceHeader(16, 16, 1000, 40, rules=segment.pop("rules", Rules())))
    count = segment.pop("count", 4)
    writer = Writer()
    h = SegmentHeader(**{
        "num_frames": 8, "distortion": 80, "num_control": 2, "num_trajectories": 2, "cell_bits": 6, "num_layers": 1,
        "base": (500, 500, 500), "margins": (255, 255, 255, 255), **segment,
    })  # fmt: skip
    headers.visit_segment(writer, h)

    def build(coded: bytes) -> bytes:
        layer = Writer()
        headers.visit_layer(layer, LayerHeader(count, len(coded)))
        payload = writer.getvalue() + layer.getvalue() + coded
        return join_units([(units.SEQUENCE, sequence), (units.SEGMENT, payload)])

    for seed in range(2000):
        stream = read_stream(build(bytes(count)))
        g = stream.segments[0]
        visit = page_symbols.Visit(stream.sequence, g, np.zeros(page_symbols.NUM_CONTEXTS, np.int64))
        coder = visit.coder = Scripted(script, np.random.default_rng(seed), visit.states)
        try:
            visit.trajectories()
            for _ in range(count):
                visit.gaussian(0)
        except InvalidError:
            continue
        if wanted(visit.symbols.gaussians, page_pictures.Pictures(stream.sequence, g, visit.symbols)):
            return build(coder.coded())
    raise SystemExit("no such symbols")


def forced(**bits: int) -> Callable[[int], int | None]:
    """A script: all bits of some blocks of contexts."""
    blocks = list(page_symbols.FIRST.items())
    return lambda context: bits.get(next(name for name, first in reversed(blocks) if first <= context))


def drawn_evenly(*names: str) -> Callable[[int], int | None]:
    """A script: bits of some blocks of contexts whatever their probability."""
    rng = np.random.default_rng(0)
    blocks = list(page_symbols.FIRST.items())

    def script(context: int) -> int | None:
        name = next(name for name, first in reversed(blocks) if first <= context)
        return int(rng.integers(2)) if name in names else None

    return script


def bright() -> Callable[[int], int | None]:
    """A script of small Gaussians with large amplitudes: Exp-Golomb exponents go on with 9 chances in 10."""
    rng = np.random.default_rng(0)
    others = forced(luma_sign=0, scale_octave=0, scale_fraction=0, precision=0, cell_exponent=0)

    def script(context: int) -> int | None:
        offset = context - page_symbols.FIRST["luma"]
        return others(context) if not 0 <= offset < 22 else 1 if offset < 21 else int(rng.random() < 0.9)

    return script


def are_brighter(limit: float) -> Callable[[list[page_symbols.Gaussian], Any], bool]:
    return lambda g, p: any(max(map(abs, p.amplitudes(q))) > limit for q in g)


def are_farther(limit: float) -> Callable[[list[page_symbols.Gaussian], Any], bool]:
    return lambda g, p: any(max(map(abs, p.place(q, *np.eye(2)))) > limit for q in g)


def encoded(clip: str, num_frames: int, **options: Any) -> bytes:
    from make_synthetic import write_clip

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "clip.mkv", Path(folder) / "clip.gsv"
        write_clip(source, clip, num_frames)
        gvideo.encode(source, target, preset="fast", workers=1, size=(48, 32), **options)
        return target.read_bytes()


FORMATS = [  # matrix, chroma format, depth, rotation, full range, aspect
    (1, "400", 8, 0, True, Fraction(1)),
    (4, "420", 10, 90, False, Fraction(4, 3)),
    (5, "422", 12, 180, True, Fraction(1)),
    (6, "444", 16, 270, False, Fraction(8, 9)),
    (7, "420", 9, 0, False, Fraction(1)),
    (8, "422", 11, 90, True, Fraction(1)),
    (9, "400", 13, 0, False, Fraction(1 << 20, 3)),
    (10, "444", 14, 0, True, Fraction(1)),
]

MAKERS: dict[str, Callable[[], bytes]] = {
    "plain": lambda: made(count=60),
    "no_gaussians": lambda: made(count=0),
    "layers": lambda: made(num_layers=3, count=30, layer_step=6),
    "layers_eight": lambda: made(num_layers=8, count=40, seed=1, num_segments=1),
    "layers_absent": absent_layers,
    "units_other": other_units,
    "index": indexed,
    "durations": lambda: made(durations=(40, 20, 7, 90, 1, 1000), seed=5, index=True),
    "gaps": gaps,
    "varints": long_varints,
    "one_frame": lambda: made(num_frames=1, num_control=5, seed=2),
    "one_frame_one_control": lambda: made(num_frames=1, num_control=1, num_trajectories=1, seed=3),
    "one_trajectory": lambda: made(num_trajectories=1, num_control=3, seed=4),
    "one_control": lambda: made(num_control=1, seed=5, num_trajectories=5),
    "two_control": lambda: made(num_control=2, seed=6, num_frames=2),
    "many_control": lambda: made(num_control=37, seed=7, num_frames=40, num_segments=1),
    "most_control": lambda: made(num_control=256, seed=8, num_frames=300, num_trajectories=2, count=4, num_segments=1),
    "refined": lambda: made(num_control=6, refinement=7, num_trajectories=12, num_frames=40, count=40, num_segments=1),
    "most_trajectories": lambda: made(num_trajectories=64, count=60, seed=9, num_segments=1),
    "long_lives": lambda: made(num_frames=300, count=60, seed=10, num_segments=1),
    "wide_scales": lambda: made(largest_octave=15, seed=11, count=40),
    "large_values": lambda: made(levels=4000, seed=12, count=40, num_segments=1),
    "grain": lambda: made(num_segments=2, sequence=header(grain=GRAIN)),
    "grain_flat": lambda: made(num_segments=1, count=3, sequence=header(grain=Grain(1, (9,) * 8, (0,) * 9))),
    "rules_low": lambda: made(count=40, seed=13, sequence=header(rules=Rules(-128, -128, -128, 1, -8, -8))),
    "rules_high": lambda: made(count=40, seed=14, sequence=header(rules=Rules(128, 128, 128, 256, 2, 2))),
    "rules": lambda: made(count=60, seed=15, sequence=header(rules=Rules(4, 20, 30, 40, 1, -1)), num_frames=60),
    **{
        f"codebooks_{k}": lambda k=k: made(  # type: ignore[misc]
            count=120, seed=k, num_layers=2, num_frames=(6, 60, 200)[k % 3], sequence=shared_header(k), num_segments=1
        )
        for k in range(6, 12)
    },
    **{
        f"amplitudes_{n}": lambda n=n: made(  # type: ignore[misc]
            levels=n, seed=n, count=600, num_trajectories=4, num_segments=1
        )
        for n in (2, 12, 60)
    },
    **{f"cells_{k}": lambda k=k: made(cell_bits=k, seed=20 + k, count=30, num_segments=1) for k in range(7)},  # type: ignore[misc]
    **{
        f"format_{m}": lambda f=(m, c, d, r, full, a): made(  # type: ignore[misc]
            count=10,
            num_segments=1,
            num_frames=2,
            seed=f[0],
            sequence=header(
                primaries=200 if f[0] == 9 else 9,
                transfer=16,
                matrix=f[0],
                chroma_format=f[1],
                bit_depth=f[2],
                rotation=f[3],
                full_range=f[4],
                sample_aspect=f[5],
            ),
        )
        for m, c, d, r, full, a in FORMATS
    },
    "chance": lambda: scripted(forced(), count=30),
    "wild_motion": lambda: scripted(
        drawn_evenly("residual", "residual_zero", "residual_flag", "control", "trajectory", "trajectory_same"),
        num_control=5,
        num_trajectories=6,
        refinement=2,
        rules=Rules(trajectory=-8, residual=-8),
    ),
    "wild_cells": lambda: scripted(drawn_evenly("cell_exponent", "cell_mantissa"), count=3),
    "centre_of_31": lambda: scripted(
        forced(permanent=0, duration=1), lambda g, _: g[0].centre > 0, num_frames=4096, rules=Rules(centre=128)
    ),
    "too_bright": lambda: scripted(
        bright(), are_brighter(1 << 16), distortion=0, margins=(0, 0, 0, 0), cell_bits=2, count=3
    ),
    "too_far": lambda: scripted(
        forced(residual_flag=1, residual_zero=1, permanent=1, precision=0),
        are_farther(1 << 22),
        rules=Rules(residual=8, trajectory=8),
    ),
    "encoded": lambda: encoded("shapes", 8, crf=36.0),
    "encoded_layers": lambda: encoded("pan", 8, crf=30.0, layers=3, grain=True),
    "encoded_cut": lambda: encoded("cut", 30, crf=40.0),
}


def numbers_of(num_frames: int) -> list[int]:
    """The frames that are compared: at most six, the ends among them."""
    return sorted({int(k) for k in np.linspace(0, num_frames - 1, 6)})


def describe(path: Path) -> dict[str, Any]:
    """What a decoder must make of a stream: hashes of its symbols and of frames, and the frames' means by channel."""
    decoder = gvideo.VideoDecoder(path)
    numbers = numbers_of(len(decoder))
    data = decoder.get_frames_at(numbers).data
    return {
        "bytes": hashlib.sha256(path.read_bytes()).hexdigest(),
        "symbols": list(symbol_lines(decoder.stream))[-1].split()[1],
        "frames": numbers,
        "rgb": hashlib.sha256(data.tobytes()).hexdigest(),
        "means": np.round(data.mean((2, 3)), 3).tolist(),
    }


def main(names: list[str]) -> None:
    """Makes what is missing, and the table."""
    STREAMS.mkdir(exist_ok=True)
    for name in names or MAKERS:
        path = STREAMS / f"{name}.gsv"
        if not path.exists():
            path.write_bytes(MAKERS[name]())
            print(name, path.stat().st_size)
    table = {path.stem: describe(path) for path in sorted(STREAMS.glob("*.gsv"))}
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    (HERE / "conformance.json").write_text(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
