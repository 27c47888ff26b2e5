/** The page's side of the decoding thread. */

import { BitstreamError, GVideoError, NetworkError, UnsupportedError } from "./errors.js";

const KINDS = { BitstreamError, UnsupportedError, NetworkError };

export class DecoderClient {
  #worker;
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, segment, error, kind } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (segment) resolve(segment);
      else reject(new (KINDS[kind] ?? GVideoError)(error));
    };
    this.#worker.onerror = (event) =>
      this.#fail(new GVideoError(`The decoder could not start: ${event.message ?? "its script is missing"}`));
  }

  /** SegmentDecoder.decode in the thread. */
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

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
