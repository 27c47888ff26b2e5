/** What is on the canvas: which part of the picture, at how many pixels, and whether drawing keeps up. */

import { Renderer, WHOLE } from "./renderer.js";

/** @import { Drawing, Resolution, SequenceHeader, View } from "../types/gvideo-player.d.ts" */
/** @import { Decoded } from "../types/internal.d.ts" */

const MAX_ZOOM = 64;
/** If fewer than this share of the frames come, fewer pixels are drawn: by this factor, at least this share. */
const TOO_SLOW = 0.6;
const FEWER = 0.75;
const FEWEST = 0.2;

export class Screen {
  /** Pictures a second that came to the screen, and the milliseconds that the last one took to hand over. */
  rate = 0;
  drawMs = 0;
  /** Whether the grain of a stream that has some is drawn. */
  grain = true;
  /** @type {unknown[] | null} */
  #drawn = null;
  /** @type {View} */
  #view = WHOLE;
  #resolution;
  #scale = 1;
  #shown = 0;
  #since = performance.now();
  #steady = false;
  #observer;

  /** @param {HTMLCanvasElement} canvas @param {"display" | "source"} resolution @param {Drawing} drawing
   * @throws BrowserError */
  constructor(canvas, resolution, drawing) {
    this.canvas = canvas;
    this.renderer = new Renderer(canvas, drawing);
    this.#resolution = resolution;
    this.#observer = new ResizeObserver(() => this.invalidate());
    this.#observer.observe(canvas);
    canvas.addEventListener("webglcontextrestored", () => this.invalidate());
  }

  /** The part of the picture that is shown: {x, y, width, height} in [0, 1]. */
  get view() {
    return this.#view;
  }

  set view({ x, y, width, height }) {
    const w = Math.min(Math.max(width, 1 / MAX_ZOOM), 1);
    const h = Math.min(Math.max(height, 1 / MAX_ZOOM), 1);
    this.#view = { x: Math.min(Math.max(x, 0), 1 - w), y: Math.min(Math.max(y, 0), 1 - h), width: w, height: h };
  }

  get resolution() {
    return this.#resolution;
  }

  set resolution(resolution) {
    this.#resolution = resolution;
    this.#scale = 1;
  }

  /** Draws a decoded segment at a model time, unless just that is on the canvas. True if it was drawn.
   * @param {Decoded} decoded
   * @param {number} modelTime */
  draw(decoded, modelTime) {
    this.#resize(decoded.sequence);
    const drawn = [decoded, modelTime, this.#view, this.canvas.width, this.canvas.height, this.grain];
    if (this.#drawn?.every((value, i) => value === drawn[i])) return false;
    const started = performance.now();
    this.renderer.draw(decoded, modelTime, this.#view, this.canvas, this.grain);
    this.drawMs = performance.now() - started;
    this.#shown++;
    this.#drawn = drawn;
    return true;
  }

  /** Has the next call of `draw` draw in any case. */
  invalidate() {
    this.#drawn = null;
  }

  /** To be called a few times a second: counts, and lowers the resolution if fewer than `wanted` frames a second come.
   * running: whether pictures should change now.
   * @param {number} wanted
   * @param {boolean} running */
  count(wanted, running) {
    const now = performance.now();
    if (now - this.#since >= 1000) {
      this.rate = (1000 * this.#shown) / (now - this.#since);
      if (this.#steady && running && this.rate < TOO_SLOW * wanted) this.#scale = Math.max(FEWER * this.#scale, FEWEST);
      this.#shown = 0;
      this.#since = now;
      this.#steady = true;
    }
    if (!running || document.hidden) this.#steady = false;
  }

  /** The pixels after `draw`, in the same task: {width, height, data: Uint8ClampedArray R'G'B'A}. */
  read() {
    const { width, height } = this.canvas;
    return { width, height, data: this.renderer.read() };
  }

  dispose() {
    this.#observer.disconnect();
    this.renderer.dispose();
  }

  /** @param {SequenceHeader} sequence */
  #resize(sequence) {
    const turned = sequence.rotation % 180 !== 0;
    let size = { width: turned ? sequence.height : sequence.width, height: turned ? sequence.width : sequence.height };
    if (this.#resolution === "display" && this.canvas.clientWidth > 0) {
      const { width, height } = displaySize(sequence);
      const ratio = globalThis.devicePixelRatio ?? 1;
      const fit = this.#scale * ratio * Math.min(this.canvas.clientWidth / width, this.canvas.clientHeight / height);
      size = { width: Math.max(1, Math.round(width * fit)), height: Math.max(1, Math.round(height * fit)) };
    }
    if (this.canvas.width !== size.width || this.canvas.height !== size.height) Object.assign(this.canvas, size);
  }
}

/** Width and height to show a sequence at: upright, with square pixels.
 * @param {{width: number, height: number, sampleAspect: number, rotation: number}} sequence */
export function displaySize({ width, height, sampleAspect, rotation }) {
  const wide = Math.round(width * sampleAspect);
  return rotation % 180 === 0 ? { width: wide, height } : { width: height, height: wide };
}
