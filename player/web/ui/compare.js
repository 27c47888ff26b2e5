/** The AVC rendition of the same video beside the Gaussians, behind a slider, both rates shown. */

import { MediaFeeder } from "../playback/feeder.js";
import { make, rateText } from "./dom.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */

/** The other picture may lie so far from ours, seconds. */
const DRIFT_S = 0.06;
const UPDATE_MS = 200;

export class Comparison {
  #player;
  /** @type {MediaFeeder | null} */
  #feeder = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer = undefined;

  /** @param {GVideoPlayer} player */
  constructor(player) {
    this.#player = player;
    this.video = make("video", { muted: true, playsInline: true, tabIndex: -1, "aria-hidden": "true" });
    this.clip = make("div", { className: "clip" }, this.video);
    this.own = make("span", { className: "rate own" });
    this.other = make("span", { className: "rate other" });
    this.slider = make("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 0.1,
      value: 50,
      "aria-label": "Where gvideo ends and AVC begins",
    });
    this.handle = make("div", { className: "handle" });
    this.element = make(
      "div",
      { className: "compare", hidden: true },
      this.clip,
      this.own,
      this.other,
      this.handle,
      this.slider,
    );
    this.slider.oninput = () => this.#place();
    // the slider takes no clicks of the picture but near its handle
    this.slider.addEventListener("pointerdown", (event) => event.stopPropagation());
  }

  get open() {
    return !this.element.hidden;
  }

  /** Opens or closes. @throws UnsupportedError if the browser does not play the other rendition */
  async toggle() {
    if (this.open) {
      this.#close();
      return;
    }
    const { source } = this.#player;
    if (!source?.fallback) return;
    const { fallback } = source;
    const codecs = fallback.codecs.filter((name) => name.startsWith("avc1")).join(",");
    const feeder = new MediaFeeder(this.video, source, fallback.playlist, `video/mp4; codecs="${codecs}"`);
    await feeder.open();
    this.#feeder = feeder;
    this.element.hidden = false;
    this.#place();
    this.#timer = setInterval(() => this.#follow(), UPDATE_MS);
    this.#follow();
  }

  dispose() {
    if (this.open) this.#close();
  }

  #close() {
    clearInterval(this.#timer);
    this.element.hidden = true;
    this.#feeder?.dispose();
    this.#feeder = null;
  }

  #place() {
    this.element.style.setProperty("--split", `${this.slider.value}%`);
  }

  /** Keeps the other picture at our time and shows both rates. */
  #follow() {
    const player = this.#player;
    const { video } = this;
    const time = player.currentTime;
    const feeder = this.#feeder;
    if (!feeder) return;
    feeder.aim(time).catch(() => {});
    video.playbackRate = player.playbackRate;
    const moving = !player.paused && !player.waiting;
    if (moving && video.paused) video.play().catch(() => {});
    if (!moving && !video.paused) video.pause();
    if (Math.abs(video.currentTime - time) > (moving ? DRIFT_S : 1e-4)) video.currentTime = time;
    const { x, y, width } = player.view;
    video.style.transform = `scale(${1 / width}) translate(${-100 * x}%, ${-100 * y}%)`;
    this.own.textContent = `gvideo ${rateText(player.statistics.segmentRate)}`;
    this.other.textContent = `AVC ${rateText(feeder.bandwidth ?? player.fallback?.averageBandwidth ?? 0)}`;
  }
}
