/**
 * Gaussians to sums on the processor, for browsers whose WebGL2 is drawn by it too: a quad with blending costs such a
 * renderer many times what its pixels do. The same sums as the shaders' (SYNTAX.md §8.3) but for rounding.
 */

import { FIXED_FLOATS, floatsPerGaussian } from "../codec/dequantise.js";
import { splineWeights } from "../codec/motion.js";
import { ROW_MODULE } from "./sums_row.js";

/** @import { Size, View } from "../types/gvideo-player.d.ts" */
/** @import { Decoded } from "../types/internal.d.ts" */

/** Adds `count` pixels of a Gaussian from a place (bytes) on: weight of the first one, ratio of the second's to it, and
 * the factor from each ratio to the next; amplitude in Y', Cb, Cr.
 * @typedef {(place: number, count: number, weight: number, ratio: number, bend: number, luma: number, blue: number,
 *   red: number) => void} AddRow */

/** The support ends where the exponent is -4, and what is left there is taken off everywhere. */
const CUT = 4;
const FLOOR = Math.exp(-CUT);
const LIFE_CUT = 5;
/** Weights follow from one another in 32-bit floats over no more pixels than this. */
const LONGEST_RUN = 256;
const PIXEL_BYTES = 16;
const PAGE_BYTES = 65536;

/** @type {WebAssembly.Module | null | undefined} */
let compiled;

/** The module of rows, null where WebAssembly or its vectors are missing or a page's policy forbids them. */
function rowModule() {
  if (compiled === undefined) {
    try {
      compiled = new WebAssembly.Module(Uint8Array.from(atob(ROW_MODULE), (c) => c.charCodeAt(0)));
    } catch {
      compiled = null;
    }
  }
  return compiled;
}

/** Sums of a picture: four floats a pixel, Y', Cb, Cr and one that is not used, top row first. */
export class Sums {
  /** @type {WebAssembly.Memory | null} */
  #memory = null;
  /** @type {AddRow} */
  #addRow = (place, count, weight, ratio, bend, luma, blue, red) =>
    addRow(this.values, place, count, weight, ratio, bend, luma, blue, red);
  values = new Float32Array(0);

  /** @param {boolean} script whether to do without WebAssembly */
  constructor(script = false) {
    const module = script ? null : rowModule();
    if (!module) return;
    const { memory, row } = new WebAssembly.Instance(module).exports;
    this.#memory = /** @type {WebAssembly.Memory} */ (memory);
    this.#addRow = /** @type {AddRow} */ (row);
  }

  /** The name of what adds. */
  get name() {
    return this.#memory ? "WebAssembly" : "JavaScript";
  }

  /**
   * @param {Decoded} segment
   * @param {number} time model time in frames
   * @param {View} view the part of the picture as coded
   * @param {Size} size output px
   */
  draw(segment, time, view, { width, height }) {
    this.#resize(4 * width * height);
    const { header, sequence, gaussians, numGaussians } = segment;
    const stride = floatsPerGaussian(header.numPathControl);
    const { first, weights } = splineWeights(time, header.numFrames, header.numPathControl);
    const scaleX = width / (view.width * sequence.width);
    const scaleY = height / (view.height * sequence.height);
    const [left, top] = [view.x * sequence.width, view.y * sequence.height];
    for (let n = 0, at = 0; n < numGaussians; n++, at += stride) {
      const age = (time - gaussians[at + 2]) * gaussians[at + 3];
      const life = -0.5 * age * age;
      if (life < -LIFE_CUT) continue;
      let x = gaussians[at] + 0.5 - left;
      let y = gaussians[at + 1] + 0.5 - top;
      for (let j = 0; j < 4; j++) {
        if (weights[j] === 0) continue;
        const point = at + FIXED_FLOATS + 2 * (first + j);
        x += weights[j] * gaussians[point];
        y += weights[j] * gaussians[point + 1];
      }
      const ux = gaussians[at + 6];
      const uy = gaussians[at + 7];
      const u = -0.5 / (gaussians[at + 4] * gaussians[at + 4]);
      const v = -0.5 / (gaussians[at + 5] * gaussians[at + 5]);
      const strength = Math.exp(life);
      this.#add(
        width,
        height,
        x * scaleX,
        y * scaleY,
        (ux * ux * u + uy * uy * v) / (scaleX * scaleX),
        (ux * uy * (u - v)) / (scaleX * scaleY),
        (uy * uy * u + ux * ux * v) / (scaleY * scaleY),
        gaussians[at + 8] * strength,
        gaussians[at + 9] * strength,
        gaussians[at + 10] * strength,
      );
    }
  }

  /** Zeros, so many of them.
   * @param {number} count */
  #resize(count) {
    if (this.values.length === count) {
      this.values.fill(0);
      return;
    }
    if (!this.#memory) {
      this.values = new Float32Array(count);
      return;
    }
    const missing = 4 * count - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.values = new Float32Array(this.#memory.buffer, 0, count);
    this.values.fill(0);
  }

  /** One Gaussian, row by row: its exponents form an arithmetic sequence of the second order along a row, so each
   * weight follows from the one before by two products.
   * @param {number} width output px
   * @param {number} height
   * @param {number} centreX output px, pixel centres on halves
   * @param {number} centreY
   * @param {number} xx inverse covariance in output px, times -1/2
   * @param {number} xy
   * @param {number} yy
   * @param {number} luma amplitude
   * @param {number} blue
   * @param {number} red */
  #add(width, height, centreX, centreY, xx, xy, yy, luma, blue, red) {
    const bend = Math.exp(2 * xx);
    const reach = Math.sqrt((CUT * xx) / (xy * xy - xx * yy)); // rows beyond have no pixel within the support
    const lastRow = Math.min(height - 1, Math.floor(centreY + reach - 0.5));
    for (let row = Math.max(0, Math.ceil(centreY - reach - 0.5)); row <= lastRow; row++) {
      const dy = row + 0.5 - centreY;
      const half = Math.sqrt(Math.max(0, xy * xy * dy * dy - xx * (yy * dy * dy + CUT))) / -xx;
      const middle = centreX - (xy * dy) / xx;
      const end = Math.min(width, Math.floor(middle + half + 0.5));
      for (let x = Math.max(0, Math.ceil(middle - half - 0.5)); x < end; x += LONGEST_RUN) {
        const dx = x + 0.5 - centreX;
        const weight = Math.exp(xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy);
        const ratio = Math.exp(xx * (2 * dx + 1) + 2 * xy * dy);
        const count = Math.min(LONGEST_RUN, end - x);
        this.#addRow(PIXEL_BYTES * (row * width + x), count, weight, ratio, bend, luma, blue, red);
      }
    }
  }
}

/** AddRow without WebAssembly.
 * @param {Float32Array} sums
 * @param {number} place
 * @param {number} count
 * @param {number} weight
 * @param {number} ratio
 * @param {number} bend
 * @param {number} luma
 * @param {number} blue
 * @param {number} red */
function addRow(sums, place, count, weight, ratio, bend, luma, blue, red) {
  for (let at = place / 4, end = at + 4 * count; at < end; at += 4) {
    const above = weight - FLOOR;
    sums[at] += luma * above;
    sums[at + 1] += blue * above;
    sums[at + 2] += red * above;
    weight *= ratio;
    ratio *= bend;
  }
}
