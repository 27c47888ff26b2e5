"""The page's entropy decoder reads the same symbols as Python's, bit by bit."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import join_units, make_stream, shared_header, split_units

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Writer
from gvideo.bitstream.headers import MAX_KERNEL, Grain, LayerHeader, SegmentHeader
from gvideo.decoder.stream import Stream
from gvideo.model.grain import frame_offsets, tiles
from gvideo.model.symbols import SegmentSymbols

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PRIORS = ROOT / "player" / "web" / "codec" / "priors.bin"
GOLDEN = ROOT / "tests" / "golden"
CONFORMANCE = ROOT / "tests" / "conformance"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def decoded_in_node(*paths: Path) -> list[Any]:
    """For each stream the hashes of its segments' symbols, or the error."""
    command = ["node", str(HERE / "symbols.mjs"), str(PRIORS), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def hash_of(symbols: SegmentSymbols) -> str:
    digest = hashlib.sha256()
    for array in (symbols.table, symbols.residual, symbols.control):
        digest.update(np.ascontiguousarray(array, "<i8").tobytes())
    return digest.hexdigest()


def test_the_start_states_are_the_shipped_ones() -> None:
    shipped = ROOT / "gvideo" / "entropy" / "priors.bin"
    assert PRIORS.resolve() == shipped.resolve() or PRIORS.read_bytes() == shipped.read_bytes()


def test_golden_streams() -> None:
    golden = json.loads((GOLDEN / "golden.json").read_text())
    assert decoded_in_node(*(GOLDEN / f"{name}.gsv" for name in golden)) == [g["symbols"] for g in golden.values()]


def test_conformance_streams() -> None:
    table = json.loads((CONFORMANCE / "conformance.json").read_text())
    names = sorted(table)
    found = decoded_in_node(*(CONFORMANCE / "streams" / f"{name}.gsv" for name in names))
    for name, hashes in zip(names, found, strict=True):
        stream = Stream(CONFORMANCE / "streams" / f"{name}.gsv")
        assert hashes == [hash_of(stream.decode_segment(n).symbols) for n in range(len(stream.segments))], name


def test_the_page_finds_the_segments_of_the_conformance_streams() -> None:
    """Places and times of segments, through whatever other units there are; and the symbols of the units it loads."""
    paths = sorted((CONFORMANCE / "streams").glob("*.gsv"))
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ GsvSource }} from {json.dumps((ROOT / "player/web/source/gsv.js").as_uri())};
        import {{ splitSegment }} from {json.dumps((PRIORS.parent / "segment.js").as_uri())};
        const found = [];
        for (const path of {json.dumps([str(p) for p in paths])}) {{
          const data = new Uint8Array(readFileSync(path));
          const source = await GsvSource.open({{ read: async (start, end) => data.subarray(start, end) }});
          const rows = [];
          for (const segment of source.segments) {{
            const {{ units }} = await source.load(segment, 8);
            rows.push([segment.numFrames, segment.start, splitSegment(units).payloads.map((p) => p.length)]);
          }}
          found.push(rows);
        }}
        console.log(JSON.stringify(found));
    """
    command = ["node", "--input-type=module", "--eval", script]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    for path, rows in zip(paths, found, strict=True):
        stream = Stream(path)
        first, scale = stream.segments[0].start, stream.header.timescale
        wanted = [
            [place.num_frames, (place.start - first) / scale, [len(p) for p in stream.payloads(number)]]
            for number, place in enumerate(stream.segments)
        ]
        assert rows == wanted, path.stem


def test_layers_codebooks_priors_and_every_kind_of_segment(tmp_path: Path) -> None:
    made = [
        make_stream(num_layers=3, count=200, extra_units=True, index=True),
        make_stream(num_layers=8, count=60, seed=1, num_frames=1, num_control=1, num_trajectories=1),
        make_stream(count=0, seed=2),
        make_stream(count=300, seed=3, num_control=40, num_trajectories=64, num_frames=40, cell_bits=0),
        make_stream(count=120, seed=9, num_control=6, refinement=7, num_trajectories=20, num_frames=40),
        make_stream(count=300, seed=4, largest_octave=9, levels=4000, cell_bits=6, num_frames=300),
        make_stream(count=150, seed=5, durations=(40, 20, 7, 90, 1, 1000)),
        *(make_stream(count=150, seed=k, num_layers=2, sequence=shared_header(k)) for k in range(6, 12)),
    ]
    paths = [tmp_path / f"{k}.gsv" for k in range(len(made))]
    for path, stream in zip(paths, made, strict=True):
        path.write_bytes(stream.data)
    assert decoded_in_node(*paths) == [[hash_of(s) for s in stream.symbols] for stream in made]


@pytest.mark.parametrize("seed", [0, 200])
def test_grain_is_the_same(seed: int) -> None:
    kernel = [int(k) for k in np.random.default_rng(seed).integers(-MAX_KERNEL, MAX_KERNEL + 1, 9)]
    frames = [(0, 0), (0xFFFFFFFF, 4095), (123456789, 7), (1 << 31, 100)]
    script = f"""
        import {{ grainPlaces, grainTiles }} from {json.dumps((PRIORS.parent / "grain.js").as_uri())};
        const tiles = grainTiles({{ seed: {seed}, kernel: {kernel} }}).map((tile) => [...tile]);
        console.log(JSON.stringify([tiles, {json.dumps(frames)}.map(([crc, frame]) => grainPlaces(crc, frame))]));
    """
    command = ["node", "--input-type=module", "--eval", script]
    found, places = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    for tile, mine in zip(tiles(Grain(seed, (0,) * 8, tuple(kernel))), found, strict=True):
        np.testing.assert_array_equal(tile.ravel(), mine)
    assert places == [[list(place) for place in frame_offsets(*frame)] for frame in frames]


def test_damage_is_an_error_that_names_the_field(tmp_path: Path) -> None:
    data = make_stream(count=50, num_layers=2).data
    flipped = bytearray(data)
    flipped[-20] ^= 4
    parts = split_units(data)
    noise = np.random.default_rng(0)
    writer = Writer()
    headers.visit_segment(writer, SegmentHeader(1, 0, 1, 1, 2, 1, (0, 0, 0)))
    headers.visit_layer(writer, LayerHeader(0, 4))
    no_gaussians = writer.getvalue()
    payloads = [b"", b"\0" * 40, parts[1][1][:9] + b"\xff" * 60, parts[1][1][:14] + noise.bytes(200)]
    payloads.append(no_gaussians + b"\xff" * 4)
    broken = [join_units([parts[0], (units.SEGMENT, payload)]) for payload in payloads]
    broken += [bytes(flipped), data[:-3], join_units([parts[0], (0x99, b"")])]
    paths = [tmp_path / f"{k}.gsv" for k in range(len(broken))]
    for path, content in zip(paths, broken, strict=True):
        path.write_bytes(content)
    found = decoded_in_node(*paths)
    for error in found:
        assert isinstance(error, str), error
        assert error.startswith(("BitstreamError: ", "UnsupportedError: ")), error
    assert found[4] == "BitstreamError: layer.bytes: begin with FF FF FF FF, which no encoder writes"
    assert found[-3] == "BitstreamError: layer.crc: the checksum differs, the layer unit is damaged"
    assert "0x99" in found[-1]
