/** HLS playlists (RFC 8216, and SCORE of its successor) as plain objects. Addresses are absolute. */

import { ContainerError } from "../codec/errors.js";
import { numberOf } from "./pieces.js";
import { linesOf, substitute } from "./playlist_text.js";

/** @import { Variant } from "../types/gvideo-player.d.ts" */
/** @import { InitMap, Master, Media, Place } from "../types/internal.d.ts" */

/** PART-HOLD-BACK where it is not given, in PART-TARGET. */
const HOLD_BACK = 3;

/** Attributes NAME=value,NAME="value" of a tag.
 * @param {string} text
 * @returns {Record<string, string | undefined>} */
function parseAttributes(text) {
  /** @type {Record<string, string | undefined>} */
  const attributes = {};
  for (const [, name, value] of text.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)) {
    attributes[name] = value.replace(/^"|"$/g, "");
  }
  return attributes;
}

/** The address that a playlist names, absolute.
 * @param {string} reference
 * @param {string} base */
function addressOf(reference, base) {
  try {
    return new URL(reference, base).href;
  } catch {
    throw new ContainerError(`playlist: ${reference} is no address`);
  }
}

/** n[@o] of EXT-X-BYTERANGE; without o it follows the range before it.
 * @param {string} text
 * @param {number} follows */
function parseRange(text, follows) {
  const [, length, offset] = /^(\d+)(?:@(\d+))?$/.exec(text.trim()) ?? [];
  if (length === undefined) throw new ContainerError(`playlist: the byte range ${text} is none`);
  const start = offset === undefined ? follows : Number(offset);
  return { start, end: start + Number(length) };
}

/** {master: …} or {media: …} of a playlist's text, or of its lines.
 * @param {string | string[]} text
 * @param {string} url behind redirects
 * @param {Map<string, string>} imported variables of the multivariant playlist
 * @returns {{master?: Master, media?: Media}} */
export function parsePlaylist(text, url, imported = new Map()) {
  const sent = typeof text === "string" ? linesOf(text) : text;
  if (sent[0] !== "#EXTM3U") throw new ContainerError("playlist: its first line is not #EXTM3U");
  const { lines, variables } = substitute(sent, url, imported);
  const isMaster = lines.some((line) => line.startsWith("#EXT-X-STREAM-INF:"));
  return isMaster ? { master: { ...parseMaster(lines, url), variables } } : { media: parseMedia(lines, url) };
}

/** @param {string[]} lines
 * @param {string} url
 * @returns {Omit<Master, "variables">} */
function parseMaster(lines, url) {
  /** @type {Omit<Master, "variables">} */
  const master = { variants: [], renditions: [] };
  /** @type {Record<string, string | undefined> | null} */
  let pending = null;
  for (const line of lines) {
    const [tag, rest] = splitTag(line);
    if (tag === "#EXT-X-STREAM-INF") pending = parseAttributes(rest);
    else if (tag === "#EXT-X-MEDIA") {
      const a = parseAttributes(rest);
      master.renditions.push({
        type: a.TYPE,
        group: a["GROUP-ID"],
        name: a.NAME ?? a.LANGUAGE ?? "",
        language: a.LANGUAGE ?? "",
        isDefault: a.DEFAULT === "YES",
        url: a.URI ? addressOf(a.URI, url) : null,
      });
    } else if (!line.startsWith("#") && pending) {
      master.variants.push(variantOf(pending, line, url));
      pending = null;
    }
  }
  return master;
}

/** @param {Record<string, string | undefined>} a
 * @param {string} uri
 * @param {string} url
 * @returns {Variant} */
function variantOf(a, uri, url) {
  const [width, height] = (a.RESOLUTION ?? "0x0").split("x").map(Number);
  return {
    url: addressOf(uri, url),
    bandwidth: Number(a.BANDWIDTH ?? 0),
    averageBandwidth: Number(a["AVERAGE-BANDWIDTH"] ?? a.BANDWIDTH ?? 0),
    score: a.SCORE === undefined ? null : Number(a.SCORE),
    codecs: (a.CODECS ?? "")
      .split(",")
      .map((codec) => codec.trim())
      .filter(Boolean),
    width,
    height,
    audio: a.AUDIO ?? null,
    subtitles: a.SUBTITLES ?? null,
  };
}

/** @param {string[]} lines
 * @param {string} url
 * @returns {Media} */
