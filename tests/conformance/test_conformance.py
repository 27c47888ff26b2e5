"""The conformance streams: gvideo's reader against the table, an independent decoder (page_*.py) against gvideo's.

What a decoder of SYNTAX.md must make of each stream is in conformance.json: the hash of its symbols (SYNTAX.md §11),
the numbers of frames to compare, the hash of their R'G'B' codes [F,3,H,W], and each frame's means by channel.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lines
import numpy as np
import page_coder
import page_headers
import page_pictures
import page_symbols
import pytest

from gvideo import VideoDecoder
from gvideo.decoder.listing import symbol_lines
from gvideo.decoder.stream import Stream

HERE = Path(__file__).parent
TABLE: dict[str, Any] = json.loads((HERE / "conformance.json").read_text())
STREAMS = HERE / "streams"
PAGE = [Path(m.__file__) for m in (page_headers, page_coder, page_symbols, page_pictures) if m.__file__]


class Decoded:
    """All streams by the independent decoder, with the lines of it that ran and the contexts that were used."""

    def __init__(self) -> None:
        self.used = np.zeros(page_symbols.NUM_CONTEXTS, np.int64)
        self.symbols: dict[str, list[str]] = {}
        self.frames: dict[str, np.ndarray] = {}
        with lines.lines_run(PAGE) as self.ran:
            for name, row in TABLE.items():
                stream = page_headers.read_stream((STREAMS / f"{name}.gsv").read_bytes())
                symbols = page_symbols.decode(stream, self.used)
                self.symbols[name] = list(page_symbols.lines(stream, symbols))
                self.frames[name] = page_pictures.frames(stream, symbols, row["frames"], grain=True)


@pytest.fixture(scope="module")
def decoded() -> Decoded:
    return Decoded()


def test_the_table_is_complete() -> None:
    files = sorted(STREAMS.glob("*.gsv"))
    assert [f.stem for f in files] == list(TABLE)
    assert sum(f.stat().st_size for f in files) < 300_000
    assert {f.stem: hashlib.sha256(f.read_bytes()).hexdigest() for f in files} == {
        n: r["bytes"] for n, r in TABLE.items()
    }


@pytest.mark.parametrize("name", TABLE)
def test_the_reader_agrees_with_the_table(name: str) -> None:
    row = TABLE[name]
    decoder = VideoDecoder(STREAMS / f"{name}.gsv")
    assert list(symbol_lines(decoder.stream))[-1] == f"sha256 {row['symbols']}"
    data = decoder.get_frames_at(row["frames"]).data
    # another processor may round a float differently, by a step of one code value in few pixels
    if hashlib.sha256(data.tobytes()).hexdigest() != row["rgb"]:
        np.testing.assert_allclose(data.mean((2, 3)), row["means"], atol=0.05)


@pytest.mark.parametrize("name", TABLE)
def test_an_independent_decoder_agrees_with_the_reader(decoded: Decoded, name: str) -> None:
    path = STREAMS / f"{name}.gsv"
    assert decoded.symbols[name] == list(symbol_lines(Stream(path)))
    frames = VideoDecoder(path).get_frames_at(TABLE[name]["frames"]).data
    difference = np.abs(frames.astype(int) - decoded.frames[name])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02


def test_layers_below_agree_too() -> None:
    path = STREAMS / "layers.gsv"
    stream = page_headers.read_stream(path.read_bytes())
    for count in (1, 2):
        symbols = page_symbols.decode(stream, num_layers=count)
        frames = page_pictures.frames(stream, symbols, [0, 7])
        np.testing.assert_allclose(
            VideoDecoder(path, layers=count).get_frames_at([0, 7]).data.astype(int), frames, atol=1
        )


def test_the_streams_reach_every_line_of_the_independent_decoder(decoded: Decoded) -> None:
    left = {module: [row for row in rows if "raise " not in row] for module, rows in lines.missed(decoded.ran).items()}
    assert left == {module: [] for module in left}


def test_the_streams_use_the_contexts(decoded: Decoded) -> None:
    """Every block of contexts, and most of their contexts."""
    blocks = [*sorted(page_symbols.FIRST.values()), page_symbols.NUM_CONTEXTS]
    shares = {
        name: float((decoded.used[first : blocks[blocks.index(first) + 1]] > 0).mean())
        for name, first in page_symbols.FIRST.items()
    }
    assert len(shares) == 27
    assert min(shares.values()) > 0.2, shares
    assert (decoded.used > 0).mean() > 0.7


def test_the_streams_reach_every_line_of_the_reader() -> None:
    """What is left returns or raises errors, or belongs to writing."""
    command = [sys.executable, str(HERE / "lines.py"), *(str(STREAMS / f"{name}.gsv") for name in TABLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    rows = [row.partition(": ")[2] for row in done.stdout.splitlines() if row.startswith("  ")]
    errors = ("raise ", "return BAD_", "return problem", "return np.int64(-1), 0")
    writing = {
        "moves = 1", "writer = Writer()", "visit_sequence(writer, h)", "visit_index(writer, h)",
        "return writer.getvalue()",
        "return float(2.0 ** (4 - self.distortion / 8))",
        "return (self.distortion, *(self.distortions or (self.distortion,) * (self.num_layers - 1)))",
    }  # fmt: skip
    assert [row for row in rows if not row.startswith(errors) and row not in writing] == []


def test_nothing_of_gvideo_is_imported() -> None:
    for path in PAGE:
        imports = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
        assert imports
        assert not any("gvideo" in line for line in imports)
