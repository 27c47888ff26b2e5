/**
 * DASH manifests (ISO/IEC 23009-1) as plain objects: SegmentTemplate with $Number$ or $Time$, SegmentList, SegmentBase.
 *
 *     MPD > Period > AdaptationSet > Representation ──► {kind, codecs, size, segments()}, addresses absolute
 */

import { ContainerError } from "../codec/errors.js";
import { clockOf, durationOf, spansOf, timesOf } from "./mpd_times.js";
import {
  addressOf,
  attributeOf,
  baseOf,
  childrenOf,
  inherited,
  numberOf,
  parseTree,
  rangeOf,
  timescaleOf,
} from "./mpd_tree.js";
import { kindOfClock } from "./utc.js";

/** @import { InitMap, Manifest, MpdClock, MpdClockPlace, MpdIndex, MpdPeriod } from "../types/internal.d.ts" */
/** @import { MpdSegment, MpdSpan, Representation } from "../types/internal.d.ts" */

const IDENTIFIER = /\$(RepresentationID|Number|Time|Bandwidth|)(?:%0(\d{1,2})d)?\$/g;

/** @param {string} text
 * @param {string} url
 * @param {number} now milliseconds since 1970: tells which segments of a live manifest without a timeline there are
 * @returns {Manifest}
 * @throws ContainerError */
export function parseManifest(text, url, now) {
  const root = parseTree(text);
  const clock = clockOf(root, now);
  const spans = spansOf(root);
  const location = childrenOf(root, "Location")[0]?.textContent?.trim();
  return {
    ended: hasEnded(root, spans.at(-1), clock),
    updateSeconds: durationOf(root, "minimumUpdatePeriod"),
    delaySeconds: durationOf(root, "suggestedPresentationDelay"),
    longest: durationOf(root, "maxSegmentDuration"),
    location: location ? addressOf(location, url) : null,
    clocks: childrenOf(root, "UTCTiming").flatMap((element) => clocksOf(element, url)),
    periods: childrenOf(root, "Period").map((period, k) => periodOf(root, period, spans[k], clock, url)),
  };
}

/** The clocks of a UTCTiming that are understood.
 * @param {Element} element
 * @param {string} url
 * @returns {MpdClockPlace[]} */
function clocksOf(element, url) {
  const kind = kindOfClock(element.getAttribute("schemeIdUri"));
  const value = element.getAttribute("value")?.trim() ?? "";
  if (!kind || !value) return [];
  if (kind === "direct") return [{ kind, value }];
  return value.split(/\s+/).map((where) => ({ kind, value: addressOf(where, url) }));
}

/** Whether nothing will follow any more.
 * @param {Element} root
 * @param {MpdSpan | undefined} last
 * @param {MpdClock} clock */
function hasEnded(root, last, { now }) {
  if (root.getAttribute("type") !== "dynamic") return true;
  const end = last && last.seconds !== null ? last.start + last.seconds : Infinity;
  return !root.hasAttribute("minimumUpdatePeriod") && now !== null && now >= end;
}

/** @param {Element} root
 * @param {Element} period
 * @param {MpdSpan} span
 * @param {MpdClock} clock
 * @param {string} url
 * @returns {MpdPeriod} */
function periodOf(root, period, span, clock, url) {
  const representations = childrenOf(period, "AdaptationSet").flatMap((set) =>
    childrenOf(set, "Representation").map((element) =>
      representationOf([root, period, set, element], span, clock, url),
    ),
  );
  return { id: period.getAttribute("id") ?? `at ${span.start}`, representations };
}

/** @param {Element[]} path MPD, Period, AdaptationSet, Representation
 * @param {MpdSpan} span
 * @param {MpdClock} clock
 * @param {string} url
 * @returns {Representation} */
function representationOf(path, span, clock, url) {
  const [, , set, element] = path;
  const own = [element, set];
  const mime = attributeOf(own, "mimeType") ?? "";
  const bandwidth = numberOf([element], "bandwidth", 0);
  const ranking = element.hasAttribute("qualityRanking") ? numberOf([element], "qualityRanking", 0) : null;
  const segments = new Segments(path, { id: element.getAttribute("id") ?? "", bandwidth }, span, clock, url);
  return {
    kind: set.getAttribute("contentType") ?? mime.split("/")[0],
    id: element.getAttribute("id") ?? "",
    mime,
    codecs: (attributeOf(own, "codecs") ?? "").split(",").map((name) => name.trim()).filter(Boolean),
    bandwidth,
    averageBandwidth: bandwidth,
    width: numberOf(own, "width", 0),
    height: numberOf(own, "height", 0),
    score: ranking === null ? null : -ranking, // a ranking falls as quality rises
    language: attributeOf(own, "lang") ?? "",
    name: childrenOf(set, "Label")[0]?.textContent?.trim() ?? "",
    isMain: childrenOf(set, "Role").some((role) => role.getAttribute("value") === "main"),
    isProtected: own.some((e) => childrenOf(e, "ContentProtection").length > 0),
    segments: () => segments.read(),
  };
}

