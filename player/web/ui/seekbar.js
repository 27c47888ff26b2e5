/** The seek bar: a range input with what is buffered behind it and a small picture above the pointer. */

import { Preview } from "../playback/preview.js";
import { clockText, make } from "./dom.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */

const PREVIEW_WIDTH = 176;

export class SeekBar {
  #player;
  /** @type {Preview | null} */
  #preview = null;
  #dragging = false;

  /** @param {GVideoPlayer} player */
  constructor(player) {
    this.#player = player;
    this.input = make("input", { type: "range", min: 0, max: 1000, step: "any", value: 0, "aria-label": "Position" });
    this.track = make("div", { className: "track" });
    this.picture = make("canvas", { width: PREVIEW_WIDTH, height: 99 });
    this.label = make("span");
    this.popup = make("div", { className: "preview", hidden: true }, this.picture, this.label);
    this.element = make("div", { className: "seekbar" }, this.track, this.input, this.popup);
    this.input.oninput = () => {
      this.#dragging = true;
      player.seek(Number(this.input.value));
    };
    this.input.onchange = () => (this.#dragging = false);
    this.element.onpointermove = (event) => this.#point(event);
    this.element.onpointerleave = () => (this.popup.hidden = true);
  }

  /** Shows where the player is. */
  update() {
    const player = this.#player;
    const [start, end] = player.seekable;
    const time = player.currentTime;
    Object.assign(this.input, { min: start, max: end });
    if (!this.#dragging) this.input.value = String(time);
    this.input.setAttribute("aria-valuetext", `${clockText(time)} of ${clockText(end)}`);
    /** @param {number} seconds */
    const share = (seconds) => `${(100 * (seconds - start)) / (end - start || 1)}%`;
    this.element.style.setProperty("--played", share(time));
    const { buffered } = player;
    if (this.track.childElementCount !== buffered.length) this.track.replaceChildren(...buffered.map(() => make("i")));
    buffered.forEach(([from, to], i) => {
      const stripe = /** @type {HTMLElement} */ (this.track.children[i]);
      stripe.style.left = share(from);
      stripe.style.width = share(start + to - from);
    });
  }

  dispose() {
    this.#preview?.dispose();
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const player = this.#player;
    if (!player.timeline || event.pointerType === "touch") return;
    const box = this.element.getBoundingClientRect();
    const [start, end] = player.seekable;
    const place = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const seconds = Math.min(start + place * (end - start), end - 1e-3);
    if (!this.#preview) {
      const { width, height } = player.displaySize;
      this.picture.height = Math.max(1, Math.round((PREVIEW_WIDTH * height) / width));
      this.#preview = new Preview(this.picture, player);
    }
    this.label.textContent = clockText(seconds, end < 60);
    const half = PREVIEW_WIDTH / 2 + 8;
    this.popup.style.left = `${Math.min(Math.max(place * box.width, half), box.width - half)}px`;
    this.popup.hidden = false;
    this.#preview.show(seconds);
  }
}