function parseMedia(lines, url) {
  /** @type {Media} */
  const media = { sequence: 0, targetDuration: 0, ended: false, segments: [] };
  /** @type {{duration?: number, range?: string}} */
  let next = {};
  /** @type {InitMap | null} */
  let map = null;
  let rangeEnd = 0;
  /** Parts of the segment that comes next.
   * @type {Place[]} */
  let parts = [];
  let discontinuity = 0; // number of the stretch of continuous time
  let partTarget = 0;
  /** @type {Record<string, string | undefined>} */
  let control = {};
  /** @type {Record<string, string | undefined>} */
  let hinted = {};
  for (const line of lines) {
    const [tag, rest] = splitTag(line);
    if (tag === "#EXTINF") next.duration = parseFloat(rest);
    else if (tag === "#EXT-X-BYTERANGE") next.range = rest;
    else if (tag === "#EXT-X-MAP") {
      const a = parseAttributes(rest);
      if (!a.URI) throw new ContainerError("playlist: EXT-X-MAP has no URI");
      map = {
        url: addressOf(a.URI, url),
        ...(a.BYTERANGE ? parseRange(a.BYTERANGE, 0) : { start: 0, end: undefined }),
      };
    } else if (tag === "#EXT-X-DISCONTINUITY") discontinuity++;
    else if (tag === "#EXT-X-DISCONTINUITY-SEQUENCE") discontinuity = Number(rest);
    else if (tag === "#EXT-X-MEDIA-SEQUENCE") media.sequence = Number(rest);
    else if (tag === "#EXT-X-TARGETDURATION") media.targetDuration = Number(rest);
    else if (tag === "#EXT-X-ENDLIST") media.ended = true;
    else if (tag === "#EXT-X-PART") {
      const number = numberOf(media.sequence + media.segments.length, parts.length);
      parts.push({ ...partOf(rest, url, parts.at(-1)), number, discontinuity, map, isPart: true });
    } else if (tag === "#EXT-X-PART-INF") partTarget = Number(parseAttributes(rest)["PART-TARGET"]);
    else if (tag === "#EXT-X-SERVER-CONTROL") control = parseAttributes(rest);
    else if (tag === "#EXT-X-PRELOAD-HINT") hinted = parseAttributes(rest);
    else if (tag === "#EXT-X-KEY" && parseAttributes(rest).METHOD !== "NONE") {
      throw new ContainerError("playlist: the segments are encrypted, which this player does not read");
    } else if (!line.startsWith("#")) {
      const { duration } = next;
      if (duration === undefined || !(duration >= 0))
        throw new ContainerError(`playlist: ${line} has no EXTINF`);
      const place = next.range ? parseRange(next.range, rangeEnd) : { start: 0, end: undefined };
      rangeEnd = place.end ?? 0;
      media.segments.push({
        number: media.sequence + media.segments.length,
        url: addressOf(line, url),
        ...place,
        duration,
        discontinuity,
        map,
        ...(parts.length > 0 ? { parts } : {}),
      });
      next = {};
      parts = [];
    }
  }
  const last = media.segments.at(-1);
  if (!media.ended && (parts.length > 0 || last?.parts) && partTarget > 0) {
    media.open = parts;
    media.updateSeconds = partTarget;
    media.delaySeconds = Number(control["PART-HOLD-BACK"] ?? HOLD_BACK * partTarget);
    if (control["CAN-BLOCK-RELOAD"] === "YES") {
      media.following = `_HLS_msn=${media.sequence + media.segments.length}&_HLS_part=${parts.length}`;
    }
    const skip = Number(control["CAN-SKIP-UNTIL"]);
    if (skip > 0) media.skipSeconds = skip;
    const { TYPE: type, URI: uri, "BYTERANGE-START": start, "BYTERANGE-LENGTH": length } = hinted;
    if (type === "PART" && uri && !start && !length) media.hint = addressOf(uri, url);
  } else for (const segment of media.segments) delete segment.parts;
  return media;
}

/** A part as EXT-X-PART has it; without an offset its range follows that of the part before.
 * @param {string} text
 * @param {string} base
 * @param {Place | undefined} before */
function partOf(text, base, before) {
  const { URI: uri, DURATION: seconds, BYTERANGE: range } = parseAttributes(text);
  const duration = Number(seconds);
  if (!uri || !(duration > 0)) throw new ContainerError("playlist: a part lacks its URI or its DURATION");
  const url = addressOf(uri, base);
  const place = range ? parseRange(range, before?.url === url ? (before.end ?? 0) : 0) : { start: 0, end: undefined };
  return { url, ...place, duration };
}

/** @param {string} line */
function splitTag(line) {
  const colon = line.indexOf(":");
  return line.startsWith("#") && colon > 0 ? [line.slice(0, colon), line.slice(colon + 1)] : [line, ""];
}
