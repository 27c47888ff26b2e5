/** WebVTT captions (W3C WebVTT: cues with their times and text; styling and positions are left out). */

/** @import { Http } from "../source/http.js" */
/** @import { Track } from "../types/internal.d.ts" */

const AHEAD_S = 30;
const TIME = /^(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})$/;

/** @type {Record<string, string>} */
const REFERENCES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": "\u00a0", "&lrm;": "", "&rlm;": "" };

/** Plain text of a cue: tags go, character references are resolved.
 * @param {string[]} lines */
function plainText(lines) {
  return lines
    .join("\n")
    .replace(/<[^>]*>/g, "")
    .replace(/&[a-z]+;/g, (name) => REFERENCES[name] ?? name);
}

/** @param {string} text */
function seconds(text) {
  const [, hours = "0", minutes, whole, millis] = TIME.exec(text) ?? [];
  return minutes === undefined
    ? NaN
    : Number(hours) * 3600 + Number(minutes) * 60 + Number(whole) + Number(millis) / 1000;
}

/** Cues {start, end (s), text} of a WebVTT file; parts that are no cues are skipped.
 * @param {string} text */
export function parseVtt(text) {
  /** @type {{start: number, end: number, text: string}[]} */
  const cues = [];
  for (const block of text.replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n").filter((line) => line !== "");
    const at = lines.findIndex((line) => line.includes("-->"));
    if (at < 0) continue;
    const [start, end] = lines[at].split("-->").map((part) => seconds(part.trim().split(/\s+/)[0]));
    if (start < end) cues.push({ start, end, text: plainText(lines.slice(at + 1)) });
  }
  return cues;
}

/** A track of WebVTT files, fetched as the play position comes near them. */
export class CaptionTrack {
  /** @type {Map<number, {start: number, end: number, text: string}[]>} */
  #cues = new Map();
  #busy = false;

  /** @param {Http} http
   * @param {Track} track */
  constructor(http, { playlist, name, language }) {
    this.name = name || language || "Captions";
    this.language = language;
    this.http = http;
    this.playlist = playlist;
  }

  /** Fetches what is missing around a time.
   * @param {number} time */
  async aim(time) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const media = await this.playlist.get();
      let start = 0;
      for (const segment of media.segments) {
        const end = start + segment.duration;
        if (end > time && start < time + AHEAD_S && !this.#cues.has(segment.number)) {
          this.#cues.set(segment.number, parseVtt(await this.http.text(segment.url)));
        }
        start = end;
      }
    } finally {
      this.#busy = false;
    }
  }

  /** The text on screen at a time, or "".
   * @param {number} time */
  textAt(time) {
    const texts = new Set();
    for (const cues of this.#cues.values()) {
      for (const cue of cues) if (cue.start <= time && time < cue.end) texts.add(cue.text);
    }
    return [...texts].join("\n");
  }
}
