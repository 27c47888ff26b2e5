/** Which quality to fetch next: throughput as two exponentially weighted means, the smaller one counts. */

/** Half-lives in seconds of fetching. */
const FAST_S = 1.5;
const SLOW_S = 6;
/** Share of the throughput that a stream may take. */
const SAFETY = 0.8;
/** Bodies smaller than this come at once and tell little; they are added up until they do. */
const LEAST_BYTES = 16384;
/** Milliseconds that a body takes at least: what comes with its headers is no sign of an endless rate. */
const LEAST_MS = 2;
/** Bits/s to begin with. */
const DEFAULT_RATE = 1e6;

class Mean {
  /** @param {number} halfLife seconds */
  constructor(halfLife) {
    this.decay = Math.log(0.5) / halfLife;
    this.value = 0;
    this.weight = 0;
  }

  /** @param {number} value
   * @param {number} seconds */
  add(value, seconds) {
    const keep = Math.exp(this.decay * seconds);
    this.value = keep * this.value + (1 - keep) * value;
    this.weight = keep * this.weight + (1 - keep);
  }

  get estimate() {
    return this.value / this.weight;
  }
}

export class Throughput {
  #fast = new Mean(FAST_S);
  #slow = new Mean(SLOW_S);
  #bytes = 0;
  #milliseconds = 0;

  /** A body that took so long to come.
   * @param {number} bytes
   * @param {number} milliseconds */
  add(bytes, milliseconds) {
    this.#bytes += bytes;
    this.#milliseconds += Math.max(milliseconds, LEAST_MS);
    if (this.#bytes < LEAST_BYTES) return;
    const seconds = this.#milliseconds / 1000;
    for (const mean of [this.#fast, this.#slow]) mean.add((8 * this.#bytes) / seconds, seconds);
    this.#bytes = this.#milliseconds = 0;
  }

  /** Bits/s. */
  get rate() {
    return this.#fast.weight > 0 ? Math.min(this.#fast.estimate, this.#slow.estimate) : DEFAULT_RATE;
  }
}

/** The best of the qualities (their bandwidths in bits/s, the poorest first) that a rate carries.
 * @param {{bandwidth: number}[]} qualities
 * @param {number} rate */
export function chooseQuality(qualities, rate) {
  let chosen = 0;
  qualities.forEach(({ bandwidth }, k) => {
    if (bandwidth <= SAFETY * rate) chosen = k;
  });
  return chosen;
}
