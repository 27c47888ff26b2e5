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

const OWN_CODEC = "gsv1";
const FALLBACK_CODEC = "avc1";

/** A media playlist that is fetched when it is needed, and again while it grows. */
export class MediaPlaylist {
  #fetching = null;

  constructor(http, url) {
    this.http = http;
    this.url = url;
    this.media = null;
  }

  /** The playlist; fetched once unless `again`. */
  async get(signal, again = false) {
    if (this.media && !again) return this.media;
    this.#fetching ??= this.#fetch(signal).finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  async #fetch(signal) {
    const { media } = parsePlaylist(await this.http.text(this.url, { signal }), this.url);
    if (!media) throw new ContainerError(`${shortName(this.url)}: a media playlist is wanted here`);
    this.media = media;
    return media;
  }

  /** The segment of a number, after fetching the playlist anew if it is behind. */
  async segment(number, signal) {
    const find = (media) => media.segments.find((segment) => segment.number === number);
    return find(await this.get(signal)) ?? find(await this.get(signal, !this.media.ended));
  }
}

/** Init segments by address and range. */
export class InitCache {
  #found = new Map();

  constructor(http) {
    this.http = http;
  }

  /** Tracks (boxes.parseInit) and bytes of an EXT-X-MAP. */
  get(map, signal) {
    const key = `${map.url} ${map.start} ${map.end}`;
    if (!this.#found.has(key)) {
      const fetched = this.#fetch(map, signal);
      this.#found.set(key, fetched);
      fetched.catch(() => this.#found.delete(key));
    }
    return this.#found.get(key);
  }

  async #fetch(map, signal) {
    const { bytes, whole } = await this.http.bytes(map.url, { start: map.start, end: map.end, signal });
    const own = whole ? bytes.subarray(map.start, map.end) : bytes;
    return { bytes: own, tracks: parseInit(own) };
  }
}

export class HlsSource {
  /** Number of a stretch of continuous time -> seconds of the container's time at the timeline's 0. */
  timeOffsets = new Map();
  segments = [];
  #playlists;
  #inits;
  /** Address -> {start, bytes}: a file's bytes as far as they were fetched. */
  #files = new Map();

  /** @param {string} text the playlist at url, master or media */
  static async open(http, url, text, signal) {
    const source = new HlsSource();
    source.http = http;
    source.#inits = new InitCache(http);
    const { master, media } = parsePlaylist(text, url);
    if (master) source.#useMaster(master, url);
    else source.#useMedia(media, url);
    await source.refresh(signal);
    const first = source.segments.at(-1);
    if (!first) throw new ContainerError(`${shortName(url)}: the playlist lists no segment`);
    const { map } = await source.#playlists[0].segment(first.number, signal);
    source.sequenceUnit = await source.#sequenceUnit(map, signal);
    return source;
  }

  #useMaster(master, url) {
    const uses = (variant, codec) => variant.codecs.some((name) => name.startsWith(codec));
    const own = master.variants.filter((variant) => uses(variant, OWN_CODEC));
    if (own.length === 0) throw new UnsupportedError(`${shortName(url)}: none of its variants is ${OWN_CODEC} video`);
    own.sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.bandwidth - b.bandwidth);
    const others = master.variants.filter((variant) => uses(variant, FALLBACK_CODEC));
    const { audio: audioGroup, subtitles: subtitleGroup } = own[0];
    const renditions = (type, group) => master.renditions.filter((r) => r.type === type && r.group === group && r.url);
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

  #useMedia(media, url) {
    this.qualities = [{ label: "Source", bandwidth: 0, width: 0, height: 0 }];
    this.#playlists = [new MediaPlaylist(this.http, url)];
    this.#playlists[0].media = media;
    this.audio = null;
    this.captions = [];
    this.fallback = null;
  }

  /** Reads the playlist again if it can have grown; true if the segments changed. */
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
    while (this.segments.length > 0 && this.segments[0].number < media.sequence) this.forget(this.segments.shift());
    return `${this.segments[0]?.number} ${this.segments.at(-1)?.number}` !== before;
  }

  async load(segment, quality, signal) {
    const place = await this.#playlists[quality].segment(segment.number, signal);
    if (!place) throw new ContainerError(`segment ${segment.number}: the playlist no longer lists it`);
    if (!place.map) throw new ContainerError(`segment ${segment.number}: the playlist names no EXT-X-MAP`);
    const init = await this.#inits.get(place.map, signal);
    const file = await this.#fetch(segment, place, signal);
    const all = parseSamples(file.bytes, init.tracks).filter(({ trackId }) => init.tracks.get(trackId).sequenceUnit);
    if (all.length === 0) throw new ContainerError(`${shortName(place.url)}: there is no ${OWN_CODEC} sample`);
    const samples = all.sort((a, b) => a.trackId - b.trackId);
    const base = samples[0];
    const { timescale, sequenceUnit } = init.tracks.get(base.trackId);
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

  /** Forgets the bytes of a segment. */
  forget(segment) {
    for (const [url, file] of this.#files) if (file.number === segment.number) this.#files.delete(url);
  }

  /** Bytes of a segment's place; those that were fetched before are not fetched again. */
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

  async #sequenceUnit(map, signal) {
    if (!map) throw new ContainerError("playlist: EXT-X-MAP is missing");
    const { tracks } = await this.#inits.get(map, signal);
    const own = [...tracks.values()].find((track) => track.sequenceUnit);
    if (!own) throw new UnsupportedError(`${shortName(map.url)}: there is no ${OWN_CODEC} track`);
    return own.sequenceUnit;
  }
}

/** A quality's name: its height, and its place where heights do not tell qualities apart. */
function labelOf(variants, k) {
  const { height } = variants[k];
  const alike = variants.filter((variant) => variant.height === height);
  const name = height ? `${height}p` : `Quality ${k + 1}`;
  return alike.length === 1 ? name : `${name}, layer ${alike.indexOf(variants[k]) + 1} of ${alike.length}`;
}
