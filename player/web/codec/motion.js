/** Clamped uniform B-splines (SYNTAX.md §8.2): which control points count at a time, and how much. */

const DEGREE = 3;

/** Control points of a spline of numControl whose spans are each cut in `refinement`.
 * @param {number} numControl
 * @param {number} refinement */
export function refinedCount(numControl, refinement) {
  return refinement === 1 ? numControl : (numControl - DEGREE) * refinement + DEGREE;
}

/** Rows that turn control points into those of the same spline with finer knots: inserted one by one (Boehm, 1980).
 * @param {number} numControl
 * @param {number} refinement */
export function refinementMatrix(numControl, refinement) {
  let matrix = Array.from({ length: numControl }, (_, i) =>
    Array.from({ length: numControl }, (_, j) => Number(i === j)),
  );
  if (refinement === 1) return matrix;
  const spans = numControl - DEGREE;
  const knots = [0, 0, 0, ...Array.from({ length: spans + 1 }, (_, k) => k / spans), 1, 1, 1];
  for (let k = 0; k < spans * refinement; k++) {
    if (k % refinement === 0) continue;
    const knot = k / (spans * refinement);
    let span = 0;
    while (span + 1 < knots.length && knots[span + 1] <= knot) span++;
    const rows = matrix.slice(0, span - DEGREE + 1);
    for (let i = span - DEGREE + 1; i <= span; i++) {
      const share = (knot - knots[i]) / (knots[i + DEGREE] - knots[i]);
      const [before, own] = [matrix[i - 1], matrix[i]];
      rows.push(own.map((value, j) => (1 - share) * before[j] + share * value));
    }
    matrix = rows.concat(matrix.slice(span));
    knots.splice(span + 1, 0, knot);
  }
  return matrix;
}

/**
 * Weights of four neighbouring control points at model time t (clamped to 0 … numFrames-1); the others have none.
 * @param {number} t
 * @param {number} numFrames
 * @param {number} numControl
 * @returns {{first: number, weights: number[]}} weights of control points first … first+3, 0 behind the last
 */
export function splineWeights(t, numFrames, numControl) {
  const degree = Math.min(DEGREE, numControl - 1);
  const spans = numControl - degree;
  const u = Math.min(Math.max(t / Math.max(numFrames - 1, 1), 0), 1);
  // the span that holds u; u = 1 belongs to the last one
  const first = Math.min(Math.floor(u * spans), spans - 1);
  /** @param {number} i */
  const knot = (i) => Math.min(Math.max(i - degree, 0), spans) / spans;
  // de Boor's recursion for the degree + 1 functions that are not zero in the span
  const weights = [1];
  for (let p = 1; p <= degree; p++) {
    let carried = 0;
    for (let r = 0; r < p; r++) {
      const right = knot(first + degree + r + 1);
      const left = knot(first + degree + r + 1 - p);
      const share = weights[r] / (right - left);
      weights[r] = carried + (right - u) * share;
      carried = (u - left) * share;
    }
    weights.push(carried);
  }
  while (weights.length < DEGREE + 1) weights.push(0);
  return { first, weights };
}
