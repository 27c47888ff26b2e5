/** The visit of a layer's symbols (SYNTAX.md §6.5, §6.7). A bad symbol throws a BitstreamError that names it. */

import { COLOUR, LIFE, SHAPE } from "./codebooks.js";
import { checkedMagnitude } from "./coder.js";
import { CONTEXT } from "./contexts.js";
import { BitstreamError } from "./errors.js";
import * as steps from "./steps.js";
import {
  ANGLE,
  BLUE,
  CENTRE,
  DURATION,
  LUMA,
  NUM_COLUMNS,
  PRECISION,
  RATIO,
  RED,
  SCALE,
  TRAJECTORY,
  X,
  Y,
} from "./symbols.js";

/** @import { Decoder } from "./coder.js" */
/** @import { SegmentHeader, Sequence } from "../types/internal.d.ts" */

const { PERMANENT } = steps;
const BLOCK_BITS = 2;
/** The Gaussian's own block and those W, N, NW, NE of it. */
const BLOCKS = [
  [0, 0],
  [-1, 0],
  [0, -1],
  [-1, -1],
  [1, -1],
];

/** @param {string} name */
function bad(name) {
  return new BitstreamError(`segment.${name}: a symbol out of range`);
}

/** Every second bit of a Morton code, from the lowest on.
 * @param {number} code */
function evenBits(code) {
  let value = 0;
  for (let i = 0; i < 12; i++) value |= ((code >> (2 * i)) & 1) << i;
  return value;
}

/** Bits of a number: 0 for 0.
 * @param {number} value */
function bitLength(value) {
  return 32 - Math.clz32(value);
}

/** 1, 2, 3 for lives of up to a few frames, of many, and of most of a segment.
 * @param {number} duration */
function durationClass(duration) {
  return duration < 6 ? 1 : duration < 9 ? 2 : 3;
}

/** The trajectories' control points, Int32Array [(M-1)·K·6]: steps along time less those of a parent.
 * @param {Decoder} decoder
 * @param {number} numTrajectories
 * @param {number} numControl */
export function readTrajectories(decoder, numTrajectories, numControl) {
  const size = 6 * numControl;
  const control = new Int32Array((numTrajectories - 1) * size);
  const coded = new Int32Array(size);
  for (let m = 0; m < numTrajectories - 1; m++) {
    const parent = decoder.raw(bitLength(m)) - 1;
    if (parent >= m) throw bad("trajectory");
    const own = m * size;
    for (let i = 0; i < size; i++) {
      const f = i % 6;
      let expected = i >= 6 ? control[own + i - 6] : 0;
      if (parent >= 0) expected += control[parent * size + i] - (i >= 6 ? control[parent * size + i - 6] : 0);
      const group = i < 6 ? 0 : f % 3 === 0 ? 1 : 2;
      const before = i >= 6 ? Math.min(Math.abs(coded[i - 6]), 2) : 0;
      let beside = f > 0 ? Math.abs(coded[i - 1]) : 0; // of the same moment
      if (f >= 3) beside = Math.max(beside, Math.abs(coded[i - 3]));
      const block = CONTEXT.control + 16 * (9 * group + 3 * before + Math.min(beside, 2));
      coded[i] = checkedMagnitude(decoder.signed(block, 8));
      control[own + i] = checkedMagnitude(expected + coded[i]);
    }
  }
  return control;
}

/** What the layers of a segment share: the table they fill, and which Gaussian was decoded last in each block. */
export class Walk {
  /** Of the layer at hand.
   * @type {Decoder} */
  decoder = /** @type {any} */ (null);

