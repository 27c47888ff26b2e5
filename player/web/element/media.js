/**
 * A player with the properties, methods and events of a media element (HTML, HTMLMediaElement).
 *
 *     player:  ready        a picture, something fetched        play … waiting … playing    pause | ended, pause
 *     here:    loadedmetadata   loadeddata canplay canplaythrough   play … waiting … playing    pause | pause, ended
 */

import { NetworkError } from "../codec/errors.js";
import { Ranges } from "./ranges.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */

export const READY = { NOTHING: 0, METADATA: 1, CURRENT: 2, FUTURE: 3, ENOUGH: 4 };
export const NETWORK = { EMPTY: 0, IDLE: 1, LOADING: 2, NO_SOURCE: 3 };
const FAILED = { NETWORK: 2, DECODE: 3, NOT_SUPPORTED: 4 };
/** Less than this ahead and playing would stop at once; as much as that and it need not stop. Seconds. */
const FUTURE_S = 0.3;
const ENOUGH_S = 5;
/** Milliseconds between two timeupdate events while it plays. */
const UPDATE_MS = 100;

export class PlayerMedia extends EventTarget {
  loop = false;
  /** @type {{code: number, message: string} | null} */
  error = null;
  seeking = false;
  #readyState = READY.NOTHING;
  /** What was last said of playing.
   * @type {"paused" | "waiting" | "playing"} */
  #said = "paused";
  #ending = false;
  #loaded = false;
  #duration = NaN;
  /** Where to begin, as long as nothing is known of the stream.
   * @type {number | null} */
  #begin = null;
  #updated = 0;
  /** @type {{resolve: () => void, reject: (reason: unknown) => void}[]} */
  #plays = [];

