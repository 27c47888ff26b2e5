// Parts of the page that need no browser: playlists, captions, choice of quality, splines.
import assert from "node:assert/strict";
import test from "node:test";

import { DecoderClient } from "../../player/web/codec/client.js";
import { splineWeights } from "../../player/web/codec/motion.js";
import { Throughput, chooseQuality } from "../../player/web/playback/abr.js";
import { parseVtt } from "../../player/web/playback/captions.js";
import { MediaFeeder } from "../../player/web/playback/feeder.js";
import { SegmentStore } from "../../player/web/playback/store.js";
import { MediaPlaylist } from "../../player/web/source/hls.js";
import { Http } from "../../player/web/source/http.js";
import { parsePlaylist } from "../../player/web/source/playlist.js";
import { ManifestClock, aheadOf, kindOfClock } from "../../player/web/source/utc.js";

const URL_OF = "http://host/a/list.m3u8";

test("a master playlist", () => {
  const { master } = parsePlaylist(
    `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English, loud",LANGUAGE="en",DEFAULT=YES,URI="a0.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=8,SCORE=2,CODECS="gsv1.00.20.08,mp4a.40.2",RESOLUTION=64x48,AUDIO="a"
b/v.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=5,URI="i.m3u8"`,
    URL_OF,
  );
  assert.deepEqual(master.renditions, [
    { type: "AUDIO", group: "a", name: "English, loud", language: "en", isDefault: true, url: "http://host/a/a0.m3u8" },
  ]);
  assert.deepEqual(master.variants, [
    {
      url: "http://host/a/b/v.m3u8",
      bandwidth: 9,
      averageBandwidth: 8,
      score: 2,
      codecs: ["gsv1.00.20.08", "mp4a.40.2"],
      width: 64,
      height: 48,
      audio: "a",
      subtitles: null,
    },
  ]);
});

test("variables of playlists, in addresses and quoted strings", () => {
  const { master } = parsePlaylist(
    `#EXTM3U
#EXT-X-DEFINE:NAME="show",VALUE="film"
#EXT-X-DEFINE:QUERYPARAM="user"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{$show}",URI="{$show}/sound.m3u8?u={$user}"
#EXT-X-STREAM-INF:BANDWIDTH=9,AUDIO="a"
{$show}/v.m3u8`,
    "http://host/m.m3u8?user=%C3%A9",
  );
  assert.equal(master.renditions[0].name, "film");
  assert.equal(master.renditions[0].url, "http://host/film/sound.m3u8?u=%C3%A9");
  assert.equal(master.variants[0].url, "http://host/film/v.m3u8");
  const read = (/** @type {string} */ defined) =>
    parsePlaylist(
      `\ufeff#EXTM3U\r\n${defined}\r\n#EXT-X-MAP:URI="{$show}.mp4"\r\n#EXTINF:2,{$title}\r\n{$show}1.m4s?t={$token}\r\n`,
      "http://host/x/v.m3u8?token=a%2Bb&none=",
      master.variables,
    ).media;
  const importing = '#EXT-X-DEFINE:IMPORT="show"\r\n#EXT-X-DEFINE:QUERYPARAM="token"';
  const [segment] = read(importing).segments;
  assert.equal(segment.url, "http://host/x/film1.m4s?t=a+b");
  assert.equal(segment.map.url, "http://host/x/film.mp4");
  assert.match(read("").segments[0].url, /\$show/); // it defines nothing
  for (const [wrong, words] of [
    ['#EXT-X-DEFINE:IMPORT="user2"', /no value of user2/],
    ['#EXT-X-DEFINE:NAME="a"', /no value of a/],
    ['#EXT-X-DEFINE:QUERYPARAM="none"', /no value of none/],
    ['#EXT-X-DEFINE:NAME="a",VALUE="1",IMPORT="show"', /one of NAME, IMPORT and QUERYPARAM/],
    [`${importing}\n#EXT-X-DEFINE:NAME="show",VALUE="1"`, /defines show twice/],
    ['#EXT-X-DEFINE:IMPORT="show"', /token is used before/],
  ])
    assert.throws(() => read(wrong), { name: "ContainerError", message: words });
});

