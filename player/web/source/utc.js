/** The clock that a live manifest names (ISO/IEC 23009-1 §5.8.4.11), as a difference from this machine's. */

/** @import { Http } from "./http.js" */
/** @import { MpdClockPlace } from "../types/internal.d.ts" */

const SCHEME = /^urn:mpeg:dash:utc:(http-head|http-iso|http-xsdate|direct):201[24]$/;

/** This machine's clock was set anew, or the machine slept, if it has moved by so much against one that nobody sets. */
const JUMP_MS = 2000;

/** Kind of a clock that is understood ("http-head", "http-iso", "http-xsdate", "direct"), "" of any other.
 * @param {string | null} scheme */
export function kindOfClock(scheme) {
  return SCHEME.exec(scheme ?? "")?.[1] ?? "";
}

/** Milliseconds by which the first clock that answers is ahead of `now`; 0 where none does.
 * @param {MpdClockPlace[]} clocks
 * @param {Http} http
 * @param {() => number} now milliseconds since 1970
 * @param {AbortSignal} [signal] */
export async function aheadOf(clocks, http, now = Date.now, signal) {
  for (const { kind, value } of clocks) {
    try {
      let text = value;
      if (kind === "http-head") text = await http.date(value, signal);
      else if (kind !== "direct") text = await http.text(value, { signal });
      const moment = Date.parse(text.trim());
      if (!Number.isNaN(moment)) return moment - now();
    } catch (error) {
      if (signal?.aborted) throw error;
    }
  }
  return 0;
}

/** The time as a manifest's clock says it. That is asked once, and again when this machine's clock was set anew. */
export class ManifestClock {
  #aheadMs = 0;
  /** This machine's clock against one that nobody sets, when the manifest's was asked.
   * @type {number | null} */
  #offsetMs = null;

  /** @param {() => number} own milliseconds since 1970
   * @param {() => number} steady milliseconds since any moment */
  constructor(own = () => Date.now(), steady = () => performance.now()) {
    this.own = own;
    this.steady = steady;
  }

  /** False before it was asked, and when it is to be asked again. */
  get isKnown() {
    return this.#offsetMs !== null && Math.abs(this.own() - this.steady() - this.#offsetMs) <= JUMP_MS;
  }

  /** Milliseconds since 1970; this machine's while nothing else is known. */
  now() {
    return this.own() + this.#aheadMs;
  }

  /** @param {MpdClockPlace[]} clocks
   * @param {Http} http
   * @param {AbortSignal} [signal] */
  async ask(clocks, http, signal) {
    this.#aheadMs = await aheadOf(clocks, http, this.own, signal);
    this.#offsetMs = this.own() - this.steady();
  }
}
