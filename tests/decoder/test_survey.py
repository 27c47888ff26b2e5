"""Where the bits go: rows that sum up to the file, a trace that covers every header byte."""

from __future__ import annotations

import pytest
from streams import make_stream, split_units

from gvideo.bitstream import headers, units
from gvideo.bitstream.fields import Reader
from gvideo.decoder.stream import Stream
from gvideo.decoder.survey import survey, trace

STREAMS = {
    "plain": make_stream(count=40),
    "layers": make_stream(num_layers=3, count=60, num_segments=3),
    "indexed": make_stream(num_segments=5, index=True, durations=(40, 10, 70, 40, 33, 7), extra_units=True),
    "empty": make_stream(count=0, num_segments=1),
}


@pytest.mark.parametrize("name", STREAMS)
def test_rows_sum_up_to_the_file(name):
    made = STREAMS[name]
    found = survey(Stream(made.data))
    rows = dict(found.bit_rows(len(made.data)))
    assert sum(rows.values()) == pytest.approx(8 * len(made.data))
    assert found.num_gaussians == sum(len(s.table) for s in made.symbols)
    num_words = sum(len(s.layer_bytes) for s in found.segments)
    # the model's estimate and what the coder wrote differ by its ends, less than two bytes each (or fewer bytes, where
    # they would have been zeros, which are not written), and by the rounding of probabilities, which shows where
    # symbols are as unlikely as these
    rounding = 2e-3 * sum(bits for bits in rows.values() if bits > 0)
    assert -24 * num_words - rounding <= rows["codeword ends"] <= 16 * num_words
    assert rows["framing"] == 8 * (4 + sum(len(units.format_unit(k, p)) - len(p) for k, p in split_units(made.data)))
    assert rows["other units"] == (8 * 5 * 25 if name == "indexed" else 0)


@pytest.mark.parametrize("name", STREAMS)
def test_trace_lists_every_field(name):
    made = STREAMS[name]
    fields = list(trace(Stream(made.data)))
    offsets = [at for at, _, _ in fields]
    assert offsets == sorted(offsets)
    assert fields[0] == (0, "signature", 0x89475356)
    names = [name for _, name, _ in fields]
    assert names.count("unit.crc") == len(split_units(made.data))
    assert names.count("layer.num_gaussians") == sum(len(s.layer_ends) for s in made.symbols)
    values = {name: value for _, name, value in fields}
    assert (values["sequence.width"], values["sequence.height"]) == (48, 32)
    # a field's bytes are where the trace says
    for at, field, value in fields:
        if field == "segment.num_frames":
            assert headers.visit_segment(Reader(made.data, at)).num_frames == value