test("a playlist is read by its address behind redirects", async () => {
  const texts = {
    "http://host/v.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.m4s\n#EXT-X-ENDLIST",
  };
  const original = globalThis.fetch;
  globalThis.fetch = async (url) =>
    /** @type {any} */ ({ ok: true, status: 200, url: "http://moved/deep/v.m3u8", text: async () => texts[url] });
  try {
    const playlist = new MediaPlaylist(new Http(), "http://host/v.m3u8");
    assert.equal((await playlist.get()).segments[0].url, "http://moved/deep/1.m4s");
  } finally {
    globalThis.fetch = original;
  }
});

test("a media playlist with ranges that follow one another", () => {
  const { media } = parsePlaylist(
    `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="all.mp4",BYTERANGE="90@10"
#EXTINF:1.5,
#EXT-X-BYTERANGE:20@100
all.mp4
#EXT-X-DISCONTINUITY
#EXTINF:2,title
#EXT-X-BYTERANGE:30
all.mp4
#EXTINF:2,
other.m4s
#EXT-X-ENDLIST`,
    URL_OF,
  );
  assert.equal(media.ended, true);
  assert.deepEqual(
    media.segments.map((s) => [s.number, s.duration, s.start, s.end, s.discontinuity]),
    [
      [7, 1.5, 100, 120, 0],
      [8, 2, 120, 150, 1],
      [9, 2, 0, undefined, 1],
    ],
  );
  assert.deepEqual(media.segments[2].map, { url: "http://host/a/all.mp4", start: 10, end: 100 });
});

