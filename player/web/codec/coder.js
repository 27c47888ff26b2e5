/** The adaptive binary range decoder and the integers made of its bits (SYNTAX.md §6.1 to §6.3).
 *
 * 32-bit quantities are kept unsigned with `>>> 0`; products of a range and a probability stay below 2^32.
 */

import { BitstreamError } from "./errors.js";

/** @import { Contexts } from "../types/internal.d.ts" */

const TOP = 2 ** 24;
const PROBABILITY_ONE = 65536;
export const COUNT_LIMIT = 120;
const MAX_EXPONENT = 24;
/** Adaptation shifts of the slow estimate by number of bits seen. */
const SHIFTS = Uint8Array.from(
  { length: COUNT_LIMIT + 1 },
  (_, n) => 1 + [1, 4, 10, 24, 56, 120].filter((least) => n >= least).length,
);

/** An estimate of the probability of a 0 bit, after a bit.
 * @param {number} p
 * @param {number} bit
 * @param {number} shift */
function adapted(p, bit, shift) {
  const q = bit === 0 ? p + ((PROBABILITY_ONE - p) >> shift) : p - (p >> shift);
  return q < 32 ? 32 : q > PROBABILITY_ONE - 32 ? PROBABILITY_ONE - 32 : q;
}

/** Amplitudes, residuals and differences of trajectories beyond this are not legal. */
export const MAX_MAGNITUDE = 2 ** 20;

export class Decoder {
  /**
   * @param {Uint8Array} bytes one layer's coded bytes; bytes behind the end are 0
   * @param {Contexts} contexts used up
   */
  constructor(bytes, contexts) {
    this.bytes = bytes;
    this.position = 0;
    this.fast = contexts.fast;
    this.slow = contexts.slow;
    this.seen = contexts.seen;
    this.range = 0xffffffff;
    this.code = 0;
    for (let i = 0; i < 4; i++) this.code = ((this.code << 8) | this.#next()) >>> 0;
    if (this.code >= this.range) {
      throw new BitstreamError("layer.bytes: begin with FF FF FF FF, which no encoder writes");
    }
  }

  #next() {
    const byte = this.position < this.bytes.length ? this.bytes[this.position] : 0;
    this.position++;
    return byte;
  }

  /** @param {number} bound */
  #decode(bound) {
    let bit = 0;
    if (this.code < bound) {
      this.range = bound;
    } else {
      bit = 1;
      this.code -= bound;
      this.range -= bound;
    }
    while (this.range < TOP) {
      this.code = ((this.code << 8) | this.#next()) >>> 0;
      this.range = (this.range << 8) >>> 0;
    }
    return bit;
  }

  /** One bit with an adaptive context.
   * @param {number} context */
  bit(context) {
    const fast = this.fast[context];
    const slow = this.slow[context];
    const n = this.seen[context];
    const bit = this.#decode((this.range >>> 16) * ((fast + 3 * slow) >> 2));
    this.fast[context] = adapted(fast, bit, n === 0 ? 1 : 2);
    this.slow[context] = adapted(slow, bit, SHIFTS[n]);
    if (n < COUNT_LIMIT) this.seen[context] = n + 1;
    return bit;
  }

  /** `count` bits at even odds, highest first; count <= 24.
   * @param {number} count */
  raw(count) {
    let value = 0;
    for (let i = 0; i < count; i++) value = (value << 1) | this.#decode(this.range >>> 1);
    return value;
  }

  /** A value of `count` bits through a binary tree of contexts at base.
   * @param {number} base
   * @param {number} count */
  tree(base, count) {
    let node = 1;
    for (let i = 0; i < count; i++) node = (node << 1) | this.bit(base + node - 1);
    return node - (1 << count);
  }

  /** @param {number} base
   * @param {number} numContexts */
  #expGolomb(base, numContexts) {
    let exponent = 0;
    while (exponent < MAX_EXPONENT && this.bit(base + Math.min(exponent, numContexts - 1)) === 1) exponent++;
    return (1 << exponent) + this.raw(exponent) - 1;
  }

  /** Unary with `limit` contexts at base, the rest as Exp-Golomb with 8 contexts behind them.
   * @param {number} base
   * @param {number} limit */
  unary(base, limit) {
    for (let value = 0; value < limit; value++) if (this.bit(base + value) === 0) return value;
    return limit + this.#expGolomb(base + limit, 8);
  }

  /** Magnitude as `unary`, then the sign raw.
   * @param {number} base
   * @param {number} limit */
  signed(base, limit) {
    const magnitude = this.unary(base, limit);
    return magnitude > 0 && this.raw(1) === 1 ? -magnitude : magnitude;
  }
}

/** The value, unless its magnitude is beyond what is legal.
 * @param {number} value */
export function checkedMagnitude(value) {
  if (Math.abs(value) > MAX_MAGNITUDE) throw new BitstreamError(`segment.magnitude: ${value} is out of range`);
  return value;
}
