/** Headers of the sequence, the index, segments and layers (SYNTAX.md §4). Times in ticks of 1/timescale s. */

import { BitstreamError, UnsupportedError } from "./errors.js";
import { Reader } from "./fields.js";
import { refinedCount } from "./motion.js";
import { SEQUENCE, checkedPayload, parseUnitHeader } from "./units.js";

/** @import { Grain, SequenceHeader, StepRules } from "../types/gvideo-player.d.ts" */
/** @import { IndexEntry, SegmentHeader } from "../types/internal.d.ts" */

const MAX_SIDE = 16384;
const MAX_CONTROL = 256;
const MAX_TRAJECTORIES = 64;
const MAX_FRAMES = 4096;
const MAX_GAUSSIANS = 2 ** 20;
/** Gaussians of all layers times control points. */
const MAX_RESIDUALS = 2 ** 24;
const MATRICES = [1, 4, 5, 6, 7, 8, 9, 10];
const CHROMA_FORMATS = ["400", "420", "422", "444"];
const FLAG = { colour: 1, aspect: 2, rules: 4, codebooks: 8, priors: 16, fullRange: 32, grain: 64 };

/** @param {Uint8Array} payload
 * @returns {SequenceHeader} */
export function parseSequence(payload) {
  const f = new Reader(payload);
  const version = f.u8("sequence.version");
  if (version !== 1) throw new UnsupportedError(`sequence.version: ${version}, this player knows 1; update the player`);
  const profile = f.u8("sequence.profile");
  if (profile !== 0) throw new UnsupportedError(`sequence.profile: ${profile}, this player knows 0`);
  const h = /** @type {SequenceHeader} */ ({
    width: f.positive("sequence.width", MAX_SIDE),
    height: f.positive("sequence.height", MAX_SIDE),
    timescale: f.positive("sequence.timescale", 2 ** 32),
    frameDuration: f.positive("sequence.frame_duration", 2 ** 40),
    start: f.signed("sequence.start", 2 ** 60),
  });
  const sampling = f.u8("sequence.sampling");
  h.chromaFormat = CHROMA_FORMATS[sampling & 3];
  h.bitDepth = 8 + ((sampling >> 2) & 15);
  h.rotation = 90 * (sampling >> 6);
  if (h.bitDepth > 16) throw new BitstreamError(`sequence.sampling: ${h.bitDepth} bits, at most 16`);
  const flags = f.u8("sequence.flags");
  if (flags >> 7) throw new BitstreamError(`sequence.flags: ${flags} has bits that this version does not define`);
  h.fullRange = (flags & FLAG.fullRange) !== 0;
  const colour =
    flags & FLAG.colour ? ["primaries", "transfer", "matrix"].map((n) => f.u8(`sequence.${n}`)) : [1, 1, 1];
  [h.primaries, h.transfer, h.matrix] = colour;
  if (!MATRICES.includes(h.matrix))
    throw new UnsupportedError(`sequence.matrix: ${h.matrix} is unknown to this player`);
  h.sampleAspect = 1;
  if (flags & FLAG.aspect)
    h.sampleAspect = f.positive("sequence.aspect", 2 ** 20) / f.positive("sequence.aspect", 2 ** 20);
  h.rules =
    flags & FLAG.rules
      ? parseRules(f)
      : { position: 10, angle: 34, centre: 0, chroma: 29, residual: 0, trajectory: -2 };
  h.codebooks = flags & FLAG.codebooks ? f.block("sequence.codebooks") : null;
  h.priors = flags & FLAG.priors ? f.block("sequence.priors") : null;
  h.grain = flags & FLAG.grain ? parseGrain(f) : null;
  f.expectEnd("sequence");
  return h;
}

/** The header of a whole sequence unit, as `gsvC` holds it.
 * @param {Uint8Array} data */
export function parseSequenceUnit(data) {
  const unit = parseUnitHeader(data);
  if (unit.kind !== SEQUENCE) throw new BitstreamError("sequence: the stream begins with another unit");
  return parseSequence(checkedPayload(data, unit));
}

/** @param {Reader} f
 * @returns {StepRules} */
function parseRules(f) {
  return {
    position: f.signed("rules.position", 128),
    angle: f.signed("rules.angle", 128),
    centre: f.signed("rules.centre", 128),
    chroma: f.positive("rules.chroma", 256),
    residual: f.signed("rules.residual", 8),
    trajectory: f.signed("rules.trajectory", 8),
  };
}

