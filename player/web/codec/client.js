/** The page's side of the decoding thread. */

import { BitstreamError, GVideoError, NetworkError, UnsupportedError } from "./errors.js";

/** @import { Decoded } from "../types/internal.d.ts" */

/** @type {Record<string, new (message: string) => GVideoError>} */
const KINDS = { BitstreamError, UnsupportedError, NetworkError };

export class DecoderClient {
  #worker;
  /** @type {Map<number, {resolve: (segment: Decoded) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, segment, error, kind } }) => {
      const asked = this.#waiting.get(id);
      if (!asked) return; // given up before, with an error of the whole thread
      this.#waiting.delete(id);
      if (segment) asked.resolve(segment);
      else asked.reject(new (KINDS[kind] ?? GVideoError)(error));
    };
    this.#worker.onerror = (event) =>
      this.#fail(new GVideoError(`The decoder could not start: ${event.message ?? "its script is missing"}`));
  }

  /** SegmentDecoder.decode in the thread.
   * @param {Uint8Array} sequenceUnit
   * @param {Uint8Array} units
   * @param {number} maxLayers
   * @returns {Promise<Decoded>} */
  decode(sequenceUnit, units, maxLayers) {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, sequenceUnit, units, maxLayers });
    });
  }

  dispose() {
    this.#worker.terminate();
    this.#fail(new GVideoError("The player was closed."));
  }

  /** @param {Error} error */
  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
