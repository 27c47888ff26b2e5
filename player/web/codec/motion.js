/** Clamped uniform B-splines (SYNTAX.md §8.2): which control points count at a time, and how much. */

const DEGREE = 3;

/**
 * Weights of four neighbouring control points at model time t (clamped to 0 … numFrames-1); the others have none.
 * @returns {{first: number, weights: number[]}} weights of control points first … first+3, 0 behind the last
 */
export function splineWeights(t, numFrames, numControl) {
  const degree = Math.min(DEGREE, numControl - 1);
  const spans = numControl - degree;
  const u = Math.min(Math.max(t / Math.max(numFrames - 1, 1), 0), 1);
  // the span that holds u; u = 1 belongs to the last one
  const first = Math.min(Math.floor(u * spans), spans - 1);
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