  /** @param {GVideoPlayer} player */
  constructor(player) {
    super();
    this.player = player;
    player.addEventListener("ready", () => this.#opened());
    player.addEventListener("durationchange", () => this.#fetched());
    player.addEventListener("timeupdate", () => this.#drawn());
    player.addEventListener("ended", () => (this.#ending = true));
    player.addEventListener("pause", () => this.#paused());
    for (const name of ["play", "waiting", "playing"]) player.addEventListener(name, () => this.#advance());
    for (const name of ["ratechange", "volumechange"]) player.addEventListener(name, () => this.#say(name));
    player.addEventListener("seeked", () => this.#sought());
    player.addEventListener("recovered", () => (this.error = null));
    player.addEventListener("error", (event) => this.#fail(/** @type {CustomEvent} */ (event).detail));
  }

  get readyState() {
    return this.#readyState;
  }

  get networkState() {
    if (this.error && this.#readyState === READY.NOTHING) return NETWORK.NO_SOURCE;
    const { player } = this;
    const all = player.buffered.length === 1 && player.buffered[0][1] >= player.duration && !player.live;
    return all ? NETWORK.IDLE : NETWORK.LOADING;
  }

  /** Seconds; a live stream has no end. */
  get duration() {
    return this.player.live ? Infinity : this.player.duration;
  }

  get currentTime() {
    return this.#begin ?? this.player.currentTime;
  }

  set currentTime(seconds) {
    if (!Number.isFinite(seconds)) throw new TypeError(`currentTime: ${seconds} is no time`);
    if (this.#readyState === READY.NOTHING) {
      this.#begin = seconds;
      return;
    }
    this.seeking = true;
    this.player.seek(seconds);
    this.#say("seeking");
    this.#advance();
  }

  get paused() {
    return this.player.paused;
  }

  get ended() {
    return this.player.ended && !this.loop;
  }

  get buffered() {
    return new Ranges(this.player.buffered);
  }

  get seekable() {
    return new Ranges(this.#readyState === READY.NOTHING ? [] : [this.player.seekable]);
  }

  get playbackRate() {
    return this.player.playbackRate;
  }

  set playbackRate(rate) {
    this.player.playbackRate = rate;
  }

  get volume() {
    return this.player.volume;
  }

  set volume(volume) {
    if (!(volume >= 0 && volume <= 1)) throw new DOMException(`volume: ${volume} is outside 0..1`, "IndexSizeError");
    this.player.volume = volume;
  }

  get muted() {
    return this.player.muted;
  }

  set muted(muted) {
    this.player.muted = muted;
  }

  get videoWidth() {
    return this.#readyState === READY.NOTHING ? 0 : this.player.displaySize.width;
  }

  get videoHeight() {
    return this.#readyState === READY.NOTHING ? 0 : this.player.displaySize.height;
  }

  /** Resolves when it plays. @throws DOMException AbortError if it was paused before, NotSupportedError if it cannot
   * @returns {Promise<void>} */
  play() {
    if (this.error) return Promise.reject(new DOMException(this.error.message, "NotSupportedError"));
    /** @type {Promise<void>} */
    const playing = new Promise((resolve, reject) => this.#plays.push({ resolve, reject }));
    this.player.play();
    this.#advance();
    return playing;
  }

  pause() {
    this.player.pause();
    this.#giveUp(new DOMException("It was paused before it played.", "AbortError"));
  }

  /** Stops everything; says nothing any more. */
  dispose() {
    this.#giveUp(new DOMException("Another source was loaded before it played.", "AbortError"));
    this.player.destroy();
  }

  // --- inside

  /** @param {string} type */
  #say(type) {
    this.dispatchEvent(new Event(type));
  }

  #opened() {
    this.error = null;
    this.#readyState = READY.METADATA;
    if (this.#begin !== null) this.player.seek(this.#begin);
    this.#begin = null;
    this.#duration = this.duration;
    for (const name of ["durationchange", "resize", "loadedmetadata"]) this.#say(name);
    this.#advance();
  }

  #fetched() {
    this.#say("progress");
    if (this.#readyState > READY.NOTHING && this.duration !== this.#duration) {
      this.#duration = this.duration;
      this.#say("durationchange");
    }
    this.#advance();
  }

  #drawn() {
    this.#advance();
    const now = performance.now();
    if (now - this.#updated < UPDATE_MS) return;
    this.#updated = now;
    this.#say("timeupdate");
  }

  #sought() {
    if (!this.seeking) return;
    this.seeking = false;
    this.#say("timeupdate");
    this.#say("seeked");
    this.#advance();
  }

  #paused() {
    const ending = this.#ending;
    this.#ending = false;
    if (ending && this.loop) {
      // not within the player's own step
      queueMicrotask(() => {
        this.currentTime = this.player.seekable[0];
        this.player.play();
      });
      return;
    }
    this.#said = "paused";
    this.#say("timeupdate");
    this.#say("pause");
    if (ending) this.#say("ended");
  }

  /** @param {{message: string, error: unknown}} detail */
  #fail({ message, error }) {
    let code = error instanceof NetworkError ? FAILED.NETWORK : FAILED.DECODE;
    if (this.#readyState === READY.NOTHING) code = FAILED.NOT_SUPPORTED;
    this.error = { code, message };
    this.#say("error");
    this.#giveUp(new DOMException(message, "NotSupportedError"));
  }

  /** What is there at the play position. */
  #state() {
    const { player } = this;
    const { currentTime: time, duration } = player;
    const range = player.buffered.find(([start, end]) => start <= time + 1e-3 && time < end + 1e-3);
    if (!range) return READY.METADATA;
    const ahead = range[1] - time;
    const left = player.live ? Infinity : duration - time;
    if (ahead >= Math.min(ENOUGH_S, left) - 1e-3) return READY.ENOUGH;
    return ahead >= FUTURE_S ? READY.FUTURE : READY.CURRENT;
  }

  /** Says what has changed: what is there, and whether it plays. */
  #advance() {
    if (this.#readyState > READY.NOTHING) {
      const before = this.#readyState;
      this.#readyState = this.#state();
      const came = (/** @type {number} */ state) => before < state && this.#readyState >= state;
      if (came(READY.CURRENT) && !this.#loaded) {
        this.#loaded = true;
        this.#say("loadeddata");
      }
      if (came(READY.FUTURE)) this.#say("canplay");
      if (came(READY.ENOUGH)) this.#say("canplaythrough");
    }
    const { player } = this;
    if (player.paused) return;
    if (this.#said === "paused") this.#say("play");
    const going = this.#readyState >= READY.FUTURE && !player.waiting;
    const now = going ? "playing" : "waiting";
    if (now !== this.#said) {
      this.#said = now;
      this.#say(now);
    }
    if (going) for (const { resolve } of this.#plays.splice(0)) resolve();
  }

  /** @param {DOMException} reason */
  #giveUp(reason) {
    for (const { reject } of this.#plays.splice(0)) reject(reason);
  }
}
