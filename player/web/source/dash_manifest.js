/** A DASH manifest that is read again while it grows, once for all that play parts of it. */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { parseSegmentIndex } from "./boxes.js";
import { shortName } from "./http.js";
import { parseManifest } from "./mpd.js";
import { ManifestClock } from "./utc.js";

/** @import { Http } from "./http.js" */
/** @import { Manifest, MpdIndex, MpdPeriod, MpdSegment, Representation } from "../types/internal.d.ts" */

/** It is not read more often than this, however many of its parts ask. */
const LEAST_MS = 400;

export class DashManifest {
  /** @type {Manifest | null} */
  #manifest = null;
  #text = "";
  /** Its address behind redirects. */
  #base = "";
  #readAt = -Infinity;
  #clock = new ManifestClock();
  /** @type {Promise<Manifest> | null} */
  #reading = null;
  /** @type {Map<string, number>} */
  #parts = new Map();
  /** @type {Map<string, Promise<MpdSegment[]>>} */
  #indices = new Map();

  /** @param {Http} http
   * @param {string} url */
  constructor(http, url) {
    this.http = http;
    this.url = url;
  }

  /** @param {AbortSignal} [signal]
   * @param {boolean} again
   * @returns {Promise<Manifest>} */
  async read(signal, again = false) {
    const fresh = !again || performance.now() - this.#readAt < LEAST_MS;
    if (this.#manifest && (fresh || this.#manifest.ended)) return this.#manifest;
    this.#reading ??= this.#read(signal).finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** @param {AbortSignal} [signal] */
  async #read(signal) {
    // without minimumUpdatePeriod it is the clock alone that brings new segments
    if (!this.#manifest || this.#manifest.updateSeconds !== null) {
      const found = await this.http.document(this.#manifest?.location ?? this.url, { signal });
      this.#text = found.text;
      this.#base = found.url;
    }
    const known = this.#clock.isKnown;
    const parsed = () => this.named(() => parseManifest(this.#text, this.#base, this.#clock.now()));
    let manifest = parsed();
    if (!known && manifest.clocks.length > 0) {
      await this.#clock.ask(manifest.clocks, this.http, signal);
      manifest = parsed();
    }
    this.#manifest = manifest;
    this.#readAt = performance.now();
    return this.#manifest;
  }

  /** The number of a period, the same whenever it is read.
   * @param {MpdPeriod} period */
  partOf({ id }) {
    const part = this.#parts.get(id) ?? this.#parts.size;
    this.#parts.set(id, part);
    return part;
  }

  /** @param {Representation} representation
   * @param {AbortSignal} [signal]
   * @returns {Promise<MpdSegment[]>} */
  async segmentsOf(representation, signal) {
    const found = this.named(() => representation.segments());
    if ("segments" in found) return found.segments;
    const key = `${found.index.url} ${found.index.start}`;
    const listed = this.#indices.get(key) ?? this.#listed(found.index, signal);
    this.#indices.set(key, listed);
    listed.catch(() => this.#indices.delete(key));
    return listed;
  }

  /** Segments of a file with an index over itself.
   * @param {MpdIndex} index
   * @param {AbortSignal} [signal]
   * @returns {Promise<MpdSegment[]>} */
  async #listed({ url, start, end, map, origin }, signal) {
    const { bytes, whole } = await this.http.bytes(url, { start, end, signal });
    const references = parseSegmentIndex(whole ? bytes.subarray(start, end) : bytes, end);
    return references.map((reference) => ({ ...reference, url, map, origin }));
  }

  /** What a function answers; its errors name the manifest.
   * @template T
   * @param {() => T} read
   * @returns {T} */
  named(read) {
    try {
      return read();
    } catch (error) {
      const Kind = error instanceof UnsupportedError ? UnsupportedError : ContainerError;
      if (!(error instanceof ContainerError || error instanceof UnsupportedError)) throw error;
      throw new Kind(`${shortName(this.url)}: ${error.message}`);
    }
  }
}
