/** A segment's bytes to everything that the renderer and the clock want to know of it. */

import { baseColour, dequantise, frameTimes } from "./dequantise.js";
import { frameTicks } from "./headers.js";
import { decodeSegment, openSequence, splitSegment } from "./segment.js";
import { SEGMENT, checksum } from "./units.js";

/** @import { Decoded, Sequence, States } from "../types/internal.d.ts" */

/** Decodes segments against start states; remembers the sequence it decoded last. */
export class SegmentDecoder {
  /** @type {Uint8Array | null} */
  #unit = null;
  /** @type {Sequence | null} */
  #sequence = null;

  /** @param {States} states of priors.bin */
  constructor(states) {
    this.states = states;
  }

  /**
   * @param {Uint8Array} sequenceUnit the sequence unit
   * @param {Uint8Array} units the segment unit and any number of its layer units
   * @param {number} [maxLayers] layers to decode at most
   * @returns {Decoded}
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
      numGaussians: symbols.layerEnds[symbols.layerEnds.length - 1],
      numLayers: symbols.layerEnds.length,
      base: baseColour(symbols.header.base),
      checksum: checksum(SEGMENT, payloads[0]),
      ticks,
      times: frameTimes(ticks),
      problem,
      milliseconds: performance.now() - started,
    };
  }

  /** @param {Uint8Array} unit
   * @returns {Sequence} */
  #open(unit) {
    const same = this.#unit?.length === unit.length && this.#unit.every((byte, i) => byte === unit[i]);
    if (this.#sequence && same) return this.#sequence;
    this.#sequence = openSequence(unit, this.states);
    this.#unit = unit.slice();
    return this.#sequence;
  }
}
