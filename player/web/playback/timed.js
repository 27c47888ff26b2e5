/** What a player has in time and sound: its clock and speed, the element that plays the sound, volume, events. */

import { describe } from "../codec/errors.js";
import { Clock } from "./clock.js";
import { Sound } from "./sound.js";

export class TimedPlayer extends EventTarget {
  constructor() {
    super();
    this.element = Object.assign(document.createElement("audio"), { preload: "auto" });
    /** @protected */
    this.clock = new Clock();
    /** @protected */
    this.sound = new Sound(this.element, this.clock, (error) => this.notice(`No sound: ${describe(error)}`));
  }

  get hasSound() {
    return this.sound.there;
  }

  get playbackRate() {
    return this.clock.rate;
  }

  set playbackRate(rate) {
    this.clock.rate = rate;
    this.emit("ratechange");
  }

  get volume() {
    return this.element.volume;
  }

  set volume(volume) {
    this.element.volume = Math.min(Math.max(volume, 0), 1);
    this.emit("volumechange");
  }

  get muted() {
    return this.element.muted;
  }

  set muted(muted) {
    this.element.muted = muted;
    this.emit("volumechange");
  }

  /** @protected
   * @param {string} type
   * @param {object} detail */
  emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Something was left out.
   * @protected
   * @param {string} message */
  notice(message) {
    this.emit("notice", { message });
  }
}
