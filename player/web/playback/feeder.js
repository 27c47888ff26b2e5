/**
 * An HLS rendition that the browser decodes itself (sound, or the AVC fallback), fed to a media element segment by
 * segment through Media Source Extensions, on the same timeline as the Gaussians.
 */

import { UnsupportedError } from "../codec/errors.js";
import { InitCache, MediaPlaylist } from "../source/hls.js";

const AHEAD_S = 20;
const BEHIND_S = 10;

export class MediaFeeder {
  #buffer;
  #appended = new Set();
  #init = null;
  #busy = false;
  #abort = new AbortController();
  #ended = false;
  /** Bits/s of the segment that came last. */
  bandwidth = null;

  /**
   * @param {HTMLMediaElement} element
   * @param {object} source the HlsSource whose timeline is followed
   * @param {string} url of the media playlist
   * @param {string} type MIME type with codecs
   */
  constructor(element, source, url, type) {
    this.element = element;
    this.source = source;
    this.type = type;
    this.playlist = new MediaPlaylist(source.http, url);
    this.inits = new InitCache(source.http);
  }

  /** @throws UnsupportedError if the browser cannot play this type */
  async open() {
    const MediaSourceClass = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
    if (!MediaSourceClass?.isTypeSupported(this.type))
      throw new UnsupportedError(`This browser does not play ${this.type}.`);
    this.mediaSource = new MediaSourceClass();
    this.element.disableRemotePlayback = true;
    this.element.src = URL.createObjectURL(this.mediaSource);
    await event(this.mediaSource, "sourceopen");
    URL.revokeObjectURL(this.element.src);
    this.#buffer = this.mediaSource.addSourceBuffer(this.type);
    const media = await this.playlist.get(this.#abort.signal);
    if (media.ended) {
      const end = media.segments.reduce((sum, { duration }) => sum + duration, 0);
      this.mediaSource.duration = end;
    }
  }

  /** Fetches what is missing around a time, as far as the source has loaded something of the same stretch of time. */
  async aim(time) {
    if (this.#busy || this.mediaSource?.readyState === "closed") return;
    this.#busy = true;
    try {
      await this.#feed(time);
    } finally {
      this.#busy = false;
    }
  }

  dispose() {
    this.#abort.abort();
    this.element.removeAttribute("src");
    this.element.load();
  }

  async #feed(time) {
    const { signal } = this.#abort;
    let media = await this.playlist.get(signal);
    const placed = this.#placed(media);
    if (!media.ended && (placed.at(-1)?.end ?? 0) < time + AHEAD_S) media = await this.playlist.get(signal, true);
    for (const { segment, start, end } of this.#placed(media)) {
      if (end <= time || start > time + AHEAD_S || this.#appended.has(segment.number)) continue;
      const offset = this.source.timeOffsets.get(segment.discontinuity);
      if (offset === undefined) break;
      await this.#append(segment, offset, signal);
    }
    await this.#drop(time, placed);
    const last = media.segments.at(-1);
    if (
      media.ended &&
      !this.#ended &&
      last &&
      this.#appended.has(last.number) &&
      this.mediaSource.readyState === "open"
    ) {
      this.mediaSource.endOfStream();
      this.#ended = true;
    }
  }

  /** Segments with their places on the timeline: equal numbers begin together. */
  #placed(media) {
    const first = media.segments[0];
    const twin = this.source.segments.find(({ number }) => number === first?.number);
    let start = twin?.start ?? 0;
    return media.segments.map((segment) => {
      const placed = { segment, start, end: start + segment.duration };
      start = placed.end;
      return placed;
    });
  }

  async #append(segment, offset, signal) {
    const { bytes: init } = await this.inits.get(segment.map, signal);
    if (init !== this.#init) {
      await this.#put(init);
      this.#init = init;
    }
    const got = await this.source.http.bytes(segment.url, { start: segment.start, end: segment.end, signal });
    this.#ended = false; // appending opens an ended stream again
    this.#buffer.timestampOffset = -offset;
    await this.#put(got.whole ? got.bytes.subarray(segment.start, segment.end) : got.bytes);
    this.#appended.add(segment.number);
    this.bandwidth = (8 * got.bytes.length) / segment.duration;
  }

  /** Takes segments out that lie far behind. */
  async #drop(time, placed) {
    const old = placed.filter(({ segment, end }) => end < time - BEHIND_S && this.#appended.has(segment.number));
    if (old.length === 0 || this.mediaSource.readyState !== "open") return;
    this.#buffer.remove(Math.max(old[0].start, 0), old.at(-1).end);
    await event(this.#buffer, "updateend");
    for (const { segment } of old) this.#appended.delete(segment.number);
  }

  async #put(bytes) {
    this.#buffer.appendBuffer(bytes);
    await event(this.#buffer, "updateend");
  }
}

function event(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}
