// Feeds cases to the page's readers. Usage: node fuzz.mjs KIND FOLDER. In: length u32 (big-endian), case; out: a line of
// JSON for each, {error, message, documented, ms, rss (MB)}.
import { readFileSync, readSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { SegmentDecoder } from "../../player/web/codec/decode.js";
import { GVideoError, NetworkError } from "../../player/web/codec/errors.js";
import { parseStates } from "../../player/web/codec/contexts.js";
import { parseInit, parseSamples } from "../../player/web/source/boxes.js";
import { joined } from "../../player/web/source/bytes.js";
import { BlobBytes, GsvSource } from "../../player/web/source/gsv.js";
import { Http } from "../../player/web/source/http.js";
import { openSource } from "../../player/web/source/open.js";

const [kind, folder] = process.argv.slice(2);
// Node has no parser of XML, browsers do.
if (kind === "dash") {
  const { JSDOM } = createRequire(new URL("../web/", import.meta.url))("jsdom");
  globalThis.DOMParser = new JSDOM().window.DOMParser;
}
const here = new URL("../../player/web/codec/priors.bin", import.meta.url);
const decoder = new SegmentDecoder(parseStates(new Uint8Array(readFileSync(here))));

/** Files of the folder under http://test/, one of them replaced. */
class Files extends Http {
  constructor(name, content) {
    super();
    Object.assign(this, { name, content });
  }

  read(url) {
    const { host, pathname } = new URL(url);
    try {
      const name = decodeURI(pathname).slice(1);
      if (host === "test" && name === this.name) return this.content;
      if (host === "test") return new Uint8Array(readFileSync(join(folder, name)));
    } catch {
      // as a server says it
    }
    throw new NetworkError(`${url}: the server answers 404`, 404);
  }

  async document(url) {
    return { text: new TextDecoder().decode(this.read(url)), url };
  }

  async date(url) {
    this.read(url);
    return "";
  }

  async bytes(url, { start = 0, end = undefined } = {}) {
    return { bytes: this.read(url).subarray(start, end), start, whole: false };
  }
}

async function play(source) {
  for (const segment of source.segments.slice(0, 3)) {
    const { sequenceUnit, units, maxLayers } = await source.load(segment, source.qualities.length - 1);
    decoder.decode(sequenceUnit, units, maxLayers);
  }
}

async function manifest(data) {
  const cut = data.indexOf(0);
  const name = new TextDecoder().decode(data.subarray(0, cut));
  await play(await openSource(`http://test/${name}`, new Files(name, data.subarray(cut + 1))));
}

const READERS = {
  gsv: async (data) => play(await GsvSource.open(new BlobBytes(new Blob([data])))),
  segments: async (data) => {
    const size = new DataView(data.buffer, data.byteOffset).getUint32(0);
    const tracks = parseInit(data.subarray(4, 4 + size));
    const samples = parseSamples(data.subarray(4 + size), tracks);
    const own = samples.filter(({ trackId }) => tracks.get(trackId).sequenceUnit);
    if (own.length === 0) return;
    const units = joined(own.map((sample) => sample.data));
    decoder.decode(tracks.get(own[0].trackId).sequenceUnit, units);
  },
  hls: manifest,
  dash: manifest,
};

function take(size) {
  const data = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    let got;
    try {
      got = readSync(0, data, at, size - at, null);
    } catch (error) {
      if (error.code === "EAGAIN") continue;
      throw error;
    }
    if (got === 0) return null;
    at += got;
  }
  return data;
}

for (let head; (head = take(4)); ) {
  const data = take(new DataView(head.buffer).getUint32(0));
  const answer = { error: null, message: "", documented: true };
  const started = process.cpuUsage();
  try {
    await READERS[kind](data);
  } catch (error) {
    answer.error = error?.constructor?.name ?? String(error);
    answer.message = String(error?.message);
    answer.documented = error instanceof GVideoError;
    if (!answer.documented) answer.stack = String(error?.stack).split("\n").slice(1, 4).join(" ");
  }
  const used = process.cpuUsage(started);
  answer.ms = (used.user + used.system) / 1000;
  answer.rss = process.memoryUsage.rss() / 1e6;
  writeSync(1, `${JSON.stringify(answer)}\n`);
}
