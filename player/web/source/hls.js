/**
 * HLS with gsv1 in fragmented MP4 as a source (the interface is described in gsv.js).
 *
 * A sample is whole units as they stand in a .gsv file; layer k is in track 1 + k. Variants that name growing prefixes
 * of the same files (EXT-X-BYTERANGE:n@0) are layers: going up fetches only the bytes between. Variants with files of
 * their own are a ladder. Both are one thing here: bytes of a file as far as they were fetched.
 */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { parseInit, parseSamples } from "./boxes.js";
import { joined } from "./bytes.js";
import { shortName } from "./http.js";
import { parsePlaylist } from "./playlist.js";

/** @import { Http } from "./http.js" */
/** @import { Quality, Segment, Variant } from "../types/gvideo-player.d.ts" */
/** @import { InitMap, InitTrack, Loaded, Master, Media, Place, Track } from "../types/internal.d.ts" */

const OWN_CODEC = "gsv1";
const FALLBACK_CODEC = "avc1";

/** A media playlist that is fetched when it is needed, and again while it grows. */
export class MediaPlaylist {
  /** As it was fetched last.
   * @type {Media | null} */
  media = null;
  /** @type {Promise<Media> | null} */
  #fetching = null;

  /** @param {Http} http
   * @param {string} url */
  constructor(http, url) {
    this.http = http;
    this.url = url;
  }

  /** The playlist; fetched once unless `again`.
   * @param {AbortSignal} [signal]
   * @param {boolean} again
   * @returns {Promise<Media>} */
  async get(signal, again = false) {
    if (this.media && !again) return this.media;
    this.#fetching ??= this.#fetch(signal).finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  /** @param {AbortSignal} [signal] */
  async #fetch(signal) {
    const { media } = parsePlaylist(await this.http.text(this.url, { signal }), this.url);
    if (!media) throw new ContainerError(`${shortName(this.url)}: a media playlist is wanted here`);
    this.media = media;
    return media;
  }

  /** The segment of a number, after fetching the playlist anew if it is behind.
   * @param {number} number
   * @param {AbortSignal} [signal]
   * @returns {Promise<Place | undefined>} */
  async segment(number, signal) {
    /** @param {Media} media */
    const find = (media) => media.segments.find((segment) => segment.number === number);
    const known = await this.get(signal);
    return find(known) ?? find(await this.get(signal, !known.ended));
  }
}

/** Init segments by address and range. */
export class InitCache {
  /** @type {Map<string, Promise<{bytes: Uint8Array<ArrayBuffer>, tracks: Map<number, InitTrack>}>>} */
  #found = new Map();

  /** @param {Http} http */
  constructor(http) {
    this.http = http;
  }

  /** Tracks (boxes.parseInit) and bytes of an EXT-X-MAP.
   * @param {InitMap} map
   * @param {AbortSignal} [signal]
   * @returns {Promise<{bytes: Uint8Array<ArrayBuffer>, tracks: Map<number, InitTrack>}>} */
  get(map, signal) {
    const key = `${map.url} ${map.start} ${map.end}`;
    const found = this.#found.get(key);
    if (found) return found;
    const fetched = this.#fetch(map, signal);
    this.#found.set(key, fetched);
    fetched.catch(() => this.#found.delete(key));
    return fetched;
  }

  /** @param {InitMap} map
   * @param {AbortSignal} [signal] */
  async #fetch(map, signal) {
    const { bytes, whole } = await this.http.bytes(map.url, { start: map.start, end: map.end, signal });
    const own = whole ? bytes.subarray(map.start, map.end) : bytes;
    return { bytes: own, tracks: parseInit(own) };
  }
}

