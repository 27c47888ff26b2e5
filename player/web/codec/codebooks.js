/** Shared codebooks of a sequence (SYNTAX.md §6.7). A codebook is {entries: [[a, b, c], …], residual, indexBits}. */

import { BitstreamError } from "./errors.js";
import { Reader } from "./fields.js";

/** @import { Codebook } from "../types/internal.d.ts" */

export const SHAPE = 0;
export const COLOUR = 1;
export const LIFE = 2;
const MAX_ENTRIES = 63;
const NAMES = ["shape", "colour", "life"];
/** Lowest and highest value of the components of an entry, by group. */
const LIMITS = [
  [
    [0, 255],
    [0, 255],
    [0, 127],
  ],
  [
    [-1023, 1023],
    [-1023, 1023],
    [-1023, 1023],
  ],
  [
    [0, 31],
    [0, 127],
  ],
];

/** @returns {Codebook[]} */
export function noCodebooks() {
  return NAMES.map(() => ({ entries: [], residual: false, indexBits: 0 }));
}

/** @param {Uint8Array} block
 * @returns {Codebook[]} */
export function parseCodebooks(block) {
  const f = new Reader(block);
  const books = NAMES.map((group, number) => parseCodebook(f, `codebooks.${group}`, LIMITS[number]));
  f.expectEnd("codebooks");
  return books;
}

/** @param {Reader} f
 * @param {string} name
 * @param {number[][]} limits lowest and highest value of each component
 * @returns {Codebook} */
function parseCodebook(f, name, limits) {
  const [[low, high], ...rest] = limits;
  const head = f.varint(name, (MAX_ENTRIES << 1) | 1);
  if (head === 1) throw new BitstreamError(`${name}: a residual of no entries`);
  const entries = [];
  let first = 0;
  for (let k = 0; k < head >> 1; k++) {
    first += f.signed(`${name}.first`, 1 << 11);
    if (first < low || first > high) throw new BitstreamError(`${name}.first: ${first} is outside ${low}..${high}`);
    const entry = [first, 0, 0];
    rest.forEach(([least, most], i) => {
      entry[i + 1] = least < 0 ? f.signed(`${name}.component`, most) : f.varint(`${name}.component`, most);
    });
    entries.push(entry);
  }
  return { entries, residual: (head & 1) === 1, indexBits: 32 - Math.clz32(entries.length) };
}
