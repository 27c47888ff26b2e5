/** Sound that leads the clock. Where it fails the picture goes on without it. */

import { MediaFeeder } from "./feeder.js";

/** @import { Clock } from "./clock.js" */
/** @import { Source } from "../types/internal.d.ts" */

export class Sound {
  /** @type {MediaFeeder | null} */
  #feeder = null;

  /** @param {HTMLAudioElement} element @param {Clock} clock @param {(error: unknown) => void} onlost */
  constructor(element, clock, onlost) {
    this.element = element;
    this.clock = clock;
    this.onlost = onlost;
    // sound may end before the picture does
    element.onended = () => clock.follow(null);
  }

  get there() {
    return this.#feeder !== null;
  }

  /** Opens the sound of a source, if it has any.
   * @param {Source} source */
  async open(source) {
    if (!source.audio || this.#feeder) return;
    const { playlist, codecs } = source.audio;
    const feeder = new MediaFeeder(this.element, source, playlist, `audio/mp4; codecs="${codecs.join(",")}"`);
    try {
      await feeder.open();
    } catch (error) {
      this.onlost(error);
      return;
    }
    this.#feeder = feeder;
    this.lead();
  }

  /** Takes the lead (again), as after going back from where the sound had ended. */
  lead() {
    if (this.#feeder) this.clock.follow(this.element);
  }

  /** Fetches what is missing around a time.
   * @param {number} time */
  aim(time) {
    const feeder = this.#feeder;
    feeder?.aim(time).catch((error) => {
      if (feeder !== this.#feeder) return;
      this.clock.follow(null);
      this.dispose();
      this.onlost(error);
    });
  }

  dispose() {
    this.#feeder?.dispose();
    this.#feeder = null;
  }
}
