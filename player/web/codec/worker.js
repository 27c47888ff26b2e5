/** The thread that decodes. In: {id, sequenceUnit, units, maxLayers}; out: {id, segment} or {id, error, kind}. */

import { parseStates } from "./contexts.js";
import { SegmentDecoder } from "./decode.js";
import { GVideoError, NetworkError } from "./errors.js";

async function fetchStates() {
  const url = new URL("priors.bin", import.meta.url);
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) throw new NetworkError(`${url.pathname}: the start states of the decoder cannot be loaded`);
  return parseStates(new Uint8Array(await response.arrayBuffer()));
}

const decoder = fetchStates().then((states) => new SegmentDecoder(states));

self.onmessage = async ({ data: { id, sequenceUnit, units, maxLayers } }) => {
  try {
    const segment = (await decoder).decode(sequenceUnit, units, maxLayers);
    self.postMessage({ id, segment }, { transfer: [segment.gaussians.buffer] });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    self.postMessage({ id, error: message, kind: error instanceof GVideoError ? error.name : "Error" });
  }
};
