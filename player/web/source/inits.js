/** Init segments, each fetched once. */

import { parseInit } from "./boxes.js";

/** @import { Http } from "./http.js" */
/** @import { InitMap, InitTrack } from "../types/internal.d.ts" */

/** Init segments by address and range. */
export class InitCache {
  /** @type {Map<string, Promise<{bytes: Uint8Array<ArrayBuffer>, tracks: Map<number, InitTrack>}>>} */
  #found = new Map();

  /** @param {Http} http */
  constructor(http) {
    this.http = http;
  }

  /** Tracks (boxes.parseInit) and bytes of an EXT-X-MAP.
   * @param {InitMap} map
   * @param {AbortSignal} [signal]
   * @returns {Promise<{bytes: Uint8Array<ArrayBuffer>, tracks: Map<number, InitTrack>}>} */
  get(map, signal) {
    const key = `${map.url} ${map.start} ${map.end}`;
    const found = this.#found.get(key);
    if (found) return found;
    const fetched = this.#fetch(map, signal);
    this.#found.set(key, fetched);
    fetched.catch(() => this.#found.delete(key));
    return fetched;
  }

  /** @param {InitMap} map
   * @param {AbortSignal} [signal] */
  async #fetch(map, signal) {
    const { bytes, whole } = await this.http.bytes(map.url, { start: map.start, end: map.end, signal });
    const own = whole ? bytes.subarray(map.start, map.end) : bytes;
    return { bytes: own, tracks: parseInit(own) };
  }
}
