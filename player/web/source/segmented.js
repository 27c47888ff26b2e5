/**
 * gsv1 in fragmented MP4 as a source, whatever lists its segments (the interface is described in gsv.js).
 *
 *     hls.js  ──┐ rungs, sound, captions and fallback, each with a playlist:
 *     dash.js ──┘ get(signal, again) answers the segments that there are, again: as of now
 *
 * A sample is whole units as they stand in a .gsv file; layer k is in track 1 + k. Rungs that name growing prefixes of
 * the same files are layers: going up fetches only the bytes between. Rungs with files of their own are a ladder. Both
 * are one thing here: bytes of a file as far as they were fetched.
 *
 * A live stream in parts is played part by part as long as its playlist names them (pieces.js). Where a file of several
 * coded segments is named as a whole, it is known to be one when it is there: then the segment that it was becomes so
 * many, numbered as if they had been parts.
 */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { parseSamples } from "./boxes.js";
import { joined } from "./bytes.js";
import { shortName } from "./http.js";
import { InitCache } from "./inits.js";
import { numberOf, pieceOf, piecesOf } from "./pieces.js";

/** @import { Http } from "./http.js" */
/** @import { Quality, Segment } from "../types/gvideo-player.d.ts" */
/** @import { InitMap, InitTrack, Loaded, Media, Offer, Place, Playlist } from "../types/internal.d.ts" */
/** @import { Received, Rung, Sample, Track } from "../types/internal.d.ts" */

export const OWN_CODEC = "gsv1";
export const FALLBACK_CODEC = "avc1";
/** Target durations behind the end of a live stream, where playing begins. */
const LIVE_DELAY = 3;
/** What is left of a segment by less than this many seconds is nothing. */
const LEAST_REST_S = 0.01;
/** Parts that were asked for ahead: the one that comes and the one behind it. */
const MOST_HINTED = 2;

/** Whether something has a codec of this four-character code.
 * @param {{codecs: string[]}} offered
 * @param {string} codec */
export const usesCodec = ({ codecs }, codec) => codecs.some((name) => name.startsWith(codec));

export class SegmentedSource {
  /** Number of a stretch of continuous time -> seconds of its own time at the timeline's 0.
   * @type {Map<number, number>} */
  timeOffsets = new Map();
  /** @type {Segment[]} */
  segments = [];
  /** @type {Playlist[]} */
  #playlists;
  #inits;
  /** Whether the playlist still grows. */
  live = false;
  /** Seconds after which a live source is read again. */
  updateSeconds = 0;
  /** Seconds behind the end of a live stream, where playing begins. */
  liveDelay = 0;
  /** Whether a live stream is offered in parts. */
  inParts = false;
  /** Whether reading a live source again waits for what is new. */
  isHeld = false;
  /** The quality that was loaded last, whose playlist is read again. */
  #latest = 0;
  /** What comes next, asked for before it is there; null where that failed.
   * @type {Map<string, Promise<Received | null>>} */
  #hinted = new Map();
  /** Segments that may be several, which their file tells.
   * @type {WeakSet<Segment>} */
  #whole = new WeakSet();
  /** @type {Uint8Array} */
  sequenceUnit = new Uint8Array(0);
  /** @type {Quality[]} */
  qualities;
  /** @type {Track | null} */
  audio;
  /** @type {Track[]} */
  captions;
  /** @type {Rung | null} */
  fallback;
  /** Address and start -> bytes of a file as far as they were fetched.
   * @type {Map<string, {number: number, bytes: Uint8Array, whole: boolean}>} */
  #files = new Map();

  /** @param {Http} http
   * @param {Offer} offer */
  constructor(http, { rungs, audio, captions, fallback }) {
    this.http = http;
    this.#inits = new InitCache(http);
    this.#playlists = rungs.map(({ playlist }) => playlist);
    this.qualities = rungs.map(({ averageBandwidth = 0, width = 0, height = 0 }, k) => ({
      label: labelOf(rungs, k),
      bandwidth: averageBandwidth,
      width,
      height,
    }));
    this.audio = audio;
    this.captions = captions;
    this.fallback = fallback;
  }

  /** @param {Http} http
   * @param {string} url of what made the offer, for messages
   * @param {Offer} offer the rungs: at least one, the poorest first
   * @param {AbortSignal} [signal] */
  static async open(http, url, offer, signal) {
    const source = new SegmentedSource(http, offer);
    await source.refresh(signal);
    const first = source.segments.at(-1);
    if (!first) throw new ContainerError(`${shortName(url)}: it lists no segment`);
    const { map } = await source.#placeOf(first, 0, signal);
    source.sequenceUnit = await source.#sequenceUnit(map, signal);
    return source;
  }

