/** Units (SYNTAX.md §3): type u8 | length varint | payload | CRC-32 of type and payload. */

import { BitstreamError, UnsupportedError } from "./errors.js";
import { Reader } from "./fields.js";

/** @import { Unit } from "../types/internal.d.ts" */

export const SIGNATURE = Uint8Array.of(0x89, 0x47, 0x53, 0x56);
export const SEQUENCE = 1;
export const INDEX = 2;
export const SEGMENT = 3;
export const LAYER = 4;
/** @type {Record<number, string>} */
const NAMES = { 1: "sequence", 2: "index", 3: "segment", 4: "layer", 5: "metadata" };
const FIRST_REQUIRED = 0x80;
const MAX_LENGTH = 2 ** 30;
const CRC_BYTES = 4;
/** Type, the longest length, checksum. */
export const MAX_OVERHEAD = 1 + 5 + CRC_BYTES;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let i = 0; i < 8; i++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of a unit's type and payload.
 * @param {number} kind
 * @param {Uint8Array} payload */
export function checksum(kind, payload) {
  let crc = (0xffffffff >>> 8) ^ CRC_TABLE[(0xffffffff ^ kind) & 0xff];
  for (const byte of payload) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}

/** @param {number} kind */
export function nameOf(kind) {
  return NAMES[kind] ?? `unit 0x${kind.toString(16)}`;
}

/** {kind, payloadStart, payloadEnd, end} of the unit at `offset` of data, which may end within it.
 * @param {Uint8Array} data
 * @param {number} offset
 * @returns {Unit} */
export function parseUnitHeader(data, offset = 0) {
  const reader = new Reader(data, offset);
  const kind = reader.u8("unit.type");
  const length = reader.varint("unit.length", MAX_LENGTH);
  if (kind >= FIRST_REQUIRED) {
    throw new UnsupportedError(`unit.type: 0x${kind.toString(16)} is required by this stream and unknown here`);
  }
  const payloadEnd = reader.position + length;
  return { kind, payloadStart: reader.position, payloadEnd, end: payloadEnd + CRC_BYTES };
}

/** The payload of a unit within data, its checksum verified.
 * @param {Uint8Array} data
 * @param {Unit} unit */
export function checkedPayload(data, unit) {
  const name = nameOf(unit.kind);
  if (unit.end > data.length) throw new BitstreamError(`${name}: ${unit.end - data.length} byte(s) missing`);
  const payload = data.subarray(unit.payloadStart, unit.payloadEnd);
  const crc = new Reader(data, unit.payloadEnd, unit.end).uint(`${name}.crc`, CRC_BYTES);
  if (checksum(unit.kind, payload) !== crc) {
    throw new BitstreamError(`${name}.crc: the checksum differs, the ${name} unit is damaged`);
  }
  return payload;
}

/** Every unit of data from `offset` on, in order.
 * @param {Uint8Array} data
 * @param {number} offset */
export function* unitsOf(data, offset = 0) {
  while (offset < data.length) {
    const unit = parseUnitHeader(data, offset);
    yield unit;
    offset = unit.end;
  }
}