  /**
   * @param {SegmentHeader & {cellsX: number, cellsY: number}} segment its header, and the size of its domain
   * @param {Sequence} sequence
   * @param {number} count Gaussians of all layers
   */
  constructor(segment, sequence, count) {
    this.segment = segment;
    this.rules = sequence.rules;
    this.books = sequence.codebooks;
    this.table = new Int32Array(count * NUM_COLUMNS);
    this.residual = new Int32Array(count * 2 * segment.numControl);
    this.blocksX = ((segment.cellsX - 1) >> BLOCK_BITS) + 1;
    this.blocksY = ((segment.cellsY - 1) >> BLOCK_BITS) + 1;
    this.blocks = new Int32Array(this.blocksX * this.blocksY).fill(-1);
    this.previous = -1;
    /** Rows of the neighbours of the Gaussian at hand (offsets into the table), and how many. */
    this.found = new Int32Array(6);
    this.count = 0;
  }

  /** Gaussians start … stop-1 of the table.
   * @param {Decoder} decoder
   * @param {number} start
   * @param {number} stop
   * @param {number} layer */
  readLayer(decoder, start, stop, layer) {
    this.decoder = decoder;
    let code = 0;
    let exponent = 3;
    for (let i = start; i < stop; i++) {
      [code, exponent] = this.#readCell(code, exponent);
      const row = i * NUM_COLUMNS;
      const cellX = evenBits(code);
      const cellY = evenBits(code >> 1);
      if (cellX >= this.segment.cellsX || cellY >= this.segment.cellsY) throw bad("cell");
      const block = (cellY >> BLOCK_BITS) * this.blocksX + (cellX >> BLOCK_BITS);
      this.#findNeighbours(cellX >> BLOCK_BITS, cellY >> BLOCK_BITS);
      this.#readGaussian(row, layer);
      this.#readPosition(row, cellX, cellY);
      this.blocks[block] = row;
      this.previous = row;
    }
  }