  /** Reads the playlist again if it can have grown; true if the segments changed.
   * @param {AbortSignal} [signal]
   * @returns {Promise<boolean>} */
  async refresh(signal) {
    const media = await this.#playlists[this.#latest].get(signal, this.segments.length > 0);
    this.live = !media.ended;
    this.updateSeconds = media.updateSeconds ?? media.targetDuration / 2;
    this.liveDelay = media.delaySeconds ?? LIVE_DELAY * media.targetDuration;
    this.inParts = media.open !== undefined;
    this.isHeld = media.following !== undefined;
    const before = `${this.segments[0]?.number} ${this.segments.at(-1)?.number}`;
    const known = this.segments.at(-1);
    let end = known ? known.start + known.duration : 0;
    for (const { number, duration, gap = 0, isPart = false } of piecesOf(media)) {
      let place = { number, duration };
      if (known && number <= known.number) {
        const rest = duration - this.#secondsOf(number);
        if (isPart || Math.floor(known.number) !== number || rest < LEAST_REST_S) continue;
        // pieces of a segment are known that is only named as a whole by now
        place = { number: numberOf(number, pieceOf(known.number) + 1), duration: rest };
      }
      // a playlist that ran ahead of us: what was missed takes no time
      const start = this.segments.length > 0 ? end + gap : end;
      const segment = { ...place, start, numFrames: null };
      this.segments.push(segment);
      if (!isPart) this.#whole.add(segment);
      end = start + segment.duration;
    }
    this.#askAhead();
    while (this.segments.length > 0 && this.segments[0].number < media.sequence) {
      this.forget(this.segments[0]);
      this.segments.shift();
    }
    return `${this.segments[0]?.number} ${this.segments.at(-1)?.number}` !== before;
  }

