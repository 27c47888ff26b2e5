/** Matrices from Y'CbCr (range removed) to R'G'B' by code point of ISO/IEC 23091-2. Planes stay gamma-coded, so the
 * transfer characteristics are not applied, as in the Python decoder (gvideo/media/colour.py). */

/** @import { SequenceHeader } from "../types/gvideo-player.d.ts" */

const YCGCO = 8;
/** Weights of R' and B' in Y'.
 * @type {Record<number, [number, number]>} */
const LUMA_WEIGHTS = {
  1: [0.2126, 0.0722],
  4: [0.3, 0.11],
  5: [0.299, 0.114],
  6: [0.299, 0.114],
  7: [0.212, 0.087],
  9: [0.2627, 0.0593],
  10: [0.2627, 0.0593],
};

/** The matrix in columns, as uniformMatrix3fv wants it: 9 numbers.
 * @param {number} codePoint */
export function rgbMatrix(codePoint) {
  if (codePoint === YCGCO) return [1, 1, 1, -1, 1, -1, 1, 0, -1];
  const [red, blue] = LUMA_WEIGHTS[codePoint];
  const green = 1 - red - blue;
  const fromBlue = 2 * (1 - blue);
  const fromRed = 2 * (1 - red);
  return [1, 1, 1, 0, (-fromBlue * blue) / green, fromBlue, fromRed, (-fromRed * red) / green, 0];
}

/** @type {Record<number, string>} */
const TRANSFERS = { 16: "PQ", 18: "HLG" };

/** A remark on colour that this page does not show as meant, or "".
 * @param {SequenceHeader} header */
export function colourRemark(header) {
  const name = TRANSFERS[header.transfer];
  return name ? `${name} video: shown without tone mapping` : "";
}
