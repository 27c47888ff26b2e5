"""The page's source over a live stream in parts: files of several coded segments, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from packaged import write_stream

from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.sink import LocalSink

SOURCE = Path(__file__).parents[2] / "player" / "web"
SCRIPT = """
import { readFileSync } from "node:fs";
const { openHls } = await import(%s);
const { SegmentDecoder } = await import(%s);
const { parseStates } = await import(%s);
const folder = new URL(%s);
const http = {
  text: async (url) => readFileSync(new URL(url), "utf8"),
  bytes: async (url) => ({ bytes: new Uint8Array(readFileSync(new URL(url))), whole: true }),
};
const decoder = new SegmentDecoder(parseStates(new Uint8Array(readFileSync(new URL(%s)))));
const source = await openHls(http, new URL("v0.m3u8", folder).href);
const before = source.segments.length;
const frames = [];
for (let k = 0; k < source.segments.length; k++) {
  const loaded = await source.load(source.segments[k], 0);
  const { ticks, problem } = decoder.decode(loaded.sequenceUnit, loaded.units);
  frames.push(problem ?? ticks.length - 1);
}
await source.load(source.segments[0], 0); // a second time changes nothing
console.log(JSON.stringify({ before, frames, segments: source.segments, offsets: [...source.timeOffsets] }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_file_of_several_coded_segments_becomes_as_many(tmp_path):
    stream = GsvFile(write_stream(tmp_path / "short.gsv", num_segments=6, num_frames=12, count=8))
    live = LivePublisher(
        LocalSink(tmp_path / "out"), datetime(2026, 1, 2, tzinfo=UTC), Fraction(2), partial=Fraction(1, 2)
    )
    live.begin(stream.track())
    for piece in stream.pieces():
        live.add(piece)
    live.end()
    uris = [(SOURCE / name).as_uri() for name in ("source/hls.js", "codec/decode.js", "codec/contexts.js")]
    uris += [(tmp_path / "out").as_uri() + "/", (SOURCE / "codec" / "priors.bin").resolve().as_uri()]
    script = SCRIPT % tuple(map(json.dumps, uris))
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["before"] == 2
    assert found["frames"] == [12] * 6
    assert [s["number"] for s in found["segments"]] == [1, 1.25, 1.5, 1.75, 2, 2.5]
    assert [s["start"] for s in found["segments"]] == pytest.approx([0.48 * k for k in range(6)])
    assert [s["duration"] for s in found["segments"]] == pytest.approx([0.48] * 6)
    assert found["offsets"] == [[0, 0]]
