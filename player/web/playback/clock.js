/** Time that passes while playing: the page's own clock, or that of an audio or video element (sound is the master). */

export class Clock {
  #time = 0;
  /** @type {number | null} */
  #since = null;
  #rate = 1;
  /** @type {HTMLMediaElement | null} */
  #element = null;

  /** Seconds. */
  get time() {
    if (this.#element) return this.#element.currentTime;
    if (this.#since === null) return this.#time;
    return this.#time + (this.#rate * (performance.now() - this.#since)) / 1000;
  }

  set time(seconds) {
    this.#time = seconds;
    if (this.#since !== null) this.#since = performance.now();
    if (this.#element) this.#element.currentTime = seconds;
  }

  get running() {
    return this.#since !== null;
  }

  get rate() {
    return this.#rate;
  }

  set rate(rate) {
    this.#hold();
    this.#rate = rate;
    if (this.#element) this.#element.playbackRate = rate;
  }

  /** Lets an element lead from now on (null: none).
   * @param {HTMLMediaElement | null} element */
  follow(element) {
    const time = this.time;
    const running = this.running;
    this.stop();
    this.#element = element;
    if (element) element.playbackRate = this.#rate;
    this.time = time;
    if (running) this.start();
  }

  get leader() {
    return this.#element;
  }

  start() {
    if (this.running) return;
    this.#since = performance.now();
    // a browser that lets no sound begin without a gesture: the picture goes on without it
    this.#element?.play().catch((error) => {
      if (error.name === "NotAllowedError") this.follow(null);
    });
  }

  stop() {
    if (!this.running) return;
    this.#hold();
    this.#since = null;
    this.#element?.pause();
  }

  #hold() {
    this.#time = this.time;
    if (this.#since !== null) this.#since = performance.now();
  }
}