/** @param {Reader} f
 * @returns {Grain} */
function parseGrain(f) {
  const seed = f.u8("grain.seed");
  const strengths = Array.from({ length: 8 }, () => f.u8("grain.strength"));
  return { seed, strengths, kernel: Array.from({ length: 9 }, () => f.signed("grain.kernel", 63)) };
}

/** Entries {numBytes, numFrames, duration, gap} of an index payload.
 * @param {Uint8Array} payload
 * @returns {IndexEntry[]} */
export function parseIndex(payload) {
  const f = new Reader(payload);
  const count = f.varint("index.num_segments", 2 ** 24);
  if (count > f.end - f.position) throw new BitstreamError(`index.num_segments: ${count} cannot stand in what is left`);
  const entries = [];
  for (let i = 0; i < count; i++) {
    entries.push({
      numBytes: f.positive("index.num_bytes", 2 ** 40),
      numFrames: f.positive("index.num_frames", MAX_FRAMES),
      duration: f.positive("index.duration", 2 ** 52),
      gap: f.signed("index.gap", 2 ** 60),
    });
  }
  f.expectEnd("index");
  return entries;
}

/** A segment's header; the reader then stands at its first layer's header. `durations` is null if all are equal.
 * @param {Reader} f
 * @returns {SegmentHeader} */
export function parseSegment(f) {
  const h = /** @type {SegmentHeader} */ ({
    numFrames: f.positive("segment.num_frames", MAX_FRAMES),
    distortion: f.u8("segment.distortion"),
  });
  h.numControl = f.u8("segment.num_control") + 1; // of what a Gaussian adds to its trajectory
  h.refinement = f.u8("segment.refinement") + 1;
  h.numPathControl = refinedCount(h.numControl, h.refinement);
  if (h.refinement > 1 && !(h.numControl > 3 && h.numPathControl <= MAX_CONTROL)) {
    throw new BitstreamError(`segment.refinement: ${h.refinement}, with ${h.numControl} control points`);
  }
  h.numTrajectories = f.positive("segment.num_trajectories", MAX_TRAJECTORIES);
  const shape = f.u8("segment.shape");
  h.cellBits = shape >> 5;
  h.numLayers = ((shape >> 2) & 7) + 1;
  if (h.cellBits > 6) throw new BitstreamError(`segment.shape: cells of 2^${h.cellBits} px, at most 2^6`);
  const packed = f.uint("segment.base", 4);
  h.base = [(packed >> 20) & 1023, (packed >> 10) & 1023, packed & 1023];
  h.margins = [0, 0, 0, 0];
  if ((packed >> 30) & 1) h.margins = h.margins.map(() => f.u8("segment.margin"));
  h.distortions = [h.distortion]; // of every layer
  if (packed >= 2 ** 31) {
    if (h.numLayers === 1) throw new BitstreamError("segment.base: distortions of layers, but there is one layer");
    for (let k = 1; k < h.numLayers; k++) h.distortions.push(f.u8("segment.layer_distortion"));
  } else {
    h.distortions = Array.from({ length: h.numLayers }, () => h.distortion);
  }
  h.durations = null;
  if (shape & 1) h.durations = Array.from({ length: h.numFrames }, () => f.positive("segment.duration", 2 ** 40));
  h.gap = shape & 2 ? f.signed("segment.gap", 2 ** 60) : 0;
  return h;
}

/** Ticks of every frame's start and of the segment's end, from 0: Float64Array [T+1].
 * @param {SegmentHeader} header
 * @param {number} frameDuration */
export function frameTicks(header, frameDuration) {
  const ticks = new Float64Array(header.numFrames + 1);
  for (let k = 0; k < header.numFrames; k++) ticks[k + 1] = ticks[k] + (header.durations?.[k] ?? frameDuration);
  return ticks;
}

/** @param {Reader} f */
export function parseLayer(f) {
  const numGaussians = f.varint("layer.num_gaussians", MAX_GAUSSIANS);
  const numBytes = f.varint("layer.num_bytes", 2 ** 28);
  if (numGaussians > 2 * (numBytes + 4)) {
    throw new BitstreamError(`layer.num_gaussians: ${numGaussians} cannot stand in ${numBytes} bytes`);
  }
  return { numGaussians, numBytes };
}

export { MAX_GAUSSIANS, MAX_RESIDUALS };
