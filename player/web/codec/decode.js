/** A segment's bytes to everything that the renderer and the clock want to know of it. */

import { baseColour, dequantise, frameTimes } from "./dequantise.js";
import { frameTicks } from "./headers.js";
import { decodeSegment, openSequence, splitSegment } from "./segment.js";
import { SEGMENT, checksum } from "./units.js";

/** Decodes segments against start states; remembers the sequence it decoded last. */
export class SegmentDecoder {
  #unit = null;
  #sequence = null;

  /** @param {{probability: Uint16Array, seen: Uint8Array}} states of priors.bin */
  constructor(states) {
    this.states = states;
  }

  /**
   * @param {Uint8Array} sequenceUnit the sequence unit
   * @param {Uint8Array} units the segment unit and any number of its layer units
   * @param {number} [maxLayers] layers to decode at most
   * @returns {object} sequence, header: their headers · gaussians Float32Array, base [3]: for the renderer ·
   *   checksum: of the segment unit, for the grain · numGaussians, numLayers · ticks Float64Array [T+1],
   *   times Float64Array [T]: of the frames · problem: what cost the upper layers, or null · milliseconds: the time
   *   that decoding took
   */
  decode(sequenceUnit, units, maxLayers = Infinity) {
    const started = performance.now();
    const sequence = this.#open(sequenceUnit);
    const { payloads, problem } = splitSegment(units);
    const symbols = decodeSegment(payloads.slice(0, maxLayers), sequence);
    const ticks = frameTicks(symbols.header, sequence.header.frameDuration);
    return {
      sequence: sequence.header,
      header: symbols.header,
      gaussians: dequantise(symbols, sequence, ticks),
      numGaussians: symbols.layerEnds.at(-1),
      numLayers: symbols.layerEnds.length,
      base: baseColour(symbols.header.base),
      checksum: checksum(SEGMENT, payloads[0]),
      ticks,
      times: frameTimes(ticks),
      problem,
      milliseconds: performance.now() - started,
    };
  }

  #open(unit) {
    const same = this.#unit?.length === unit.length && this.#unit.every((byte, i) => byte === unit[i]);
    if (!same) {
      this.#sequence = openSequence(unit, this.states);
      this.#unit = unit.slice();
    }
    return this.#sequence;
  }
}
