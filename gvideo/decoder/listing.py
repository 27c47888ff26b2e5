"""A stream's symbols as lines of text, for comparing decoders (SYNTAX.md §11 has the format).

Stream ──decode_segment──► symbols ──► "gaussian 1027 96 3 41 0 0 31 0 …" ──► sha256 of all lines
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise

from gvideo.decoder.coded import CodedStream

FORMAT_VERSION = 1


def symbol_lines(stream: CodedStream) -> Iterator[str]:
    """Every line, the last one with the hash of all before it. Raises BitstreamError for a damaged stream."""
    digest = hashlib.sha256()
    for line in _lines(stream):
        digest.update(f"{line}\n".encode())
        yield line
    yield f"sha256 {digest.hexdigest()}"


def _lines(stream: CodedStream) -> Iterator[str]:
    h = stream.header
    yield f"gvideo symbols {FORMAT_VERSION}"
    yield _line("sequence", h.width, h.height, h.timescale, len(stream.segments))
    for number in range(len(stream.segments)):
        yield from _segment_lines(stream, number)


def _segment_lines(stream: CodedStream, number: int) -> Iterator[str]:
    decoded = stream.decode_segment(number)
    symbols, place = decoded.symbols, stream.segments[number]
    yield _line(
        "segment", number, place.start, place.num_frames, symbols.num_control, symbols.num_path_control,
        symbols.num_trajectories, symbols.cell_bits, *symbols.margins, *symbols.base,
    )  # fmt: skip
    yield _line("frames", *stream.frame_ticks(number).tolist())
    for m, (parent, control) in enumerate(zip(symbols.parents, symbols.control, strict=True), 1):
        yield _line("trajectory", m, parent)
        for k, values in enumerate(control.tolist()):
            yield _line("control", k, *values)
    distortions = decoded.header.layer_distortions
    for layer, (start, end) in enumerate(pairwise((0, *symbols.layer_ends))):
        yield _line("layer", layer, distortions[layer], end - start)
        for row, residual in zip(symbols.table[start:end].tolist(), symbols.residual[start:end].tolist(), strict=True):
            yield _line("gaussian", *row, *residual)


def _line(word: str, *values: object) -> str:
    return " ".join((word, *map(str, values)))