export class HlsSource {
  /** Number of a stretch of continuous time -> seconds of the container's time at the timeline's 0.
   * @type {Map<number, number>} */
  timeOffsets = new Map();
  /** @type {(Segment & {discontinuity: number})[]} */
  segments = [];
  /** @type {MediaPlaylist[]} */
  #playlists = [];
  #inits;
  /** Whether the playlist still grows. */
  live = false;
  /** Seconds. */
  targetDuration = 0;
  /** @type {Uint8Array} */
  sequenceUnit = new Uint8Array(0);
  /** @type {Quality[]} */
  qualities = [];
  /** @type {Track & {codecs: string[]} | null} */
  audio = null;
  /** @type {Track[]} */
  captions = [];
  /** @type {Variant | null} */
  fallback = null;
  /** Address -> {start, bytes}: a file's bytes as far as they were fetched.
   * @type {Map<string, {number: number, bytes: Uint8Array, whole: boolean}>} */
  #files = new Map();

  /** @param {Http} http */
  constructor(http) {
    this.http = http;
    this.#inits = new InitCache(http);
  }

  /** @param {Http} http
   * @param {string} url
   * @param {string} text the playlist at url, master or media
   * @param {AbortSignal} [signal] */
  static async open(http, url, text, signal) {
    const source = new HlsSource(http);
    const { master, media } = parsePlaylist(text, url);
    if (master) source.#useMaster(master, url);
    else if (media) source.#useMedia(media, url);
    await source.refresh(signal);
    const first = source.segments.at(-1);
    if (!first) throw new ContainerError(`${shortName(url)}: the playlist lists no segment`);
    const place = await source.#playlists[0].segment(first.number, signal);
    source.sequenceUnit = await source.#sequenceUnit(place?.map ?? null, signal);
    return source;
  }