test("what is no playlist, or an encrypted one, is refused in words", () => {
  assert.throws(() => parsePlaylist("<html>", URL_OF), /first line is not #EXTM3U/);
  assert.throws(() => parsePlaylist("#EXTM3U\nseg.m4s", URL_OF), /seg.m4s has no EXTINF/);
  assert.throws(() => parsePlaylist('#EXTM3U\n#EXT-X-MAP:BYTERANGE="90@10"', URL_OF), /EXT-X-MAP has no URI/);
  assert.throws(() => parsePlaylist('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"', URL_OF), /encrypted/);
});

test("captions", () => {
  const cues = parseVtt(
    "WEBVTT\r\n\r\nNOTE x\r\n\r\nname\r\n00:01.500 --> 01:00:02.000 align:start\r\n<v Ann>Salt</v> &amp; pepper\r\ntwo\r\n\r\n00:09.000 --> 00:08.000\r\nback\r\n",
  );
  assert.deepEqual(cues, [{ start: 1.5, end: 3602, text: "Salt & pepper\ntwo" }]);
});

test("the quality follows the throughput", () => {
  const qualities = [1e5, 4e5, 2e6].map((bandwidth) => ({ bandwidth }));
  const throughput = new Throughput();
  assert.equal(chooseQuality(qualities, throughput.rate), 1); // before anything is known
  for (let i = 0; i < 5; i++) throughput.add(1e6, 1000); // 8 Mbit/s
  assert.equal(chooseQuality(qualities, throughput.rate), 2);
  for (let i = 0; i < 5; i++) throughput.add(20000, 2000); // 80 kbit/s
  assert.equal(chooseQuality(qualities, throughput.rate), 0);
  assert.ok(throughput.rate < 4e5);
});

test("spline weights sum to one and only existing control points count", () => {
  for (let points = 1; points <= 16; points++) {
    for (let k = 0; k <= 20; k++) {
      const { first, weights } = splineWeights((k * 9) / 20, 10, points);
      assert.ok(Math.abs(weights.reduce((a, b) => a + b) - 1) < 1e-12);
      assert.ok(weights.every((w, j) => w >= -1e-12 && (w === 0 || first + j < points)));
    }
  }
});

test("an answer of the decoding thread that nobody waits for any more is passed over", async () => {
  let worker;
  globalThis.Worker = class {
    constructor() {
      worker = this;
    }
    postMessage() {}
  };
  const client = new DecoderClient();
  const first = client.decode(new Uint8Array(0), new Uint8Array(0), 1);
  worker.onerror({ message: "broken" });
  await assert.rejects(first, /could not start: broken/);
  worker.onmessage({ data: { id: 0, segment: "late" } });
  const second = client.decode(new Uint8Array(0), new Uint8Array(0), 1);
  worker.onmessage({ data: { id: 1, segment: "decoded" } });
  assert.equal(await second, "decoded");
});

test("sound without an init segment is refused in words", async () => {
  globalThis.MediaSource = class extends EventTarget {
    static isTypeSupported = () => true;
    readyState = "open";
    addSourceBuffer = () => ({});
    constructor() {
      super();
      setTimeout(() => this.dispatchEvent(new Event("sourceopen")));
    }
  };
  Object.assign(URL, { createObjectURL: () => "blob:1", revokeObjectURL: () => {} });
  const text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.aac\n#EXT-X-ENDLIST";
  const http = { document: async (/** @type {string} */ url) => ({ text, url }) };
  const source = { http, segments: [{ number: 0, start: 0 }], timeOffsets: new Map([[0, 0]]) };
  const feeder = new MediaFeeder({}, source, new MediaPlaylist(http, URL_OF), "audio/mp4");
  await feeder.open();
  await assert.rejects(feeder.aim(0), { name: "ContainerError", message: "a.aac: the playlist names no EXT-X-MAP" });
});

test("the store asks the rule that was chosen", () => {
  const qualities = [1e5, 4e5, 2e6].map((bandwidth) => ({ bandwidth }));
  const source = { qualities, segments: [{ number: 0, start: 0, duration: 2 }] };
  const throughput = new Throughput();
  for (let i = 0; i < 5; i++) throughput.add(1e6, 1000); // 8 Mbit/s
  const store = new SegmentStore(source, null, throughput, {});
  assert.equal(store.target, 2);
  store.adaptation = "bola-basic"; // nothing in the buffer
  assert.equal(store.target, 0);
  store.adaptation = "mpc"; // a change costs less than five segments of the better one gain
  assert.equal(store.target, 2);
  for (const quality of qualities) quality.bandwidth = 0; // of which nothing is known
  assert.equal(store.target, 2);
  store.wanted = 1;
  assert.equal(store.target, 1);
});

test("the clock of a manifest: the first one that answers", async () => {
  assert.equal(kindOfClock("urn:mpeg:dash:utc:http-head:2014"), "http-head");
  assert.equal(kindOfClock("urn:mpeg:dash:utc:ntp:2014"), "");
  assert.equal(kindOfClock(null), "");
  const now = () => Date.parse("2026-01-02T03:04:05Z");
  const http = {
    date: async (/** @type {string} */ url) => (url === "http://a/" ? "" : "Fri, 02 Jan 2026 03:05:05 GMT"),
    text: async () => Promise.reject(new Error("gone")),
  };
  const clocks = [
    { kind: "http-iso", value: "http://c/" },
    { kind: "http-head", value: "http://a/" },
    { kind: "http-head", value: "http://b/" },
  ];
  assert.equal(await aheadOf(clocks, /** @type {any} */ (http), now), 60000);
  assert.equal(await aheadOf(clocks.slice(0, 2), /** @type {any} */ (http), now), 0);
  assert.equal(await aheadOf([{ kind: "direct", value: "2026-01-02T03:04:04Z" }], /** @type {any} */ (http), now), -1000);
});

test("the clock of a manifest is asked again when this machine's was set anew", async () => {
  let steady = 0;
  let off = 0;
  let asked = 0;
  const truth = () => Date.parse("2026-01-02T03:04:05Z") + steady;
  const http = { text: async () => (asked++, new Date(truth()).toISOString()) };
  const clock = new ManifestClock(
    () => truth() - 60000 + off,
    () => steady,
  );
  const read = async () => {
    if (!clock.isKnown) await clock.ask([{ kind: "http-iso", value: "http://a/" }], /** @type {any} */ (http));
    return clock.now() - truth();
  };
  assert.equal(await read(), 0);
  steady = 100000;
  assert.equal(await read(), 0);
  assert.equal(asked, 1);
  for (const jump of [-86400000, 3000, 86400000]) {
    off = jump;
    assert.equal(await read(), 0);
  }
  assert.equal(asked, 4);
});
