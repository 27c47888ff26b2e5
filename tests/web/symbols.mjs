// Prints what the page's decoder makes of streams: SHA-256 of every segment's symbols and the decoded Gaussians' sum,
// in the order and layout of tests/golden/make.py. Usage: node symbols.mjs PRIORS STREAM…
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { parseStates } from "../../player/web/codec/contexts.js";
import { decodeSegment, openSequence } from "../../player/web/codec/segment.js";
import { SEGMENT, LAYER, SIGNATURE, checkedPayload, unitsOf } from "../../player/web/codec/units.js";

function hashOf(symbols) {
  const hash = createHash("sha256");
  for (const array of [symbols.table, symbols.residual, symbols.control]) {
    hash.update(new Uint8Array(BigInt64Array.from(array, BigInt).buffer));
  }
  return hash.digest("hex");
}

/** Payloads of each segment. */
function segmentsOf(data) {
  const segments = [];
  for (const unit of unitsOf(data, SIGNATURE.length)) {
    if (unit.kind === SEGMENT) segments.push([checkedPayload(data, unit)]);
    else if (unit.kind === LAYER) segments.at(-1)?.push(checkedPayload(data, unit));
  }
  return segments;
}

const [priors, ...streams] = process.argv.slice(2);
const states = parseStates(readFileSync(priors));
const found = streams.map((path) => {
  const data = new Uint8Array(readFileSync(path));
  try {
    let offset = SIGNATURE.length;
    for (const unit of unitsOf(data, offset)) {
      if (unit.kind <= LAYER && unit.kind > 0) break;
      offset = unit.end;
    }
    const sequence = openSequence(data.subarray(offset), states);
    return segmentsOf(data).map((payloads) => hashOf(decodeSegment(payloads, sequence)));
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
});
console.log(JSON.stringify(found));
