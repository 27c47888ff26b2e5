/** Quantiser steps in integers (SYNTAX.md §7), and what codebook entries predict (§6.7). */

/** @import { StepRules } from "../types/gvideo-player.d.ts" */

export const SCALE_ORIGIN = -21;
export const PERMANENT = 31;

const ANISOTROPY = Int16Array.from({ length: 81 }, (_, i) =>
  i === 0 ? 0 : Math.round(16 * Math.log2(2 ** (i / 16) - 2 ** (-i / 16))),
);

/** @param {number} value
 * @param {number} low
 * @param {number} high */
const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);

/** Step of log2 sigma in sixteenths of an octave.
 * @param {number} precision */
export function scaleStep(precision) {
  return 16 >> Math.min(precision, 4);
}

/** log2 of the number of angles; 0 for a round Gaussian. ratio: 16 log2(sigma_u / sigma_v).
 * @param {StepRules} rules
 * @param {number} precision
 * @param {number} ratio */
export function angleBits(rules, precision, ratio) {
  if (ratio === 0) return 0;
  const anisotropy = ratio <= 80 ? ANISOTROPY[ratio] : ratio;
  return clamp((16 * precision + anisotropy + rules.angle) >> 4, 1, 9);
}

const DIRECTIONS = 32;
const WIDENING = Array.from({ length: 21 }, (_, i) =>
  Int16Array.from({ length: DIRECTIONS }, (_, j) => {
    const a = (Math.PI * j) / DIRECTIONS;
    return Math.round(-8 * Math.log2(Math.cos(a) ** 2 * 2 ** (-i / 2) + Math.sin(a) ** 2));
  }),
);

/** How much wider than sigma_v a Gaussian is along x (axis 0) or y (1), sixteenths of an octave. bits: of its angle.
 * @param {number} ratio
 * @param {number} angle
 * @param {number} bits
 * @param {number} axis */
export function widening(ratio, angle, bits, axis) {
  if (bits === 0) return 0;
  const direction = (bits <= 5 ? angle << (5 - bits) : angle >> (bits - 5)) + (axis * DIRECTIONS) / 2;
  return WIDENING[Math.min(ratio >> 2, 20)][direction & (DIRECTIONS - 1)];
}

/** A coordinate's step is 2^this px. scaleV: sixteenths above SCALE_ORIGIN; wider: its widening().
 * @param {StepRules} rules
 * @param {number} precision
 * @param {number} scaleV
 * @param {number} wider
 * @param {number} cellBits */
export function positionExponent(rules, precision, scaleV, wider, cellBits) {
  return clamp(((scaleV + wider + SCALE_ORIGIN + rules.position) >> 4) - precision, -4, cellBits);
}

/** log2 of the number of life centres.
 * @param {StepRules} rules
 * @param {number} precision
 * @param {number} duration
 * @param {number} numFrames */
export function centreBits(rules, precision, duration, numFrames) {
  const n = 2 * numFrames;
  const whole = 31 - Math.clz32(n);
  const span = 16 * whole + ((n << 4) >> whole) - 16;
  return clamp((span - (8 * duration - 16) + 16 * Math.min(precision, 2) + rules.centre) >> 4, 0, 12);
}

/** How far control point k lies from a Gaussian's life: 0 within a sigma … 3 beyond 4; 4 if it is always alive.
 * @param {StepRules} rules
 * @param {number} precision
 * @param {number} duration
 * @param {number} centre
 * @param {number} k
 * @param {number} numFrames
 * @param {number} numControl */
export function reach(rules, precision, duration, centre, k, numFrames, numControl) {
  if (duration === PERMANENT) return 4;
  const bits = centreBits(rules, precision, duration, numFrames);
  const middle = (((2 * centre + 1) * numFrames * 16) >> bits) - numFrames * 8;
  const place = Math.floor((k * (numFrames - 1) * 16) / Math.max(numControl - 1, 1));
  let sigma = (16 << (duration >> 1)) >> 1;
  if (duration & 1) sigma = (sigma * 181) >> 7;
  const distance = Math.abs(place - middle);
  return distance <= sigma ? 0 : distance <= 2 * sigma ? 1 : distance <= 4 * sigma ? 2 : 3;
}

// --- predictions of codebook entries

const CIRCLE_BITS = 7;

/** @param {number} value
 * @param {number} precision */
export function predictScale(value, precision) {
  const bits = Math.min(precision, 4);
  const down = 4 - bits;
  return Math.min((value + ((1 << down) >> 1)) >> down, (16 << bits) - 1);
}

/** @param {number} value
 * @param {number} bits */
export function predictAngle(value, bits) {
  if (bits >= CIRCLE_BITS) return value << (bits - CIRCLE_BITS);
  const down = CIRCLE_BITS - bits;
  return ((value + ((1 << down) >> 1)) >> down) & ((1 << bits) - 1);
}

/** @param {number} value
 * @param {number} bits */
export function predictCentre(value, bits) {
  return bits >= CIRCLE_BITS ? value << (bits - CIRCLE_BITS) : value >> (CIRCLE_BITS - bits);
}

/** @param {number} value
 * @param {number} precision */
export function predictAmplitude(value, precision) {
  return ((value << precision) + 8) >> 4;
}
