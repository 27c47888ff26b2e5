/**
 * A rendition that the browser decodes itself (sound, or the AVC fallback), fed to a media element segment by
 * segment through Media Source Extensions, on the same timeline as the Gaussians.
 */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { shortName } from "../source/http.js";
import { InitCache } from "../source/inits.js";
import { piecesOf } from "../source/pieces.js";

/** @import { SegmentedSource } from "../source/segmented.js" */
/** @import { Media, Place, Playlist } from "../types/internal.d.ts" */

const AHEAD_S = 20;
const BEHIND_S = 10;
const LEAST_REST_S = 0.01;

export class MediaFeeder {
  /** Once it is open.
   * @type {{media: MediaSource, buffer: SourceBuffer} | null} */
  #parts = null;
  /** Numbers of what is in the buffer -> seconds.
   * @type {Map<number, number>} */
  #appended = new Map();
  /** @type {Uint8Array | null} */
  #init = null;
  #busy = false;
  #abort = new AbortController();
  #ended = false;
  /** Bits/s of the segment that came last.
   * @type {number | null} */
  bandwidth = null;

  /**
   * @param {HTMLMediaElement} element
   * @param {SegmentedSource} source whose timeline is followed
   * @param {Playlist} playlist
   * @param {string} type MIME type with codecs
   */
  constructor(element, source, playlist, type) {
    this.element = element;
    this.source = source;
    this.type = type;
    this.playlist = playlist;
    this.inits = new InitCache(source.http);
  }

  /** @throws UnsupportedError if the browser cannot play this type */
  async open() {
    const { ManagedMediaSource } = /** @type {{ManagedMediaSource?: typeof MediaSource}} */ (globalThis);
    const MediaSourceClass = ManagedMediaSource ?? globalThis.MediaSource;
    if (!MediaSourceClass?.isTypeSupported(this.type))
      throw new UnsupportedError(`This browser does not play ${this.type}.`);
    const mediaSource = new MediaSourceClass();
    this.element.disableRemotePlayback = true;
    this.element.src = URL.createObjectURL(mediaSource);
    await event(mediaSource, "sourceopen");
    URL.revokeObjectURL(this.element.src);
    this.#parts = { media: mediaSource, buffer: mediaSource.addSourceBuffer(this.type) };
    const media = await this.playlist.get(this.#abort.signal);
    if (media.ended) {
      const end = media.segments.reduce((sum, { duration }) => sum + duration, 0);
      mediaSource.duration = end;
    }
  }

  /** Fetches what is missing around a time, as far as the source has loaded something of the same stretch of time.
   * @param {number} time */
  async aim(time) {
    const parts = this.#parts;
    if (this.#busy || !parts || parts.media.readyState === "closed") return;
    this.#busy = true;
    try {
      await this.#feed(time, parts);
    } finally {
      this.#busy = false;
    }
  }

  dispose() {
    this.#abort.abort();
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** @param {number} time
   * @param {{media: MediaSource, buffer: SourceBuffer}} parts */
  async #feed(time, { media: mediaSource, buffer }) {
    const { signal } = this.#abort;
    let media = await this.playlist.get(signal);
    let placed = this.#placed(media);
    if (!media.ended && (placed.at(-1)?.end ?? 0) < time + AHEAD_S) {
      const again = this.playlist.get(signal, true);
      if (media.following) again.catch(() => {}); // what comes is there at the next look
      else {
        media = await again;
        placed = this.#placed(media);
      }
    }
    for (const { segment, start, end } of placed) {
      if (end <= time || start > time + AHEAD_S || this.#has(segment)) continue;
      const offset = this.source.timeOffsets.get(segment.discontinuity);
      if (offset === undefined) break;
      await this.#append(buffer, segment, offset + (segment.origin ?? 0), signal);
    }
    if (mediaSource.readyState === "open") await this.#drop(buffer, time, placed);
    const last = media.segments.at(-1);
    if (
      media.ended &&
      !this.#ended &&
      last &&
      this.#appended.has(last.number) &&
      mediaSource.readyState === "open"
    ) {
      mediaSource.endOfStream();
      this.#ended = true;
    }
  }

  /** Whether a segment is in the buffer, be it piece by piece.
   * @param {Place} segment */
  #has({ number, duration, isPart }) {
    if (isPart) return this.#appended.has(number);
    let seconds = 0;
    for (const [other, length] of this.#appended) if (Math.floor(other) === number) seconds += length;
    return seconds > duration - LEAST_REST_S;
  }

  /** Pieces with their places on the timeline: unless the playlist says where, equal numbers begin together.
   * @param {Media} media */
  #placed(media) {
    const segments = piecesOf(media);
    const { anchor = { number: segments[0]?.number, seconds: 0 } } = media;
    const twin = this.source.segments.find(({ number }) => number === anchor.number);
    let end = (twin?.start ?? 0) + anchor.seconds;
    return segments.map((segment, k) => {
      const start = end + (k > 0 ? (segment.gap ?? 0) : 0);
      end = start + segment.duration;
      return { segment, start, end };
    });
  }

  /** @param {SourceBuffer} buffer
   * @param {Place} segment
   * @param {number} offset
   * @param {AbortSignal} signal */
  async #append(buffer, segment, offset, signal) {
    if (!segment.map) throw new ContainerError(`${shortName(segment.url)}: the playlist names no EXT-X-MAP`);
    const { bytes: init } = await this.inits.get(segment.map, signal);
    if (init !== this.#init) {
      await put(buffer, init);
      this.#init = init;
    }
    const got = await this.source.http.bytes(segment.url, { start: segment.start, end: segment.end, signal });
    this.#ended = false; // appending opens an ended stream again
    buffer.timestampOffset = -offset;
    await put(buffer, got.whole ? got.bytes.subarray(segment.start, segment.end) : got.bytes);
    this.#appended.set(segment.number, segment.duration);
    this.bandwidth = (8 * got.bytes.length) / segment.duration;
  }

  /** Takes segments out that lie far behind.
   * @param {SourceBuffer} buffer
   * @param {number} time
   * @param {{segment: Place, start: number, end: number}[]} placed */
  async #drop(buffer, time, placed) {
    const old = placed.filter(({ segment, end }) => end < time - BEHIND_S && this.#appended.has(segment.number));
    if (old.length === 0) return;
    buffer.remove(Math.max(old[0].start, 0), old[old.length - 1].end);
    await event(buffer, "updateend");
    for (const { segment } of old) this.#appended.delete(segment.number);
  }
}

/** @param {SourceBuffer} buffer
 * @param {Uint8Array<ArrayBuffer>} bytes */
async function put(buffer, bytes) {
  buffer.appendBuffer(bytes);
  await event(buffer, "updateend");
}

/** @param {EventTarget} target
 * @param {string} name
 * @returns {Promise<Event>} */
function event(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}