  /** @param {Master} master
   * @param {string} url */
  #useMaster(master, url) {
    /** @param {Variant} variant
     * @param {string} codec */
    const uses = (variant, codec) => variant.codecs.some((name) => name.startsWith(codec));
    const own = master.variants.filter((variant) => uses(variant, OWN_CODEC));
    if (own.length === 0) throw new UnsupportedError(`${shortName(url)}: none of its variants is ${OWN_CODEC} video`);
    own.sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.bandwidth - b.bandwidth);
    const others = master.variants.filter((variant) => uses(variant, FALLBACK_CODEC));
    const { audio: audioGroup, subtitles: subtitleGroup } = own[0];
    /** @param {string} type
     * @param {string | null} group
     * @returns {Track[]} */
    const renditions = (type, group) =>
      master.renditions.flatMap((r) => (r.type === type && r.group === group && r.url ? [{ ...r, url: r.url }] : []));
    const audio = renditions("AUDIO", audioGroup);
    const sound = audio.find((rendition) => rendition.isDefault) ?? audio[0];
    this.qualities = own.map((variant, k) => ({
      label: labelOf(own, k),
      bandwidth: variant.averageBandwidth,
      width: variant.width,
      height: variant.height,
    }));
    this.#playlists = own.map((variant) => new MediaPlaylist(this.http, variant.url));
    this.audio = sound ? { ...sound, codecs: own[0].codecs.filter((name) => !name.startsWith(OWN_CODEC)) } : null;
    this.captions = renditions("SUBTITLES", subtitleGroup);
    this.fallback = others[0] ?? null;
  }

  /** @param {Media} media
   * @param {string} url */
  #useMedia(media, url) {
    this.qualities = [{ label: "Source", bandwidth: 0, width: 0, height: 0 }];
    this.#playlists = [new MediaPlaylist(this.http, url)];
    this.#playlists[0].media = media;
  }

  /** Reads the playlist again if it can have grown; true if the segments changed.
   * @param {AbortSignal} [signal]
   * @returns {Promise<boolean>} */
  async refresh(signal) {
    const playlist = this.#playlists[0];
    const media = await playlist.get(signal, playlist.media !== null && this.segments.length > 0);
    this.live = !media.ended;
    this.targetDuration = media.targetDuration;
    const before = `${this.segments[0]?.number} ${this.segments.at(-1)?.number}`;
    const known = this.segments.at(-1);
    let end = known ? known.start + known.duration : 0;
    for (const { number, duration, discontinuity } of media.segments) {
      if (known && number <= known.number) continue;
      // a playlist that ran ahead of us: what was missed takes no time
      this.segments.push({ number, start: end, duration, numFrames: null, discontinuity });
      end += duration;
    }
    while (this.segments.length > 0 && this.segments[0].number < media.sequence) {
      this.forget(this.segments[0]);
      this.segments.shift();
    }
    return `${this.segments[0]?.number} ${this.segments.at(-1)?.number}` !== before;
  }

  /** @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} [signal]
   * @returns {Promise<Loaded>} */
  async load(segment, quality, signal) {
    const place = await this.#playlists[quality].segment(segment.number, signal);
    if (!place) throw new ContainerError(`segment ${segment.number}: the playlist no longer lists it`);
    if (!place.map) throw new ContainerError(`segment ${segment.number}: the playlist names no EXT-X-MAP`);
    const init = await this.#inits.get(place.map, signal);
    const file = await this.#fetch(segment, place, signal);
    const all = parseSamples(file.bytes, init.tracks).filter(({ trackId }) => init.tracks.get(trackId)?.sequenceUnit);
    const samples = all.sort((a, b) => a.trackId - b.trackId);
    const base = samples[0];
    const track = base && init.tracks.get(base.trackId);
    if (!track?.sequenceUnit) throw new ContainerError(`${shortName(place.url)}: there is no ${OWN_CODEC} sample`);
    const { timescale, sequenceUnit } = track;
    if (!this.timeOffsets.has(place.discontinuity)) {
      this.timeOffsets.set(place.discontinuity, base.time / timescale - segment.start);
    }
    return {
      sequenceUnit,
      units: joined(samples.map(({ data }) => data)),
      maxLayers: Infinity,
      size: file.bytes.length,
      numBytes: file.numBytes,
    };
  }

  /** Forgets the bytes of a segment.
   * @param {{number: number}} segment */
  forget(segment) {
    for (const [url, file] of this.#files) if (file.number === segment.number) this.#files.delete(url);
  }

  /** Bytes of a segment's place; those that were fetched before are not fetched again.
   * @param {Segment} segment
   * @param {Place} place
   * @param {AbortSignal} [signal] */
  async #fetch(segment, place, signal) {
    const key = `${place.url} ${place.start}`;
    const had = this.#files.get(key);
    const wanted = place.end === undefined ? Infinity : place.end - place.start;
    if (had && (had.whole || had.bytes.length >= wanted)) {
      return { bytes: had.bytes.length > wanted ? had.bytes.subarray(0, wanted) : had.bytes, numBytes: 0 };
    }
    const from = place.start + (had?.bytes.length ?? 0);
    const got = await this.http.bytes(place.url, { start: from, end: place.end, signal });
    const fresh = got.whole ? got.bytes.subarray(from, place.end) : got.bytes;
    const bytes = had ? joined([had.bytes, fresh]) : fresh;
    this.#files.set(key, { number: segment.number, bytes, whole: place.end === undefined });
    return { bytes, numBytes: got.bytes.length };
  }

  /** @param {InitMap | null} map
   * @param {AbortSignal} [signal] */
  async #sequenceUnit(map, signal) {
    if (!map) throw new ContainerError("playlist: EXT-X-MAP is missing");
    const { tracks } = await this.#inits.get(map, signal);
    const own = [...tracks.values()].find((track) => track.sequenceUnit);
    if (!own?.sequenceUnit) throw new UnsupportedError(`${shortName(map.url)}: there is no ${OWN_CODEC} track`);
    return own.sequenceUnit;
  }
}

/** A quality's name: its height, and its place where heights do not tell qualities apart.
 * @param {Variant[]} variants
 * @param {number} k */
function labelOf(variants, k) {
  const { height } = variants[k];
  const alike = variants.filter((variant) => variant.height === height);
  const name = height ? `${height}p` : `Quality ${k + 1}`;
  return alike.length === 1 ? name : `${name}, layer ${alike.indexOf(variants[k]) + 1} of ${alike.length}`;
}
