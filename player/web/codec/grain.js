/** Grain (SYNTAX.md §8.4): two tiles of noise from a few numbers, and the places in them that a frame takes. */

/** @import { Grain } from "../types/gvideo-player.d.ts" */

/** Sides of the tiles, and the standard deviation of the sum of both. */
export const SIDES = [256, 243];
export const UNIT = 128;
/** Strengths are in so many parts of the luma's range. */
export const STRENGTH_STEPS = 4096;

const TWICE_TILE_UNIT = 181;
const MAX_VALUE = 1023;
const FRAME_STEP = 0x9e3779b9;
/** A frame whose model time is at most this far ahead is taken to have begun. */
const TIME_ERROR = 2 ** -10;

/** The hash of a 32-bit integer, 0 … 2^32 - 1.
 * @param {number} value */
function mix(value) {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Both tiles of a grain block {seed, kernel}: Int16Array, row by row.
 * @param {Grain} grain */
export function grainTiles(grain) {
  return SIDES.map((side, number) => makeTile(grain, side, (grain.seed << 17) | (number << 16)));
}

/** [x, y] within each tile of the top left pixel of a segment's frame.
 * @param {number} checksum
 * @param {number} frame */
export function grainPlaces(checksum, frame) {
  const first = mix(checksum + Math.imul(frame, FRAME_STEP));
  const second = mix(first + 1);
  return [
    [first % 256, (first >>> 8) % 256],
    [(second & 0xffff) % 243, (second >>> 16) % 243],
  ];
}

/** The frame on screen at a model time, of a segment whose frames begin at `times`.
 * @param {Float64Array} times
 * @param {number} time */
export function frameAtModelTime(times, time) {
  let frame = times.length - 1;
  while (frame > 0 && times[frame] > time + TIME_ERROR) frame--;
  return frame;
}

/** @param {Grain} grain
 * @param {number} side
 * @param {number} counter */
function makeTile({ kernel }, side, counter) {
  const white = Int32Array.from({ length: side * side }, (_, i) => whiteAt(counter + i));
  const shaped = new Int32Array(side * side);
  let energy = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let dy = -2; dy <= 2; dy++) {
        const row = ((y + dy + side) % side) * side;
        for (let dx = -2; dx <= 2; dx++) {
          sum += kernel[3 * Math.abs(dy) + Math.abs(dx)] * white[row + ((x + dx + side) % side)];
        }
      }
      shaped[y * side + x] = sum;
      energy += sum * sum; // below 2^51
    }
  }
  const rms = Math.floor(Math.sqrt(Math.floor(energy / (side * side))));
  if (rms === 0) return new Int16Array(side * side);
  return Int16Array.from(shaped, (value) => {
    const scaled = Math.floor((TWICE_TILE_UNIT * value + rms) / (2 * rms));
    return Math.min(Math.max(scaled, -MAX_VALUE), MAX_VALUE);
  });
}

/** @param {number} counter */
function whiteAt(counter) {
  const h = mix(counter);
  /** @param {number} k */
  const field = (k) => (h >>> (5 * k)) & 31;
  return field(0) + field(1) + field(2) - field(3) - field(4) - field(5);
}