/** The segments of one representation, listed when they are asked for: what nobody plays need not be well-formed. */
class Segments {
  /** @param {Element[]} path
   * @param {{id: string, bandwidth: number}} names
   * @param {MpdSpan} span
   * @param {MpdClock} clock
   * @param {string} url */
  constructor(path, names, span, clock, url) {
    this.path = path;
    this.names = names;
    this.span = span;
    this.clock = clock;
    this.url = url;
  }

  /** A list, or the place of the index that lists them.
   * @returns {{segments: MpdSegment[]} | {index: MpdIndex}} */
  read() {
    const base = baseOf(this.path, this.url);
    const [template, list, single] = ["SegmentTemplate", "SegmentList", "SegmentBase"].map((name) =>
      inherited(this.path, name),
    );
    if (template.length > 0) return { segments: this.#template(template, base) };
    if (list.length > 0) return { segments: this.#list(list, base) };
    if (single.length > 0) return { index: indexOf(single, base) };
    const whole = { time: 0, seconds: this.span.seconds ?? 0, origin: 0, url: base, start: 0, map: null };
    return { segments: [whole] };
  }

  /** @param {Element[]} found
   * @param {string} base
   * @returns {MpdSegment[]} */
  #template(found, base) {
    const media = attributeOf(found, "media");
    if (media === null) throw new ContainerError("SegmentTemplate@media is missing");
    const init = attributeOf(found, "initialization");
    const map = init === null ? null : { url: addressOf(this.#named(init, 0, 0), base), start: 0 };
    return timesOf(found, this.span, this.clock).map(({ number, start, duration }) => ({
      ...secondsOf(found, start, duration),
      url: addressOf(this.#named(media, number, start), base),
      start: 0,
      map,
    }));
  }

  /** @param {Element[]} found
   * @param {string} base
   * @returns {MpdSegment[]} */
  #list(found, base) {
    const urls = found.map((element) => childrenOf(element, "SegmentURL")).find(({ length }) => length > 0) ?? [];
    const times = timesOf(found, this.span, this.clock, urls.length);
    if (times.length < urls.length)
      throw new ContainerError(`SegmentList has ${urls.length} addresses and ${times.length} durations`);
    const map = initOf(found, base);
    return urls.map((element, k) => {
      const media = element.getAttribute("media");
      const range = element.getAttribute("mediaRange");
      return {
        ...secondsOf(found, times[k].start, times[k].duration),
        url: media === null ? base : addressOf(media, base),
        ...(range === null ? { start: 0 } : rangeOf(range)),
        map,
      };
    });
  }

  /** A template's name (§5.3.9.4.4).
   * @param {string} template
   * @param {number} number
   * @param {number} time */
  #named(template, number, time) {
    /** @type {Record<string, string>} */
    const values = {
      RepresentationID: this.names.id.split("/").map(encodeURIComponent).join("/"),
      Bandwidth: String(this.names.bandwidth),
      Number: String(number),
      Time: String(time),
    };
    return template.replace(IDENTIFIER, (_, name, width) =>
      name === "" ? "$" : values[name].padStart(Number(width ?? 0), "0"),
    );
  }
}

/** @param {Element[]} found
 * @param {number} start ticks
 * @param {number} duration ticks */
function secondsOf(found, start, duration) {
  const scale = timescaleOf(found);
  const origin = numberOf(found, "presentationTimeOffset", 0) / scale;
  return { time: start / scale, seconds: duration / scale, origin };
}

/** @param {Element[]} found
 * @param {string} base
 * @returns {InitMap | null} */
function initOf(found, base) {
  const element = found.flatMap((e) => childrenOf(e, "Initialization"))[0];
  if (!element) return null;
  const where = element.getAttribute("sourceURL");
  const range = element.getAttribute("range");
  return { url: where === null ? base : addressOf(where, base), ...(range === null ? { start: 0 } : rangeOf(range)) };
}

/** @param {Element[]} found
 * @param {string} base
 * @returns {MpdIndex} */
function indexOf(found, base) {
  const text = attributeOf(found, "indexRange");
  if (text === null) throw new ContainerError("SegmentBase@indexRange is missing");
  const range = rangeOf(text);
  const map = initOf(found, base) ?? { url: base, start: 0, end: range.start };
  return { url: base, ...range, map, origin: secondsOf(found, 0, 0).origin };
}
