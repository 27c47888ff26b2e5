/** The player with its controls, in any element: picture, captions, notes, seek bar, buttons, menu. */

import { BrowserError, describe } from "../codec/errors.js";
import { GVideoPlayer } from "../gvideo-player.js";
import { playInstead } from "../playback/instead.js";
import { RemoteRung } from "../playback/remote.js";
import { colourRemark } from "../render/colour.js";
import { Comparison } from "./compare.js";
import { clockText, iconButton, make, setIcon } from "./dom.js";
import { Gestures } from "./gestures.js";
import { listen } from "./keys.js";
import { SettingsMenu } from "./menu.js";
import { SeekBar } from "./seekbar.js";
import { StatisticsPanel } from "./statistics.js";

/** @import { PlayerOptions } from "../types/gvideo-player.d.ts" */

const IDLE_MS = 2600;
const NOTE_MS = 6000;
const ZOOM_STEP = 1.25;

export class PlayerView {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #note = undefined;
  #unlisten;
  #animation;
  #ends = new AbortController();

  /**
   * @param {HTMLElement} container is filled
   * @param {string | Blob} url
   * @param {PlayerOptions & {keys?: HTMLElement | Document, remote?: RemoteRung}} options of GVideoPlayer, and keys:
   *   what is listened to for keys, by default the container; remote: by which its owner casts the AVC rung
   */
  constructor(container, url, { keys = container, remote, ...options } = {}) {
    this.container = container;
    this.canvas = make("canvas", { role: "img", "aria-label": "Video" });
    this.player = new GVideoPlayer(this.canvas, url, options);
    const { player } = this;
    this.remote = remote ?? new RemoteRung();
    if (!remote) player.addEventListener("ready", () => this.remote.offer(player));
    this.comparison = new Comparison(player);
    this.seekbar = new SeekBar(player);
    this.statistics = new StatisticsPanel(player);
    this.menu = new SettingsMenu(player, this.statistics);
    this.captions = make("div", { className: "captions", "aria-live": "off" });
    this.notes = make("div", { className: "notes", hidden: true, role: "status" });
    this.spinner = make("div", { className: "spinner", hidden: true, role: "status", "aria-label": "Loading" });
    this.errorText = make("p");
    this.retry = make("button", { type: "button", onclick: () => player.retry() }, "Try again");
    this.error = make("div", { className: "error", hidden: true, role: "alert" }, this.errorText, this.retry);
    const shown = [this.canvas, this.comparison.element, this.captions, this.remote.video];
    this.stage = make("div", { className: "stage" }, ...shown);
    this.playButton = iconButton("play", "Play (space)", () => this.togglePlay());
    this.startButton = iconButton("play", "Start", () => player.play());
    this.startButton.className = "start";
    this.startButton.hidden = true;
    this.muteButton = iconButton("sound", "Mute (m)", () => (player.muted = !player.muted));
    this.volume = make("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      value: 1,
      "aria-label": "Volume",
      className: "volume",
    });
    this.volume.oninput = () => Object.assign(player, { volume: Number(this.volume.value), muted: false });
    this.time = make("span", { className: "time" }, "0:00");
    this.liveButton = make(
      "button",
      { type: "button", className: "live", hidden: true, onclick: () => player.seek(player.liveEdge) },
      "Live",
    );
    this.captionsButton = iconButton("captions", "Captions (c)", () => this.toggleCaptions());
    this.compareButton = iconButton("compare", "Compare with AVC", () => this.#compare());
    this.castButton = iconButton("cast", "Play on another device", () => this.#cast());
    this.fullButton = iconButton("full", "Full screen (f)", () => this.toggleFullscreen());
    this.menuButton = iconButton("settings", "Settings", () => this.menu.toggle());
    this.bar = make("div", { className: "bar" });
    this.gestures = new Gestures(this.stage, player, this);
    this.#lay();
    this.#connect();
    this.#unlisten = listen(keys, this.player, this);
    this.#animation = requestAnimationFrame(() => this.#refresh());
  }

  dispose() {
    cancelAnimationFrame(this.#animation);
    this.remote.withdraw();
    this.#unlisten();
    this.#ends.abort();
    this.seekbar.dispose();
    this.statistics.dispose();
    this.comparison.dispose();
    this.player.destroy();
    this.container.replaceChildren();
  }

  // --- what buttons and keys do

  togglePlay() {
    if (this.player.paused) this.player.play();
    else this.player.pause();
  }

  toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.container.requestFullscreen?.().catch(() => this.note("Full screen is not allowed here."));
  }

  toggleStatistics() {
    this.statistics.toggle();
  }

  /** Off, or the first track. */
  toggleCaptions() {
    const { player } = this;
    player.captionTrack = player.captionTrack ? null : (player.captionTracks[0] ?? null);
  }

  toggleControls() {
    this.container.classList.toggle("idle");
  }

  closeMenu() {
    this.menu.toggle(false);
  }

  /** @param {string} key */
  zoom(key) {
    if (key === "0") this.player.view = { x: 0, y: 0, width: 1, height: 1 };
    else this.gestures.zoom(key === "+" ? ZOOM_STEP : 1 / ZOOM_STEP);
  }

  /** A remark that goes away again.
   * @param {string} text */
  note(text) {
    this.notes.textContent = text;
    this.notes.hidden = false;
    clearTimeout(this.#note);
    this.#note = setTimeout(() => (this.notes.hidden = true), NOTE_MS);
  }

  /** Shows the controls; they go when nothing moves while playing. */
  wake() {
    this.container.classList.remove("idle");
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      const busy = !this.menu.element.hidden || this.bar.matches(":focus-within:has(:focus-visible)");
      if (!this.player.paused && !busy) this.container.classList.add("idle");
    }, IDLE_MS);
  }

