/** Fields of headers (SYNTAX.md §2), read in order. Every error names the field. */

import { BitstreamError } from "./errors.js";

const MAX_VARINT_BYTES = 9;

export class Reader {
  /** @param {Uint8Array} data */
  constructor(data, position = 0, end = data.length) {
    this.data = data;
    this.position = position;
    this.end = end;
  }

  /** @param {string} name */
  u8(name) {
    if (this.position >= this.end) throw new BitstreamError(`${name}: the data end here`);
    return this.data[this.position++];
  }

  /** An unsigned integer of `size` bytes, at most 4, highest byte first.
   * @param {string} name
   * @param {number} size */
  uint(name, size) {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.u8(name);
    return value;
  }

  /** Seven bits a byte, lowest first. A Number: exact up to 2^53, which is 3000 years of nanosecond ticks.
   * @param {string} name
   * @param {number} limit */
  varint(name, limit = 2 ** 62) {
    let value = 0;
    for (let k = 0; ; k++) {
      if (k === MAX_VARINT_BYTES) throw new BitstreamError(`${name}: a varint of more than ${k} bytes`);
      const byte = this.u8(name);
      value += (byte & 0x7f) * 2 ** (7 * k);
      if (byte < 0x80) break;
    }
    if (value > limit) throw new BitstreamError(`${name}: ${value} is above ${limit}`);
    return value;
  }

  /** @param {string} name
   * @param {number} limit */
  positive(name, limit) {
    const value = this.varint(name, limit);
    if (value < 1) throw new BitstreamError(`${name}: 0, at least 1 wanted`);
    return value;
  }

  /** @param {string} name
   * @param {number} limit */
  signed(name, limit = 2 ** 61) {
    const raw = this.varint(name);
    const value = raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    if (Math.abs(value) > limit) throw new BitstreamError(`${name}: ${value} is outside ±${limit}`);
    return value;
  }

  /** The next `count` bytes, not copied.
   * @param {string} name
   * @param {number} count */
  take(name, count) {
    const left = this.end - this.position;
    if (count > left) throw new BitstreamError(`${name}: ${count} byte(s) wanted, ${left} left`);
    this.position += count;
    return this.data.subarray(this.position - count, this.position);
  }

  /** Bytes with their length before them.
   * @param {string} name */
  block(name) {
    return this.take(name, this.varint(`${name}.length`));
  }

  /** @param {string} name */
  expectEnd(name) {
    const left = this.end - this.position;
    if (left !== 0) throw new BitstreamError(`${name}: ${left} byte(s) behind its last field`);
  }
}
