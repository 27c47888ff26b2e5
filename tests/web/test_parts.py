"""The page's source over a live stream in parts: parts as they come, files of several coded segments, in Node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from packaged import playlists_of_parts, write_stream

from packager.gsv import GsvFile
from packager.live import LivePublisher
from packager.server.low_latency import read_progress, without_old
from packager.sink import LocalSink

SOURCE = Path(__file__).parents[2] / "player" / "web"
SCRIPT = """
import { readFileSync } from "node:fs";
const { openHls } = await import(%s);
const { SegmentDecoder } = await import(%s);
const { parseStates } = await import(%s);
const folder = new URL(%s);
const http = {
  document: async (url) => ({ text: readFileSync(new URL(url), "utf8"), url }),
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


def publisher(folder: Path, stream: GsvFile) -> LivePublisher:
    """Of segments of 2 s in parts of half a second."""
    live = LivePublisher(LocalSink(folder), datetime(2026, 1, 2, tzinfo=UTC), Fraction(2), partial=Fraction(1, 2))
    live.begin(stream.track())
    return live


def in_node(script: str) -> Any:
    """What a script prints as JSON."""
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_file_of_several_coded_segments_becomes_as_many(tmp_path):
    stream = GsvFile(write_stream(tmp_path / "short.gsv", num_segments=6, num_frames=12, count=8))
    live = publisher(tmp_path / "out", stream)
    for piece in stream.pieces():
        live.add(piece)
    live.end()
    uris = [(SOURCE / name).as_uri() for name in ("source/hls.js", "codec/decode.js", "codec/contexts.js")]
    uris += [(tmp_path / "out").as_uri() + "/", (SOURCE / "codec" / "priors.bin").resolve().as_uri()]
    script = SCRIPT % tuple(map(json.dumps, uris))
    found = in_node(script)
    assert found["before"] == 2
    assert found["frames"] == [12] * 6
    assert [s["number"] for s in found["segments"]] == [1, 1.001, 1.002, 1.003, 2, 2.001]
    assert [s["start"] for s in found["segments"]] == pytest.approx([0.48 * k for k in range(6)])
    assert [s["duration"] for s in found["segments"]] == pytest.approx([0.48] * 6)
    assert found["offsets"] == [[0, 0]]


FOLLOWED = """
import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
const { openHls } = await import(%s);
const { SegmentDecoder } = await import(%s);
const { parseStates } = await import(%s);
const folder = new URL(%s);
const steps = %s;
const show = (step) => { for (const [name, text] of Object.entries(steps[step])) texts[name] = text; };
const texts = {}, asked = [];
const nameOf = (url) => new URL(url).pathname.split("/").at(-1);
show(0);
const waiting = [];
const http = {
  document: async (url) => {
    asked.push(nameOf(url) + new URL(url).search);
    return { text: texts[nameOf(url)], url };
  },
  bytes: async (url) => {
    asked.push(nameOf(url));
    const read = () => ({ bytes: new Uint8Array(readFileSync(new URL(url))), whole: true });
    const named = `EXT-X-PART:DURATION=0.480000,URI="${url.split("out/")[1]}`;
    if (url.includes("part_") && !texts["v0.m3u8"].includes(named)) {
      await new Promise((resolve) => waiting.push(resolve)); // the hint: held until it is published
    }
    return read();
  },
};
const decoder = new SegmentDecoder(parseStates(new Uint8Array(readFileSync(new URL(%s)))));
const source = await openHls(http, new URL("v0.m3u8", folder).href);
const found = [];
const note = () => found.push({
  numbers: source.segments.map(({ number }) => number), starts: source.segments.map(({ start }) => start),
  delay: source.liveDelay, inParts: source.inParts, isHeld: source.isHeld, live: source.live,
});
const load = async (k) => {
  const loaded = await source.load(source.segments.at(k), 0);
  const { ticks, problem } = decoder.decode(loaded.sequenceUnit, loaded.units);
  return problem ?? ticks.length - 1;
};
note();
const frames = [await load(-2), await load(-1)];
await source.refresh();  // nothing new: the part that comes next is asked for
const before = asked.length;
show(1);
waiting.splice(0).forEach((go) => go());
await source.refresh();
note();
frames.push(await load(-1));
const once = asked.slice(before).filter((name) => name.startsWith("part_"));
show(2);  // the parts of what is known have left the playlist, the last of them were never named
await source.refresh();
note();
asked.length = 0;
for (let k = 0; k < source.segments.length; k++) { source.forget(source.segments[k]); frames.push(await load(k)); }
note();
console.log(JSON.stringify({ found, frames, once, asked }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_parts_are_followed(tmp_path):
    """Parts are pieces of their own while they are named; then they are cut out of the whole segment."""
    stream = GsvFile(write_stream(tmp_path / "short.gsv", num_segments=10, num_frames=12, count=8))
    live = publisher(tmp_path / "out", stream)
    texts = []
    for piece in stream.pieces():
        live.add(piece)
        path = tmp_path / "out" / "v0.m3u8"
        texts.append(path.read_text() if path.exists() else "")
    live.end()
    # six parts are published, then seven; then nothing of parts is left, as ten seconds later
    whole = "\n".join(line for line in texts[7].splitlines() if not re.match("#EXT-X-(PART:|PRELOAD)", line))
    steps = [{"v0.m3u8": text} for text in (texts[5], texts[6], whole)]
    uris = [(SOURCE / name).as_uri() for name in ("source/hls.js", "codec/decode.js", "codec/contexts.js")]
    uris += [(tmp_path / "out").as_uri() + "/"]
    script = FOLLOWED % (
        *map(json.dumps, uris),
        json.dumps(steps),
        json.dumps((SOURCE / "codec" / "priors.bin").resolve().as_uri()),
    )
    out = in_node(script)
    first, second, third, last = out["found"]
    assert (first["delay"], first["inParts"], first["isHeld"]) == (1.5, True, True)
    assert first["numbers"] == [1, 1.001, 1.002, 1.003, 2, 2.001]
    assert second["numbers"] == [*first["numbers"], 2.002]
    assert out["once"] == ["part_8.m4s"]  # part 7 was asked for before it was there, as part 8 is now
    assert (third["inParts"], third["isHeld"]) == (False, False)
    for each in (third, last):
        assert each["numbers"] == [*second["numbers"], 2.003]
        assert each["starts"] == pytest.approx([0.48 * k for k in range(8)])
    assert out["frames"] == [12] * 11
    assert {name for name in out["asked"] if name != "v0.m3u8"} == {"seg_1.m4s", "seg_2.m4s"}


WHOLE = """
const { parsePlaylist } = await import(%s);
const { linesOf, wholePlaylist } = await import(%s);
const { MediaPlaylist } = await import(%s);
const [texts, sent] = %s;
const url = "http://a/v0.m3u8";
const read = (text) => JSON.stringify(parsePlaylist(text, url));
const wrong = [];
for (let k = 0; k < texts.length; k++)
  for (const age of [0, 1, 5, 11]) {
    const whole = wholePlaylist(linesOf(sent[k]), linesOf(texts[Math.max(k - age, 0)]));
    if (!whole || read(whole) !== read(texts[k])) wrong.push([k, age]);
  }
const asked = [];
let now = 50;
const http = {
  document: async (address) => {
    asked.push(address);
    const text = address.endsWith("_HLS_skip=YES") ? (now === 53 ? sent[110] : sent[now]) : texts[now];
    return { text, url: address };
  },
};
const playlist = new MediaPlaylist(http, url);
const same = [];
for (; now < 54; now++) {
  const media = await playlist.get(undefined, true);
  same.push(JSON.stringify(media) === JSON.stringify(parsePlaylist(texts[now], url).media));
}
const lacking = wholePlaylist(linesOf(sent[50]), linesOf(texts[0]));
console.log(JSON.stringify({ wrong, asked, same, lacking }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_playlist_is_made_whole_from_an_older_one(tmp_path):
    """Whatever part of a stream passed in between; what cannot be made whole is asked for once more."""
    texts = playlists_of_parts(tmp_path)
    sent = [without_old(text, read_progress(text).skip_until or Fraction(12)) for text in texts]
    assert sum("#EXT-X-SKIP" in text for text in sent) > 50
    uris = [(SOURCE / "source" / name).as_uri() for name in ("playlist.js", "playlist_text.js", "hls.js")]
    out = in_node(WHOLE % (*map(json.dumps, uris), json.dumps([texts, sent])))
    assert out["wrong"] == []
    assert out["lacking"] is None
    assert out["same"] == [True] * 4
    queries = [address.partition("?")[2] for address in out["asked"]]
    assert queries[0] == ""
    assert all(query.startswith("_HLS_msn=") for query in queries[1:])
    assert [query.endswith("&_HLS_skip=YES") for query in queries] == [False, True, True, True, False]
