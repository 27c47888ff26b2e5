/** The clock that a live manifest names (ISO/IEC 23009-1 §5.8.4.11), as a difference from this machine's. */

/** @import { Http } from "./http.js" */
/** @import { MpdClockPlace } from "../types/internal.d.ts" */

const SCHEME = /^urn:mpeg:dash:utc:(http-head|http-iso|http-xsdate|direct):201[24]$/;

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
