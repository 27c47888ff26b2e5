/** The panel of numbers. */

import { clockText, make, rateText, sizeText } from "./dom.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */

const UPDATE_MS = 250;

export class StatisticsPanel {
  #player;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer = undefined;

  /** @param {GVideoPlayer} player */
  constructor(player) {
    this.#player = player;
    this.element = make("dl", { className: "statistics", hidden: true, "aria-label": "Statistics" });
  }

  toggle() {
    this.element.hidden = !this.element.hidden;
    clearInterval(this.#timer);
    if (this.element.hidden) return;
    this.#update();
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
  }

  dispose() {
    clearInterval(this.#timer);
  }

  #update() {
    const player = this.#player;
    if (!player.timeline || !player.sequence) return;
    const s = player.statistics;
    const { width, height, matrix, primaries, transfer, bitDepth } = player.sequence;
    const quality = s.quality === null ? "–" : player.qualities[s.quality].label;
    const rows = {
      Video: `${width}×${height}, ${bitDepth} bits, colour ${primaries}/${transfer}/${matrix}`,
      Drawn: `${s.width}×${s.height}, ${s.drawnPerSecond.toFixed(0)} a second, ${s.drawMs.toFixed(1)} ms`,
      Position: `frame ${s.frame} of ${player.numFrames}, ${clockText(player.currentTime, true)}`,
      Segment: `${s.segment}: ${s.gaussians} Gaussians, layers ${s.layers}, ${sizeText(s.segmentBytes)}`,
      Quality: `${quality}, ${rateText(s.segmentRate)}`,
      Network: `${rateText(s.throughput)}, ${sizeText(s.fetchedBytes)} fetched, ${s.upgrades} upgrades`,
      Buffer: `${s.bufferedSeconds.toFixed(1)} s`,
      Decoding: `${s.decodeMs.toFixed(1)} ms a segment`,
      Graphics: `${s.device}, ${s.format}`,
    };
    this.element.replaceChildren(
      ...Object.entries(rows).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
    );
  }
}
