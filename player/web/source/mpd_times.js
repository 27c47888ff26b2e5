/**
 * Times of DASH manifests (ISO/IEC 23009-1 §5.3.2, §5.3.9.6): when periods begin and end, and which segments there are.
 *
 *     availabilityStartTime ──► period start ──► segments, those over by now and within timeShiftBufferDepth
 */

import { ContainerError } from "../codec/errors.js";
import { attributeOf, childrenOf, numberOf, timescaleOf } from "./mpd_tree.js";

/** @import { MpdClock, MpdSpan } from "../types/internal.d.ts" */

/** A manifest that names more segments of one representation than this is refused. */
const MAX_SEGMENTS = 200_000;
const DURATION = /^P(?:0+Y)?(?:0+M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
/** Share of a tick that rounding may add. */
const EPSILON = 1e-6;

/** Seconds of an ISO 8601 duration, null if there is none.
 * @param {Element} element
 * @param {string} name */
export function durationOf(element, name) {
  const text = element.getAttribute(name);
  if (text === null) return null;
  const match = DURATION.exec(text.trim());
  if (!match) throw new ContainerError(`${element.localName}@${name} "${text}" is no duration`);
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return 86400 * days + 3600 * hours + 60 * minutes + seconds;
}

/** What the clock says of a manifest.
 * @param {Element} root
 * @param {number} milliseconds since 1970
 * @returns {MpdClock} */
export function clockOf(root, milliseconds) {
  const began = root.getAttribute("availabilityStartTime");
  if (root.getAttribute("type") !== "dynamic" || began === null) return { now: null, depth: null };
  // a moment without a zone is in UTC
  const moment = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(began.trim()) ? began.trim() : `${began.trim()}Z`);
  if (Number.isNaN(moment)) throw new ContainerError(`MPD@availabilityStartTime "${began}" is no date`);
  return { now: (milliseconds - moment) / 1000, depth: durationOf(root, "timeShiftBufferDepth") };
}

/** Start and length in seconds of every period.
 * @param {Element} root
 * @returns {MpdSpan[]} */
export function spansOf(root) {
  const periods = childrenOf(root, "Period");
  const total = durationOf(root, "mediaPresentationDuration");
  /** @type {number[]} */
  const starts = [];
  periods.forEach((period, k) => {
    const before = k > 0 ? (durationOf(periods[k - 1], "duration") ?? 0) : 0;
    starts.push(durationOf(period, "start") ?? (k > 0 ? starts[k - 1] + before : 0));
  });
  return periods.map((period, k) => {
    const end = k + 1 < periods.length ? starts[k + 1] : total;
    const seconds = durationOf(period, "duration") ?? (end === null ? null : Math.max(end - starts[k], 0));
    return { start: starts[k], seconds };
  });
}

/** Segments {number, start, duration} in ticks that a SegmentTimeline, or else @duration, says there are. `found`: the
 * elements that say it, the innermost first. `count`: of a list, if there is one.
 * @param {Element[]} found
 * @param {MpdSpan} span
 * @param {MpdClock} clock
 * @param {number | null} count
 * @returns {{number: number, start: number, duration: number}[]} */
export function timesOf(found, span, clock, count = null) {
  const scale = timescaleOf(found);
  const first = numberOf(found, "startNumber", 1);
  const origin = numberOf(found, "presentationTimeOffset", 0);
  const timeline = found.flatMap((element) => childrenOf(element, "SegmentTimeline"))[0];
  if (timeline) return [...timelineOf(timeline, { scale, first, origin }, span, clock)];
  const ticks = numberOf(found, "duration", 0);
  if (!(ticks > 0)) throw new ContainerError(`${found[0]?.localName}: neither SegmentTimeline nor a duration is given`);
  const [begin, end] = count === null ? windowOf(span, clock, ticks / scale) : [0, count];
  const stop = Math.min(end, numberOf(found, "endNumber", Infinity) + 1 - first);
  checkCount(stop - begin);
  const most = span.seconds === null ? Infinity : span.seconds * scale;
  return Array.from({ length: Math.max(stop - begin, 0) }, (_, k) => {
    const start = (begin + k) * ticks;
    const duration = start < most ? Math.min(ticks, most - start) : ticks;
    return { number: first + begin + k, start: origin + start, duration };
  });
}

/** @param {Element} timeline
 * @param {{scale: number, first: number, origin: number}} units
 * @param {MpdSpan} span
 * @param {MpdClock} clock */
function* timelineOf(timeline, { scale, first, origin }, span, clock) {
  const entries = childrenOf(timeline, "S");
  let at = 0;
  let number = first;
  for (const [k, entry] of entries.entries()) {
    at = numberOf([entry], "t", at);
    const duration = numberOf([entry], "d", 0);
    if (!(duration > 0)) throw new ContainerError(`S@d is ${attributeOf([entry], "d") ?? "missing"}`);
    let again = numberOf([entry], "r", 0);
    if (again < 0) {
      // up to the next entry, to the period's end, or as far as the clock has come
      const next = entries[k + 1] && numberOf([entries[k + 1]], "t", at);
      const until = next ?? (span.seconds === null ? null : span.seconds * scale + origin);
      if (until !== null) again = Math.ceil((until - at) / duration - EPSILON) - 1;
      else again = Math.floor((edgeOf(span, clock) * scale + origin - at) / duration + EPSILON) - 1;
    }
    checkCount(number - first + again);
    for (; again >= 0; again--) {
      yield { number, start: at, duration };
      at += duration;
      number++;
    }
  }
}

/** Seconds of a period that are over.
 * @param {MpdSpan} span
 * @param {MpdClock} clock */
function edgeOf(span, { now }) {
  if (now === null) return span.seconds ?? 0;
  return Math.min(Math.max(now - span.start, 0), span.seconds ?? Infinity);
}

/** The range of segments of equal duration, from 0, that are on offer.
 * @param {MpdSpan} span
 * @param {MpdClock} clock
 * @param {number} seconds
 * @returns {[number, number]} */
function windowOf(span, clock, seconds) {
  const edge = edgeOf(span, clock);
  const whole = edge === span.seconds; // the last one may be shorter
  const end = whole ? Math.ceil(edge / seconds - EPSILON) : Math.floor(edge / seconds + EPSILON);
  if (clock.now === null || clock.depth === null) return [0, end];
  const begin = Math.max(0, Math.floor((clock.now - span.start - clock.depth) / seconds));
  return [Math.min(begin, end), end];
}

/** @param {number} count */
function checkCount(count) {
  if (count > MAX_SEGMENTS) throw new ContainerError(`a representation has more than ${MAX_SEGMENTS} segments`);
}