  // --- inside

  /** Puts the parts in their places. */
  #lay() {
    const { player, container } = this;
    const row = make(
      "div",
      { className: "row" },
      this.playButton,
      iconButton("back", "A frame back (,)", () => player.step(-1)),
      iconButton("forward", "A frame on (.)", () => player.step(1)),
      this.muteButton,
      this.volume,
      this.time,
      this.liveButton,
      make("span", { className: "space" }),
      this.captionsButton,
      this.compareButton,
      this.castButton,
      this.menuButton,
      this.fullButton,
    );
    for (const button of [row.children[1], row.children[2]]) button.classList.add("wide");
    this.bar.append(this.seekbar.element, row);
    for (const element of [this.muteButton, this.volume, this.captionsButton, this.compareButton, this.castButton])
      element.hidden = true;
    container.classList.add("player");
    container.tabIndex = -1;
    container.append(
      this.stage,
      this.startButton,
      this.spinner,
      this.statistics.element,
      this.notes,
      this.error,
      this.menu.element,
      this.bar,
    );
  }

  #connect() {
    const { player, container } = this;
    /** @param {string} name
     * @param {(event: CustomEvent) => void} listener */
    const on = (name, listener) => player.addEventListener(name, /** @type {EventListener} */ (listener));
    this.#setLoading(true);
    on("ready", () => this.#ready());
    on("play", () => this.#showPlaying());
    on("pause", () => this.#showPlaying());
    on("waiting", () => this.#setLoading(true));
    on("playing", () => this.#setLoading(false));
    on("seeked", () => this.#setLoading(false));
    on("timeupdate", () => this.#setLoading(player.waiting));
    on("notice", ({ detail }) => this.note(detail.message));
    on("volumechange", () => this.#showVolume());
    on("viewchange", () => container.classList.toggle("zoomed", player.view.width < 1));
    on("error", ({ detail }) => {
      this.#setLoading(false);
      if (detail.error instanceof BrowserError) this.#playInstead(detail.message);
      else this.#showError(detail.message);
    });
    on("recovered", () => {
      this.error.hidden = true;
      this.#setLoading(true);
    });
    const { signal } = this.#ends;
    for (const name of ["availabilitychange", "connect", "disconnect"])
      this.remote.addEventListener(name, () => this.#showCasting(), { signal });
    container.addEventListener("pointermove", () => this.wake());
    container.addEventListener("focusin", () => this.wake());
    document.addEventListener(
      "pointerdown",
      (event) => {
        // not the target: within a shadow tree that would be the tree's host
        const path = event.composedPath();
        if (!path.includes(this.menu.element) && !path.includes(this.menuButton)) this.menu.toggle(false);
      },
      { signal },
    );
    container.addEventListener("fullscreenchange", () => {
      const root = /** @type {Document | ShadowRoot} */ (container.getRootNode());
      const full = root.fullscreenElement === container;
      setIcon(this.fullButton, full ? "small" : "full", full ? "Leave full screen (f)" : "Full screen (f)");
    });
  }

  #ready() {
    const { player, container } = this;
    const { width, height } = player.displaySize;
    container.style.setProperty("--aspect", String(width / height));
    this.muteButton.hidden = this.volume.hidden = !player.hasSound;
    this.captionsButton.hidden = player.captionTracks.length === 0;
    this.compareButton.hidden = player.fallback === null;
    this.liveButton.hidden = !player.live;
    this.startButton.hidden = !player.paused;
    const remark = player.sequence && colourRemark(player.sequence);
    if (remark) this.note(remark);
    this.#showPlaying();
    this.wake();
  }

  /** @param {string} message */
  #showError(message) {
    this.errorText.textContent = message;
    this.error.hidden = false;
  }

  /** The AVC rung, with the browser's own controls, where Gaussians cannot be drawn.
   * @param {string} why */
  async #playInstead(why) {
    const { signal } = this.#ends;
    const video = make("video", { controls: true, playsInline: true, autoplay: !this.player.paused });
    try {
      await playInstead(video, this.player.url, { why, signal });
    } catch (error) {
      if (!signal.aborted) this.#showError(describe(error));
      return;
    }
    this.player.pause();
    this.stage.replaceChildren(video);
    for (const element of [this.bar, this.startButton, this.retry]) element.hidden = true;
    this.note("This browser cannot draw Gaussian video: the AVC rung plays instead.");
  }

  async #compare() {
    try {
      await this.comparison.toggle();
    } catch (error) {
      this.note(describe(error));
    }
    this.compareButton.setAttribute("aria-pressed", String(this.comparison.open));
  }

  async #cast() {
    try {
      await this.remote.prompt();
    } catch (error) {
      const { name, message } = /** @type {DOMException} */ (error);
      if (name !== "NotAllowedError") this.note(message); // that one: it was shut again
    }
  }

  /** Another device has the browser's own controls; here is nothing to see. */
  #showCasting() {
    this.castButton.hidden = !this.remote.available;
    this.container.classList.toggle("casting", this.remote.connected);
  }

  #showPlaying() {
    const { player } = this;
    if (!player.paused) this.startButton.hidden = true;
    if (!player.paused) setIcon(this.playButton, "pause", "Pause (space)");
    else if (player.ended) setIcon(this.playButton, "again", "Play again (space)");
    else setIcon(this.playButton, "play", "Play (space)");
    this.wake();
  }

  #showVolume() {
    const { player } = this;
    const silent = player.muted || player.volume === 0;
    setIcon(this.muteButton, silent ? "muted" : "sound", silent ? "Sound on (m)" : "Mute (m)");
    this.volume.value = String(player.muted ? 0 : player.volume);
  }

  /** @param {boolean} loading */
  #setLoading(loading) {
    this.spinner.hidden = !loading;
  }

  /** What changes with every picture. */
  #refresh() {
    this.#animation = requestAnimationFrame(() => this.#refresh());
    const { player } = this;
    if (!player.timeline) return;
    this.seekbar.update();
    const tenths = player.duration < 60;
    const text = `${clockText(player.currentTime, tenths)} / ${clockText(player.duration, tenths)}`;
    if (this.time.textContent !== text) this.time.textContent = text;
    const captioned = String(player.captionTrack !== null);
    if (this.captionsButton.ariaPressed !== captioned) this.captionsButton.ariaPressed = captioned;
    if (this.captions.textContent !== player.caption) this.captions.textContent = player.caption;
  }
}
