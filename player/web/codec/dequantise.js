/** Symbols to Gaussians ready to draw (SYNTAX.md §8.1, §8.2); floats from here on. */

import { refinementMatrix } from "./motion.js";
import * as steps from "./steps.js";
import { ANGLE, CENTRE, DURATION, LUMA, NUM_COLUMNS, PRECISION, RATIO, SCALE, TRAJECTORY, X, Y } from "./symbols.js";

/** @import { Sequence, Symbols } from "../types/internal.d.ts" */

/** A life's exponent below this is nothing. */
const LIFE_CUT = -5;
const MIN_LIFE = 0.3;
/** Floats of a Gaussian before its control points: mean x, y; life centre, 1/duration; sigma u, v; cos, sin of the
 * angle; amplitudes Y', Cb, Cr; one unused, so that a texel holds four. */
export const FIXED_FLOATS = 12;

/** Floats of a Gaussian with numControl control points of motion (x, y each), a multiple of four.
 * @param {number} numControl */
export function floatsPerGaussian(numControl) {
  return FIXED_FLOATS + 4 * Math.ceil(numControl / 2);
}

/** Model times of frames from their ticks [T+1]: 0 for the first, T-1 for the last, in proportion.
 * @param {Float64Array} ticks */
export function frameTimes(ticks) {
  const num = ticks.length - 1;
  const span = num < 2 ? 1 : ticks[num - 1];
  return Float64Array.from({ length: num }, (_, k) => (ticks[k] * (num - 1)) / span);
}

/** Gaussians Float32Array [N, floatsPerGaussian] of decodeSegment's symbols. ticks: of the frames, from 0.
 * @param {Symbols} symbols
 * @param {Sequence} sequence
 * @param {Float64Array} ticks */
export function dequantise(symbols, sequence, ticks) {
  const { header, table, residual, layerEnds } = symbols;
  const { rules } = sequence;
  const { width, height } = sequence.header;
  const { numFrames, numControl, numPathControl, cellBits } = header;
  const finer = refinementMatrix(numControl, header.refinement);
  const times = frameTimes(ticks);
  const count = table.length / NUM_COLUMNS;
  const stride = floatsPerGaussian(numPathControl);
  const out = new Float32Array(count * stride);
  let layer = 0;
  const [left, top] = header.margins.map((cells) => cells * 2 ** cellBits);
  const unit = Math.max(width, height) / 4;
  const trajectoryStep = 2 ** rules.trajectory;
  for (let i = 0; i < count; i++) {
    const row = i * NUM_COLUMNS;
    const at = i * stride;
    const precision = table[row + PRECISION];
    const step = steps.scaleStep(precision);
    const ratio = table[row + RATIO] * step;
    const scaleU = table[row + SCALE] * step;
    const sigmaU = 2 ** ((scaleU + steps.SCALE_ORIGIN) / 16);
    const sigmaV = 2 ** ((scaleU - ratio + steps.SCALE_ORIGIN) / 16);
    const angleBits = steps.angleBits(rules, precision, ratio);
    const angle = (Math.PI * table[row + ANGLE]) / 2 ** angleBits;
    const [stepX, stepY] = [0, 1].map((axis) => {
      const wider = steps.widening(ratio, table[row + ANGLE], angleBits, axis);
      return 2 ** steps.positionExponent(rules, precision, scaleU - ratio, wider, cellBits);
    });
    const x = table[row + X] / 16 + stepX / 2 - 0.5 - left;
    const y = table[row + Y] / 16 + stepY / 2 - 0.5 - top;
    const duration = table[row + DURATION];
    const inverse = duration === steps.PERMANENT ? 0 : 2 ** (1 - duration / 2);
    const places = 2 ** steps.centreBits(rules, precision, duration, numFrames);
    const centre = ((table[row + CENTRE] + 0.5) * 2 * numFrames) / places - numFrames / 2;
    while (i >= layerEnds[layer]) layer++;
    const allowedError = 2 ** (4 - header.distortions[layer] / 8);
    const luma = Math.sqrt((12 * allowedError) / (Math.PI * sigmaU * sigmaV * lifeOf(centre, inverse, times)));
    const chroma = (luma * rules.chroma) / 16;
    out[at] = x;
    out[at + 1] = y;
    out[at + 2] = centre;
    out[at + 3] = inverse;
    out[at + 4] = sigmaU;
    out[at + 5] = sigmaV;
    out[at + 6] = Math.cos(angle);
    out[at + 7] = Math.sin(angle);
    out[at + 8] = table[row + LUMA] * luma;
    out[at + 9] = table[row + LUMA + 1] * chroma;
    out[at + 10] = table[row + LUMA + 2] * chroma;
    // a trajectory is affine in the position; the first one is at rest
    const mx = (x - width / 2) / unit;
    const my = (y - height / 2) / unit;
    const trajectory = (table[row + TRAJECTORY] - 1) * numPathControl * 6;
    const residualScale = 2 ** rules.residual;
    const added = residual.subarray(i * 2 * numControl, (i + 1) * 2 * numControl);
    const moves = added.some(Boolean); // most do not
    for (let j = 0; j < 2 * numPathControl; j++) {
      let moved = 0;
      if (moves) finer[j >> 1].forEach((share, k) => (moved += share * added[2 * k + (j & 1)]));
      moved *= (j & 1 ? stepY : stepX) * residualScale;
      if (trajectory >= 0) {
        const f = trajectory + 3 * j;
        moved += (symbols.control[f] + symbols.control[f + 1] * mx + symbols.control[f + 2] * my) * trajectoryStep;
      }
      out[at + FIXED_FLOATS + j] = moved;
    }
  }
  return out;
}

/** Sum over the frames of the squared weight of a life.
 * @param {number} centre
 * @param {number} inverse
 * @param {Float64Array} times */
function lifeOf(centre, inverse, times) {
  if (inverse === 0) return times.length;
  let sum = 0;
  for (const time of times) {
    const exponent = -0.5 * ((time - centre) * inverse) ** 2;
    if (exponent >= LIFE_CUT) sum += Math.exp(2 * exponent);
  }
  return Math.max(sum, MIN_LIFE);
}

/** Base colour: Y' in [0, 1], Cb and Cr around 0.
 * @param {number[]} base as coded
 * @returns {[number, number, number]} */
export function baseColour([luma, blue, red]) {
  return [luma / 1023, (blue - 512) / 1023, (red - 512) / 1023];
}
