// Reads a published folder with the parsers of others; prints what they found as JSON.
// usage: node parse.mjs DIR
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseMpd } from "mpd-parser";
import { Parser } from "m3u8-parser";
import * as MP4Box from "mp4box";

const HLS = createRequire(import.meta.url)("hls-parser");
const folder = process.argv[2];
const text = (name) => readFileSync(join(folder, name), "utf8");
const found = { hlsParser: {}, m3u8Parser: {}, mpd: {}, mp4box: {} };

HLS.setOptions({ strictMode: true });
const master = HLS.parse(text("master.m3u8"));
found.hlsParser.variants = master.variants.map((v) => ({
  uri: v.uri, bandwidth: v.bandwidth, average: v.averageBandwidth, codecs: v.codecs, score: v.score, keys: v.isIFrameOnly,
  width: v.resolution.width, rate: v.frameRate, audio: v.audio.length, subtitles: v.subtitles.length,
}));
found.hlsParser.rungs = {};
for (const variant of master.variants) {
  const rung = HLS.parse(text(variant.uri));
  found.hlsParser.rungs[variant.uri] = {
    ended: rung.endlist, durations: rung.segments.map((s) => s.duration), ranges: rung.segments.map((s) => s.byterange),
    map: rung.segments[0].map.uri,
  };
}

const read = (name) => {
  const parser = new Parser();
  parser.push(text(name));
  parser.end();
  return parser.manifest;
};
const top = read("master.m3u8");
found.m3u8Parser.playlists = top.playlists.map((p) => ({ uri: p.uri, ...p.attributes }));
found.m3u8Parser.audio = Object.keys(top.mediaGroups.AUDIO.audio || {});
found.m3u8Parser.rung = read(top.playlists[0].uri).segments.map((s) => [s.uri, s.duration, s.byterange]);

const mpd = parseMpd(text("manifest.mpd"), { manifestUri: "http://x/manifest.mpd" });
found.mpd = {
  duration: mpd.duration,
  playlists: mpd.playlists.map((p) => ({
    codecs: p.attributes.CODECS, bandwidth: p.attributes.BANDWIDTH, sidx: Boolean(p.sidx),
    segments: p.segments.map((s) => [s.resolvedUri, s.duration, s.byterange]),
  })),
  audio: Object.keys(mpd.mediaGroups.AUDIO.audio || {}),
  subtitles: Object.keys(mpd.mediaGroups.SUBTITLES.subs || {}),
};

// every prefix of every layered segment behind its init segment
for (const [uri, rung] of Object.entries(found.hlsParser.rungs)) {
  const file = MP4Box.createFile();
  const samples = {};
  let info = null;
  let offset = 0;
  const append = (bytes) => {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    buffer.fileStart = offset;
    offset += buffer.byteLength;
    file.appendBuffer(buffer);
  };
  file.onReady = (x) => {
    info = x;
    for (const track of x.tracks) file.setExtractionOptions(track.id, null, { nbSamples: 1 });
    file.start();
  };
  file.onSamples = (id, _, list) => { (samples[id] ||= []).push(...list.map((s) => [s.dts, s.cts, s.duration, s.size, s.is_sync])); };
  const segments = HLS.parse(text(uri)).segments;
  append(readFileSync(join(folder, rung.map)));
  for (const s of segments) {
    const bytes = readFileSync(join(folder, s.uri));
    append(s.byterange ? bytes.subarray(s.byterange.offset, s.byterange.offset + s.byterange.length) : bytes);
  }
  file.flush();
  const kinds = [];
  const walk = (boxes) => { for (const b of boxes || []) { kinds.push(b.type); walk(b.boxes); } };
  walk(file.boxes);
  const leva = file.moov.mvex.boxes.find((b) => b.type === "leva");
  found.mp4box[uri] = {
    brands: info.brands, fragmented: info.isFragmented, samples, kinds: [...new Set(kinds)],
    tracks: info.tracks.map((t) => [t.id, t.codec, t.timescale, t.track_width, t.track_height]),
    levels: leva ? leva.levels.map((l) => l.track_id ?? l.track_ID) : [],
    ranges: file.boxes.filter((b) => b.type === "ssix").map((b) => b.subsegments[0].ranges.map((r) => [r.level, r.range_size])),
  };
}
console.log(JSON.stringify(found));
