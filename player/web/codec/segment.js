/** A segment's units to symbols (SYNTAX.md §6): the way from bytes to integers, exact. */

import { Decoder } from "./coder.js";
import { noCodebooks, parseCodebooks } from "./codebooks.js";
import { correctedStates } from "./contexts.js";
import { BitstreamError } from "./errors.js";
import { Reader } from "./fields.js";
import { MAX_GAUSSIANS, MAX_RESIDUALS, parseLayer, parseSegment, parseSequenceUnit } from "./headers.js";
import { LAYER, SEGMENT, checkedPayload, nameOf, unitsOf } from "./units.js";
import { Walk, readTrajectories } from "./walk.js";

/** @import { Sequence, SegmentHeader, States, Symbols } from "../types/internal.d.ts" */

const MAX_CELLS = 4096;

/** What a sequence says to the coding of its segments: {header, rules, codebooks, states}.
 * @param {Uint8Array} unit the whole sequence unit
 * @param {States} states as shipped
 * @returns {Sequence} */
export function openSequence(unit, states) {
  const header = parseSequenceUnit(unit);
  return {
    header,
    rules: header.rules,
    codebooks: header.codebooks ? parseCodebooks(header.codebooks) : noCodebooks(),
    states: header.priors ? correctedStates(states, header.priors) : states,
  };
}

/** Payloads of a segment's base and layers from its units, one after another; other units are skipped.
 * Damage behind the base costs the layers from there on: then `problem` says what was wrong.
 * @param {Uint8Array} data */
export function splitSegment(data) {
  /** @type {Uint8Array[]} */
  const payloads = [];
  /** @type {string | null} */
  let problem = null;
  try {
    for (const unit of unitsOf(data)) {
      const expected = payloads.length === 0 ? SEGMENT : LAYER;
      if (unit.kind === expected) payloads.push(checkedPayload(data, unit));
      else if (unit.kind === SEGMENT || unit.kind === LAYER) {
        throw new BitstreamError(`segment: a ${nameOf(unit.kind)} unit where a ${nameOf(expected)} unit belongs`);
      }
    }
  } catch (error) {
    if (!(error instanceof BitstreamError) || payloads.length === 0) throw error;
    problem = error.message;
  }
  if (payloads.length === 0) throw new BitstreamError("segment: there is none");
  return { payloads, problem };
}

/**
 * Symbols of a base payload and of the layer payloads that follow it.
 * @param {Uint8Array[]} payloads
 * @param {Sequence} sequence
 * @returns {Symbols}
 */
export function decodeSegment(payloads, sequence) {
  const readers = payloads.map((payload) => new Reader(payload));
  const header = parseSegment(readers[0]);
  if (payloads.length > header.numLayers) {
    throw new BitstreamError(`layer: ${payloads.length} layers, the segment has ${header.numLayers}`);
  }
  const layers = readers.map((reader) => {
    const layer = parseLayer(reader);
    const bytes = reader.take("layer.bytes", layer.numBytes);
    reader.expectEnd("layer.bytes");
    return { count: layer.numGaussians, bytes };
  });
  const count = layers.reduce((sum, layer) => sum + layer.count, 0);
  if (count > MAX_GAUSSIANS) throw new BitstreamError(`layer.num_gaussians: ${count} in all layers are too many`);
  if (count * header.numPathControl > MAX_RESIDUALS) {
    throw new BitstreamError(`layer.num_gaussians: ${count} with ${header.numPathControl} control points are too many`);
  }
  const [cellsX, cellsY] = domainCells(header, sequence.header);
  const { probability, seen } = sequence.states;
  const contexts = { fast: probability.slice(), slow: probability.slice(), seen: seen.slice() };
  const walk = new Walk({ ...header, cellsX, cellsY }, sequence, count);
  /** @type {Int32Array | null} */
  let control = null;
  let start = 0;
  const layerEnds = layers.map((layer, number) => {
    const decoder = new Decoder(layer.bytes, contexts);
    control ??= readTrajectories(decoder, header.numTrajectories, header.numPathControl);
    walk.readLayer(decoder, start, start + layer.count, number);
    start += layer.count;
    return start;
  });
  return { header, table: walk.table, residual: walk.residual, control: control ?? new Int32Array(0), layerEnds };
}

/** Width and height of the position domain in cells.
 * @param {SegmentHeader} header
 * @param {{width: number, height: number}} sequence */
function domainCells(header, { width, height }) {
  const cell = 1 << header.cellBits;
  const [left, top, right, bottom] = header.margins;
  const x = Math.ceil(width / cell) + left + right;
  const y = Math.ceil(height / cell) + top + bottom;
  if (Math.max(x, y) > MAX_CELLS)
    throw new BitstreamError(`segment.shape: ${x}x${y} cells, at most ${MAX_CELLS} a side`);
  return [x, y];
}
