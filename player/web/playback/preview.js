/** Small pictures of any time, drawn from the poorest quality: what shows above the seek bar. */

import { WHOLE, Renderer } from "../render/renderer.js";
import { frameAt } from "./timeline.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */
/** @import { Segment } from "../types/gvideo-player.d.ts" */
/** @import { Decoded } from "../types/internal.d.ts" */

/** Decoded segments that are kept. */
const KEPT = 12;

export class Preview {
  /** @type {Renderer | null} */
  #renderer = null;
  /** @type {Map<number, Promise<Decoded>>} */
  #decoded = new Map();
  #wanted = 0;

  /** @param {HTMLCanvasElement} canvas is drawn on, at its own size
   * @param {GVideoPlayer} player */
  constructor(canvas, player) {
    this.canvas = canvas;
    this.player = player;
  }

  /** Draws the picture of a time; false if a later call came before it was there, or it cannot be had.
   * @param {number} seconds */
  async show(seconds) {
    const turn = ++this.#wanted;
    const segment = this.player.timeline?.segmentAt(seconds);
    if (!segment) return false;
    const decoded = await this.#get(segment).catch(() => null);
    if (!decoded || turn !== this.#wanted) return false;
    const renderer = (this.#renderer ??= new Renderer(this.canvas));
    renderer.draw(decoded, decoded.times[frameAt(decoded, seconds - segment.start)], WHOLE, this.canvas, false);
    return true;
  }

  dispose() {
    this.#renderer?.dispose();
  }

  /** @param {Segment} segment */
  #get(segment) {
    const known = this.#decoded.get(segment.number) ?? this.player.loadPreview(segment);
    this.#decoded.delete(segment.number);
    this.#decoded.set(segment.number, known);
    known.catch(() => this.#decoded.delete(segment.number));
    for (const number of this.#decoded.keys()) {
      if (this.#decoded.size <= KEPT) break;
      this.#decoded.delete(number);
    }
    return known;
  }
}
