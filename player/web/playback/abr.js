/**
 * Which quality to fetch next. Three rules:
 *
 *     throughput   the best that a share of the rate carries; the rate is the smaller of two moving averages
 *     bola-basic   BOLA-BASIC: the buffer alone decides (Spiteri, Urgaonkar, Sitaraman: BOLA, INFOCOM 2016)
 *     mpc          RobustMPC: the best plan for the next segments at the rate to be expected at worst (Yin, Jindal,
 *                  Sekar, Sinopoli: A Control-Theoretic Approach for Dynamic Adaptive Video Streaming, SIGCOMM 2015)
 *
 * The last two are those of player/abr.py, with the same constants; a test holds their choices equal.
 */

/** @import { Adaptation } from "../types/gvideo-player.d.ts" */
/** @import { AdaptationState } from "../types/internal.d.ts" */

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
/** Rates, and errors of their prediction, that count for RobustMPC. */
export const MEMORY = 5;
/** γp of BOLA, as published. */
export const BOLA_GAMMA_P = 5;
/** Segments that RobustMPC plans; doublings of the rate that a second of standing still, and that a change of quality
 * by one doubling, takes from the gain. */
export const MPC_HORIZON = 5;
export const MPC_STALL = 4.3;
export const MPC_SWITCH = 1;

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
  /** @type {number[]} */
  #rates = [];
  /** @type {number[]} */
  #errors = [];

  /** A body that took so long to come.
   * @param {number} bytes
   * @param {number} milliseconds */
  add(bytes, milliseconds) {
    this.#bytes += bytes;
    this.#milliseconds += Math.max(milliseconds, LEAST_MS);
    if (this.#bytes < LEAST_BYTES) return;
    const seconds = this.#milliseconds / 1000;
    const rate = (8 * this.#bytes) / seconds;
    for (const mean of [this.#fast, this.#slow]) mean.add(rate, seconds);
    this.#bytes = this.#milliseconds = 0;
    if (this.#rates.length > 0) this.#errors = [...this.#errors, Math.abs(this.predicted - rate) / rate].slice(-MEMORY);
    this.#rates = [...this.#rates, rate].slice(-MEMORY);
  }

  /** The harmonic mean of the last rates, bits/s. */
  get predicted() {
    const { length } = this.#rates;
    return length > 0 ? length / this.#rates.reduce((sum, rate) => sum + 1 / rate, 0) : DEFAULT_RATE;
  }

  /** The rate to be expected at worst: the predicted one less the largest of the last errors, bits/s. */
  get worst() {
    return this.predicted / (1 + Math.max(0, ...this.#errors));
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

/** The quality that a rule chooses.
 * @param {Adaptation} rule
 * @param {AdaptationState} state
 * @param {Throughput} throughput */
export function choose(rule, state, throughput) {
  const known = state.rates.every((rate) => rate > 0);
  if (known && rule === "bola-basic") return chooseByBuffer(state);
  if (known && rule === "mpc") return chooseByPlan(state, throughput.worst);
  return chooseQuality(
    state.rates.map((bandwidth) => ({ bandwidth })),
    throughput.rate,
  );
}

/** BOLA-BASIC: the quality m with the largest (V (v_m + γp) - Q) / S_m. v_m: the logarithm of its size, by the poorest;
 * Q: segments in the buffer; V such that the best quality is chosen where all but one of those that it holds are there.
 * @param {AdaptationState} state */
export function chooseByBuffer({ rates, segmentSeconds, bufferSeconds, targetSeconds }) {
  const utilities = rates.map((rate) => Math.log(rate / rates[0]));
  const most = Math.max(targetSeconds / segmentSeconds, 2);
  const weight = (most - 1) / (utilities[utilities.length - 1] + BOLA_GAMMA_P);
  const filled = bufferSeconds / segmentSeconds;
  const scores = rates.map((rate, m) => (weight * (utilities[m] + BOLA_GAMMA_P) - filled) / rate);
  return scores.indexOf(Math.max(...scores));
}

/** RobustMPC: the first quality of the plan that gains most. A plan gains the quality of its segments, in doublings of
 * the poorest rate, less what it stands still and how much it changes.
 * @param {AdaptationState} state
 * @param {number} rate bits/s */
export function chooseByPlan({ rates, segmentSeconds, bufferSeconds, targetSeconds, level }, rate) {
  const quality = rates.map((each) => Math.log2(each / rates[0]));
  const seconds = rates.map((each) => (each * segmentSeconds) / rate);
  /** The most that so many segments more can gain.
   * @param {number} left
   * @param {number} buffer
   * @param {number} before
   * @returns {{gain: number, first: number}} */
  const best = (left, buffer, before) => {
    let found = { gain: left > 0 ? -Infinity : 0, first: 0 };
    for (let m = 0; left > 0 && m < rates.length; m++) {
      const stall = Math.max(seconds[m] - buffer, 0);
      const after = Math.min(Math.max(buffer - seconds[m], 0) + segmentSeconds, targetSeconds);
      const own = quality[m] - MPC_STALL * stall - MPC_SWITCH * Math.abs(quality[m] - quality[before]);
      const gain = own + best(left - 1, after, m).gain;
      if (gain > found.gain) found = { gain, first: m };
    }
    return found;
  };
  return best(MPC_HORIZON, bufferSeconds, Math.max(level, 0)).first;
}