  /** Seconds of a segment of which there are pieces.
   * @param {number} number */
  #secondsOf(number) {
    const pieces = this.segments.filter((segment) => Math.floor(segment.number) === number);
    return pieces.reduce((sum, { duration }) => sum + duration, 0);
  }

  /** Asks for the part that comes next, once what is there was asked for: the server answers when it is published. */
  #askAhead() {
    const hint = this.#playlists[this.#latest].media?.hint;
    const newest = this.segments.at(-2)?.number;
    if (!hint || !this.isHeld || this.#hinted.has(hint) || newest === undefined) return;
    if (![...this.#files.values()].some(({ number }) => number >= newest)) return;
    this.#hinted.set(
      hint,
      this.http.bytes(hint).catch(() => null),
    );
    const [oldest] = this.#hinted.keys();
    if (this.#hinted.size > MOST_HINTED) this.#hinted.delete(oldest);
  }

  /** @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} [signal]
   * @returns {Promise<Loaded>} */
  async load(segment, quality, signal) {
    const place = await this.#placeOf(segment, quality, signal);
    this.#latest = quality;
    const init = await this.#inits.get(place.map, signal);
    const file = await this.#fetch(segment, place, signal);
    const all = parseSamples(file.bytes, init.tracks).filter(({ trackId }) => init.tracks.get(trackId)?.sequenceUnit);
    const coded = codedSegments(all);
    const which = place.number === segment.number ? 0 : pieceOf(segment.number);
    if (coded.length > which + 1) this.#split(segment, coded.slice(which), init.tracks);
    const samples = coded[which] ?? [];
    const base = samples[0];
    const track = base && init.tracks.get(base.trackId);
    if (!track?.sequenceUnit) throw new ContainerError(`${shortName(place.url)}: there is no ${OWN_CODEC} sample`);
    const { timescale, sequenceUnit } = track;
    if (!this.timeOffsets.has(place.discontinuity)) {
      this.timeOffsets.set(place.discontinuity, base.time / timescale - (place.origin ?? 0) - segment.start);
    }
    return {
      sequenceUnit,
      units: joined(samples.map(({ data }) => data)),
      maxLayers: Infinity,
      size: coded.length > 1 ? samples.reduce((sum, { data }) => sum + data.length, 0) : file.bytes.length,
      numBytes: file.numBytes,
    };
  }

  /** Makes a segment as many as its file holds, unless that was done.
   * @param {Segment} segment
   * @param {Sample[][]} coded
   * @param {Map<number, InitTrack>} tracks */
  #split(segment, coded, tracks) {
    const at = this.segments.indexOf(segment);
    if (at < 0 || !this.#whole.has(segment)) return;
    const next = this.segments[at + 1]?.number ?? Infinity;
    if (Math.floor(next) === Math.floor(segment.number)) return;
    const timescale = tracks.get(coded[0][0].trackId)?.timescale ?? 1;
    const starts = coded.map(([{ time }]) => segment.start + (time - coded[0][0].time) / timescale);
    const ends = [...starts.slice(1), segment.start + segment.duration];
    const parts = starts.map((start, k) => ({
      number: numberOf(Math.floor(segment.number), pieceOf(segment.number) + k),
      start,
      duration: Math.max(ends[k] - start, 0),
      numFrames: null,
    }));
    segment.duration = parts[0].duration;
    this.segments.splice(at + 1, 0, ...parts.slice(1));
  }

  /** Forgets the bytes of a segment.
   * @param {{number: number}} segment */
  forget(segment) {
    for (const [url, file] of this.#files) if (file.number === segment.number) this.#files.delete(url);
  }

  /** Where a segment of a quality is, or the one that it is a piece of, after asking anew if its playlist is behind.
   * @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} [signal]
   * @returns {Promise<Place & {map: InitMap}>} */
  async #placeOf({ number }, quality, signal) {
    const playlist = this.#playlists[quality];
    /** @param {Media} media */
    const find = (media) =>
      piecesOf(media).find((piece) => piece.number === number) ??
      media.segments.find((segment) => segment.number === Math.floor(number));
    let media = await playlist.get(signal);
    if (!media.ended && !find(media)) media = await playlist.get(signal, true);
    const place = find(media);
    if (!place) throw new ContainerError(`segment ${number}: the playlist no longer lists it`);
    if (!place.map) throw new ContainerError(`segment ${number}: no init segment is named for it`);
    return { ...place, map: place.map };
  }

  /** Bytes of a segment's place; those that were fetched before are not fetched again.
   * @param {Segment} segment
   * @param {Place} place
   * @param {AbortSignal} [signal] */
  async #fetch(segment, place, signal) {
    const key = `${place.url} ${place.start}`;
    const had = this.#files.get(key);
    const wanted = place.end === undefined ? Infinity : place.end - place.start;
    if (had) had.number = segment.number; // who used it last forgets it
    if (had && (had.whole || had.bytes.length >= wanted)) {
      return { bytes: had.bytes.length > wanted ? had.bytes.subarray(0, wanted) : had.bytes, numBytes: 0 };
    }
    const from = place.start + (had?.bytes.length ?? 0);
    const hinted = wanted === Infinity ? await this.#hinted.get(place.url) : null;
    this.#hinted.delete(place.url);
    const got = hinted ?? (await this.http.bytes(place.url, { start: from, end: place.end, signal }));
    const fresh = got.whole ? got.bytes.subarray(from, place.end) : got.bytes;
    const bytes = had ? joined([had.bytes, fresh]) : fresh;
    this.#files.set(key, { number: segment.number, bytes, whole: place.end === undefined });
    return { bytes, numBytes: got.bytes.length };
  }

  /** @param {InitMap} map
   * @param {AbortSignal} [signal] */
  async #sequenceUnit(map, signal) {
    const { tracks } = await this.#inits.get(map, signal);
    const own = [...tracks.values()].find((track) => track.sequenceUnit);
    if (!own?.sequenceUnit) throw new UnsupportedError(`${shortName(map.url)}: there is no ${OWN_CODEC} track`);
    return own.sequenceUnit;
  }
}

/** Samples of a file by coded segment: each begins with one of the base, and those of its layers follow.
 * @param {Sample[]} samples of gsv1 tracks, as they lie in the file
 * @returns {Sample[][]} */
function codedSegments(samples) {
  const base = Math.min(...samples.map(({ trackId }) => trackId));
  /** @type {Sample[][]} */
  const found = [];
  for (const sample of samples) {
    if (sample.trackId === base || found.length === 0) found.push([]);
    found[found.length - 1].push(sample);
  }
  return found.map((each) => each.sort((a, b) => a.trackId - b.trackId));
}

/** A quality's name: its height, and its place where heights do not tell qualities apart.
 * @param {Offer["rungs"]} rungs
 * @param {number} k */
function labelOf(rungs, k) {
  const { height, bandwidth } = rungs[k];
  if (rungs.length === 1 && bandwidth === undefined) return "Source";
  const alike = rungs.filter((rung) => rung.height === height);
  const name = height ? `${height}p` : `Quality ${k + 1}`;
  return alike.length === 1 ? name : `${name}, layer ${alike.indexOf(rungs[k]) + 1} of ${alike.length}`;
}
