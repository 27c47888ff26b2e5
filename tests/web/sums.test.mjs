// Sums on the processor: WebAssembly and plain JavaScript against the formula, on Gaussians of all shapes.
import assert from "node:assert/strict";
import test from "node:test";

import { Sums } from "../../player/web/render/sums.js";

const FLOOR = Math.exp(-4);
const WHOLE = { x: 0, y: 0, width: 1, height: 1 };

/** Numbers in [0, 1), the same in every run. */
function random(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** A segment of one frame with Gaussians [x, y, centre, inverse duration, sigmas, direction, amplitudes]. */
function segmentOf(width, height, gaussians) {
  const values = gaussians.map((g) => [...g, ...new Array(16 - g.length).fill(0)]).flat();
  return {
    sequence: { width, height },
    header: { numFrames: 1, numPathControl: 1 },
    gaussians: Float32Array.from(values),
    numGaussians: gaussians.length,
  };
}

function wanted(gaussians, { width, height }, view, size) {
  const sums = new Float64Array(4 * size.width * size.height);
  const scale = [size.width / (view.width * width), size.height / (view.height * height)];
  for (const [x, y, , , u, v, cos, sin, ...colour] of gaussians.map((g) => Array.from(Float32Array.from(g)))) {
    for (let row = 0; row < size.height; row++) {
      for (let column = 0; column < size.width; column++) {
        const dx = (column + 0.5) / scale[0] + view.x * width - x - 0.5;
        const dy = (row + 0.5) / scale[1] + view.y * height - y - 0.5;
        const exponent = -0.5 * (((dx * cos + dy * sin) / u) ** 2 + ((dy * cos - dx * sin) / v) ** 2);
        if (exponent < -4) continue;
        for (let c = 0; c < 3; c++) {
          sums[4 * (row * size.width + column) + c] += colour[c] * (Math.exp(exponent) - FLOOR);
        }
      }
    }
  }
  return sums;
}

function compare(gaussians, picture, view, size) {
  const expected = wanted(gaussians, picture, view, size);
  for (const script of [false, true]) {
    const sums = new Sums(script);
    assert.equal(sums.name, script ? "JavaScript" : "WebAssembly");
    for (let round = 0; round < 2; round++) {
      sums.draw(segmentOf(picture.width, picture.height, gaussians), 0, view, size);
      assert.equal(sums.values.length, expected.length);
      // a pixel whose exponent is -4 but for rounding may count or not: it has no weight
      sums.values.forEach((value, n) => assert.ok(Math.abs(value - expected[n]) < 2e-4, `${n}: ${value}, ${expected[n]}`));
    }
  }
}

test("Gaussians of all sizes and directions, also beyond the edges", () => {
  const next = random(7);
  const gaussians = Array.from({ length: 60 }, () => {
    const angle = Math.PI * next();
    const sigma = 0.2 * 2 ** (9 * next());
    const shape = [sigma, Math.max(0.15, sigma * next()), Math.cos(angle), Math.sin(angle)];
    return [120 * next() - 20, 90 * next() - 20, 0, 0, ...shape, next() - 0.5, next() - 0.5, next() - 0.5];
  });
  const picture = { width: 83, height: 47 };
  compare(gaussians, picture, WHOLE, picture);
  compare(gaussians, picture, { x: 0.25, y: 0.5, width: 0.3, height: 0.4 }, { width: 61, height: 90 });
});

test("rows longer than weights may follow from one another", () => {
  const picture = { width: 900, height: 3 };
  compare([[400, 1, 0, 0, 600, 250, 1, 0, 0.4, 0.1, -0.2]], picture, WHOLE, picture);
});

test("Gaussians thinner than a pixel, and pictures of one", () => {
  const thin = [[1.2, 1.1, 0, 0, 40, 0.1, Math.SQRT1_2, Math.SQRT1_2, 1, 0, 0]];
  compare(thin, { width: 30, height: 30 }, WHOLE, { width: 30, height: 30 });
  compare(thin, { width: 1, height: 1 }, WHOLE, { width: 1, height: 1 });
  compare([], { width: 4, height: 4 }, WHOLE, { width: 4, height: 4 });
});

test("what is not alive is not drawn", () => {
  const sums = new Sums();
  const dead = segmentOf(8, 8, [[4, 4, 100, 1, 2, 2, 1, 0, 1, 1, 1]]);
  sums.draw(dead, 0, WHOLE, { width: 8, height: 8 });
  assert.ok(sums.values.every((value) => value === 0));
});