  /** @param {number} before
   * @param {number} exponentBefore */
  #readCell(before, exponentBefore) {
    const d = this.decoder;
    const exponent = d.tree(CONTEXT.cellExponent + 31 * Math.min(exponentBefore, 3), 5);
    if (exponent > 24) throw bad("cell");
    let mantissa = 0;
    if (exponent > 0) {
      const top = d.bit(CONTEXT.cellMantissa + exponent);
      mantissa = (top << (exponent - 1)) | d.raw(exponent - 1);
    }
    const code = before + (1 << exponent) + mantissa - 1;
    if (code >= 1 << 24) throw bad("cell");
    return [code, exponent];
  }

  /** @param {number} blockX
   * @param {number} blockY */
  #findNeighbours(blockX, blockY) {
    this.count = 0;
    if (this.previous >= 0) this.found[this.count++] = this.previous;
    for (const [dx, dy] of BLOCKS) {
      const x = blockX + dx;
      const y = blockY + dy;
      if (x < 0 || y < 0 || x >= this.blocksX) continue;
      const row = this.blocks[y * this.blocksX + x];
      if (row >= 0 && row !== this.previous) this.found[this.count++] = row;
    }
  }

  /** @param {number} row
   * @param {number} layer */
  #readGaussian(row, layer) {
    const { table, decoder: d } = this;
    const near = this.count > 0 ? this.found[0] : -1;
    const precisionNear = near >= 0 ? table[near + PRECISION] : 8;
    table[row + PRECISION] = d.tree(CONTEXT.precision + 7 * (layer > 0 ? 9 : precisionNear), 3);
    this.#readShape(row);
    this.#readLife(row, near);
    this.#readTrajectory(row);
    this.#readResidual(row);
    this.#readColour(row, near);
  }

  /** The codebook's entry for a group of the Gaussian at hand, or null if scalars follow.
   * @param {number} group
   * @param {number} precision */
  #readEntry(group, precision) {
    const book = this.books[group];
    if (book.entries.length === 0) return null;
    const index = this.decoder.tree(CONTEXT.vectorIndex + 63 * (4 * group + Math.min(precision, 3)), book.indexBits);
    if (index > book.entries.length) throw bad("index");
    return index === 0 ? null : book.entries[index - 1];
  }

  /** @param {number} group
   * @param {number} precision */
  #readRefined(group, precision) {
    return (
      this.books[group].residual && this.decoder.bit(CONTEXT.vectorRefined + 4 * group + Math.min(precision, 3)) === 1
    );
  }

  /** @param {number} group
   * @param {number} component */
  #readComponent(group, component) {
    return this.decoder.signed(CONTEXT.vectorResidual + 14 * (3 * group + component), 6);
  }

  // --- scales and angle

  /** @param {number} row */
  #readShape(row) {
    const { table, rules } = this;
    const precision = table[row + PRECISION];
    const step = steps.scaleStep(precision);
    const entry = this.#readEntry(SHAPE, precision);
    if (!entry) return this.#readScalarShape(row, step);
    let scale = steps.predictScale(entry[0], precision);
    let ratio = Math.min(steps.predictScale(entry[1], precision), scale);
    let bits = steps.angleBits(rules, precision, ratio * step);
    let angle = steps.predictAngle(entry[2], bits);
    if (this.#readRefined(SHAPE, precision)) {
      scale += this.#readComponent(SHAPE, 0);
      ratio += this.#readComponent(SHAPE, 1);
      if (scale < 0 || scale >= 16 << Math.min(precision, 4) || ratio < 0 || ratio > scale) throw bad("scale");
      bits = steps.angleBits(rules, precision, ratio * step);
      angle = steps.predictAngle(entry[2], bits);
      if (bits > 0) angle = (angle + this.#readComponent(SHAPE, 2)) & ((1 << bits) - 1);
    }
    table[row + SCALE] = scale;
    table[row + RATIO] = ratio;
    table[row + ANGLE] = angle;
  }

  /** @param {number} row
   * @param {number} step */
  #readScalarShape(row, step) {
    const { table, decoder: d, rules } = this;
    const precision = table[row + PRECISION];
    const fine = Math.min(precision, 4);
    const octave = d.tree(CONTEXT.scaleOctave + 15 * precision, 4);
    const scale = (octave << fine) | d.tree(CONTEXT.scaleFraction + 15 * fine, fine);
    const ratio = d.unary(CONTEXT.ratio + 32 * (8 * precision + Math.min(octave, 7)), 24);
    if (ratio > scale) throw bad("scale");
    table[row + SCALE] = scale;
    table[row + RATIO] = ratio;
    const bits = steps.angleBits(rules, precision, ratio * step);
    if (bits === 0) return;
    const high = Math.min(bits, 3);
    const elongation = Math.min((ratio * step) >> 4, 2);
    const top = d.tree(CONTEXT.angle + 7 * (9 * elongation + this.#directionNear()), high);
    table[row + ANGLE] = (top << (bits - high)) | d.raw(bits - high);
  }

  /** Which of eight directions the first clearly elongated neighbour points to; 8 without one. */
  #directionNear() {
    const { table } = this;
    for (let k = 0; k < this.count; k++) {
      const row = this.found[k];
      const precision = table[row + PRECISION];
      const ratio = table[row + RATIO] * steps.scaleStep(precision);
      const bits = steps.angleBits(this.rules, precision, ratio);
      if (ratio >= 12 && bits >= 3) return table[row + ANGLE] >> (bits - 3);
    }
    return 8;
  }

  // --- life

  /** @param {number} row
   * @param {number} near */
  #readLife(row, near) {
    const { table, rules } = this;
    const { numFrames } = this.segment;
    const precision = table[row + PRECISION];
    const entry = this.#readEntry(LIFE, precision);
    if (!entry) return this.#readScalarLife(row, near);
    let duration = entry[0];
    let bits = steps.centreBits(rules, precision, duration, numFrames);
    let centre = duration === PERMANENT ? 0 : steps.predictCentre(entry[1], bits);
    if (this.#readRefined(LIFE, precision)) {
      duration += this.#readComponent(LIFE, 0);
      if (duration < 0 || duration > PERMANENT) throw bad("life");
      centre = 0;
      if (duration !== PERMANENT) {
        bits = steps.centreBits(rules, precision, duration, numFrames);
        centre = (steps.predictCentre(entry[1], bits) + this.#readComponent(LIFE, 1)) & ((1 << bits) - 1);
      }
    }
    table[row + DURATION] = duration;
    table[row + CENTRE] = centre;
  }

  /** @param {number} row
   * @param {number} near */
  #readScalarLife(row, near) {
    const { table, decoder: d, rules } = this;
    const precision = table[row + PRECISION];
    const p = Math.min(precision, 3);
    let permanentNear = 0;
    let durationNear = 0;
    if (near >= 0) {
      let permanents = 0;
      for (let k = 0; k < this.count; k++) permanents += table[this.found[k] + DURATION] === PERMANENT ? 1 : 0;
      permanentNear = 1 + Math.floor((2 * permanents + (this.count >> 1)) / this.count);
      const duration = table[near + DURATION];
      durationNear = duration === PERMANENT ? 0 : durationClass(duration);
    }
    if (d.bit(CONTEXT.permanent + 4 * precision + permanentNear) === 1) {
      table[row + DURATION] = PERMANENT;
      return;
    }
    const duration = d.tree(CONTEXT.duration + 31 * (4 * p + durationNear), 5);
    table[row + DURATION] = duration;
    const bits = steps.centreBits(rules, precision, duration, this.segment.numFrames);
    const high = Math.min(bits, 4);
    const base = CONTEXT.centre + 15 * (4 * (durationClass(duration) - 1) + high - 1);
    const top = high > 0 ? d.tree(base, high) : 0;
    table[row + CENTRE] = (top << (bits - high)) | d.raw(bits - high);
  }

  // --- motion

  /** @param {number} row */
  #readTrajectory(row) {
    const { table, decoder: d } = this;
    if (this.segment.numTrajectories === 1) return;
    const [guess, votes] = this.#favourite(-1);
    const [second, votesSecond] = this.#favourite(guess);
    const context = 4 * votes + votesSecond; // of at most six neighbours
    if (d.bit(CONTEXT.trajectorySame + context) === 1) {
      table[row + TRAJECTORY] = guess;
    } else if (votesSecond > 0 && d.bit(CONTEXT.trajectorySecond + context) === 1) {
      table[row + TRAJECTORY] = second;
    } else {
      const index = d.tree(CONTEXT.trajectory, bitLength(this.segment.numTrajectories - 1));
      if (index >= this.segment.numTrajectories) throw bad("trajectory");
      table[row + TRAJECTORY] = index;
    }
  }

  /** The trajectory, but for one, that most neighbours follow (the earliest in case of a tie), and how many do.
   * @param {number} but
   * @returns {[number, number]} */
  #favourite(but) {
    const { table } = this;
    let found = 0;
    let votes = 0;
    for (let a = 0; a < this.count; a++) {
      const candidate = table[this.found[a] + TRAJECTORY];
      if (candidate === but) continue;
      let same = 0;
      for (let b = 0; b < this.count; b++) same += table[this.found[b] + TRAJECTORY] === candidate ? 1 : 0;
      if (same > votes) [found, votes] = [candidate, same];
    }
    return [found, votes];
  }

  /** @param {number} row */
  #readResidual(row) {
    const { table, residual, decoder: d } = this;
    const { numFrames, numControl } = this.segment;
    const precision = table[row + PRECISION];
    const duration = table[row + DURATION];
    const life = duration === PERMANENT ? 3 : Math.min(duration >> 2, 2);
    if (d.bit(CONTEXT.residualFlag + 4 * Math.min(precision, 3) + life) === 0) return;
    const start = (row / NUM_COLUMNS) * 2 * numControl;
    for (let j = 0; j < 2 * numControl; j++) {
      const before = j >= 2 ? Math.min(Math.abs(residual[start + j - 2]), 2) : 0;
      const other = j & 1 ? Math.min(Math.abs(residual[start + j - 1]), 2) : 0;
      const reach = steps.reach(this.rules, precision, duration, table[row + CENTRE], j >> 1, numFrames, numControl);
      if (d.bit(CONTEXT.residualZero + 9 * reach + 3 * before + other) === 0) continue;
      const magnitude = checkedMagnitude(1 + d.unary(CONTEXT.residual, 8));
      residual[start + j] = d.raw(1) === 1 ? -magnitude : magnitude;
    }
  }

  // --- amplitudes

  /** @param {number} row
   * @param {number} near */
  #readColour(row, near) {
    const { table } = this;
    const precision = table[row + PRECISION];
    const entry = this.#readEntry(COLOUR, precision);
    if (!entry) return this.#readScalarColour(row, near);
    const refined = this.#readRefined(COLOUR, precision);
    for (let k = 0; k < 3; k++) {
      let value = steps.predictAmplitude(entry[k], precision);
      if (refined) value = checkedMagnitude(value + this.#readComponent(COLOUR, k));
      table[row + LUMA + k] = value;
    }
  }

  /** @param {number} row
   * @param {number} near */
  #readScalarColour(row, near) {
    const { table, decoder: d } = this;
    const precision = table[row + PRECISION];
    const fine = Math.max(precision - 3, 0);
    let luma = checkedMagnitude((d.unary(CONTEXT.luma + 22 * precision, 14) << fine) | d.raw(fine));
    if (luma !== 0) {
      const lumaNear = near < 0 ? 0 : table[near + LUMA] > 0 ? 1 : 2;
      if (d.bit(CONTEXT.lumaSign + lumaNear) === 1) luma = -luma;
    }
    table[row + LUMA] = luma;
    const sizeOfLuma = luma === 0 ? 0 : Math.abs(luma) <= 2 ? 1 : 2;
    const ofBlue = CONTEXT.blue + 22 * (6 * precision + Math.min(bitLength(Math.abs(luma)), 5));
    const blue = this.#readChroma(CONTEXT.blueZero + 3 * precision + sizeOfLuma, ofBlue, CONTEXT.chromaSign, luma);
    table[row + BLUE] = blue;
    const red = 3 * precision + Math.min(Math.abs(blue), 2);
    table[row + RED] = this.#readChroma(CONTEXT.redZero + red, CONTEXT.red + 22 * red, CONTEXT.chromaSign + 3, blue);
  }

  /** One chroma amplitude, by its contexts of zero, magnitude and sign; its sign leans on that of the amplitude before.
   * @param {number} zero
   * @param {number} base
   * @param {number} signs
   * @param {number} before */
  #readChroma(zero, base, signs, before) {
    const d = this.decoder;
    if (d.bit(zero) === 0) return 0;
    const magnitude = checkedMagnitude(1 + d.unary(base, 14));
    const sign = before === 0 ? 0 : before > 0 ? 1 : 2;
    return d.bit(signs + sign) === 1 ? -magnitude : magnitude;
  }

  // --- position below the cell

  /** @param {number} row
   * @param {number} cellX
   * @param {number} cellY */
  #readPosition(row, cellX, cellY) {
    const { table } = this;
    const { cellBits } = this.segment;
    const precision = table[row + PRECISION];
    const scaleV = (table[row + SCALE] - table[row + RATIO]) * steps.scaleStep(precision);
    const ratio = table[row + RATIO] * steps.scaleStep(precision);
    const angleBits = steps.angleBits(this.rules, precision, ratio);
    for (let axis = 0; axis < 2; axis++) {
      const wider = steps.widening(ratio, table[row + ANGLE], angleBits, axis);
      const exponent = steps.positionExponent(this.rules, precision, scaleV, wider, cellBits);
      const inside = this.decoder.raw(cellBits - exponent) << (exponent + 4);
      table[row + X + axis] = ((axis === 0 ? cellX : cellY) << (cellBits + 4)) | inside;
    }
  }
}
