/** Numbers of the contexts (SYNTAX.md §6.4) and their start states (§6.6). */

import { COUNT_LIMIT } from "./coder.js";
import { BitstreamError } from "./errors.js";
import { Reader } from "./fields.js";

/** @import { States } from "../types/internal.d.ts" */

const SIZES = {
  cellExponent: 124,
  cellMantissa: 25,
  precision: 70,
  scaleOctave: 120,
  scaleFraction: 75,
  ratio: 2048,
  angle: 189,
  permanent: 32,
  duration: 496,
  centre: 180,
  trajectorySame: 28,
  trajectorySecond: 28,
  trajectory: 63,
  residualFlag: 16,
  residualZero: 45,
  residual: 16,
  luma: 176,
  lumaSign: 3,
  blueZero: 24,
  blue: 1056,
  redZero: 24,
  red: 528,
  chromaSign: 6,
  control: 432,
  vectorIndex: 756,
  vectorRefined: 12,
  vectorResidual: 126,
};

/** The first context of each block, by name. */
export const CONTEXT = /** @type {Record<keyof typeof SIZES, number>} */ ({});
let next = 0;
for (const [name, size] of Object.entries(SIZES)) {
  CONTEXT[/** @type {keyof typeof SIZES} */ (name)] = next;
  next += size;
}
export const NUM_CONTEXTS = next;

const AGES = [2, 6, 14, 30];
const QUARTERS = [32768, 27554, 23170, 19484];

/** {probability, seen} of a table (u16, u8 per context); contexts behind its end know nothing.
 * @param {Uint8Array} table
 * @returns {States} */
export function parseStates(table) {
  if (table.length % 3 !== 0 || table.length > 3 * NUM_CONTEXTS) {
    throw new BitstreamError(`priors.bin: ${table.length} bytes, ${3 * NUM_CONTEXTS} wanted`);
  }
  const probability = new Uint16Array(NUM_CONTEXTS).fill(32768);
  const seen = new Uint8Array(NUM_CONTEXTS);
  for (let i = 0; 3 * i < table.length; i++) {
    probability[i] = Math.min(Math.max((table[3 * i] << 8) | table[3 * i + 1], 32), 65504);
    seen[i] = Math.min(table[3 * i + 2], COUNT_LIMIT);
  }
  return { probability, seen };
}

/** States with the corrections of a sequence's block in their place.
 * @param {States} states
 * @param {Uint8Array} block
 * @returns {States} */
export function correctedStates(states, block) {
  const probability = states.probability.slice();
  const seen = states.seen.slice();
  const f = new Reader(block);
  const count = f.varint("priors.count", NUM_CONTEXTS);
  let context = -1;
  for (let i = 0; i < count; i++) {
    context += 1 + f.varint("priors.context", NUM_CONTEXTS);
    if (context >= NUM_CONTEXTS) throw new BitstreamError(`priors.context: ${context}, there are ${NUM_CONTEXTS}`);
    const code = f.u8("priors.state");
    const rare = QUARTERS[(code >> 2) & 3] >> ((code >> 4) & 7);
    probability[context] = code & 128 ? rare : 65536 - rare;
    seen[context] = AGES[code & 3];
  }
  f.expectEnd("priors");
  return { probability, seen };
}
