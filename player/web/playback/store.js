/**
 * Decoded segments around the play position: fetched ahead one after another, upgraded when there is time.
 *
 *     behind | current |<--- ahead: fetched in order --->| then, nearest first: those poorer than what the rate carries
 */

import { BitstreamError, ContainerError, NetworkError } from "../codec/errors.js";
import { choose } from "./abr.js";

/** @import { Throughput } from "./abr.js" */
/** @import { DecoderClient } from "../codec/client.js" */
/** @import { Adaptation, Segment } from "../types/gvideo-player.d.ts" */
/** @import { Decoded, Source } from "../types/internal.d.ts" */

const AHEAD_S = 20;
/** Upgrades begin when this much is there. */
const UPGRADE_S = 6;
const KEPT_BEHIND = 2;
/** A segment that ends within this cannot be upgraded in time to be seen. */
const TOO_LATE_S = 0.5;

/** A segment of the store: quality of what is decoded (-1: nothing), decoded, error (why there is nothing). */
class Entry {
  quality = -1;
  /** @type {Decoded | null} */
  decoded = null;
  /** @type {Error | null} */
  error = null;
  numBytes = 0;
}

export class SegmentStore {
  /** "auto", or the index of a quality.
   * @type {"auto" | number} */
  wanted = "auto";
  /** The rule that chooses.
   * @type {Adaptation} */
  adaptation = "throughput";
  /** Whether the picture stands: then there is always time to make it better. */
  still = true;
  /** Counts for the statistics. */
  upgrades = 0;
  fetchedBytes = 0;
  lastDecodeMs = 0;
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  /** @type {AbortController | null} */
  #abort = null;
  #position = 0;
  /** The quality of the segment that came last; -1: none came. */
  #level = -1;
  #busy = false;

  /**
   * @param {Source} source
   * @param {DecoderClient} decoder
   * @param {Throughput} throughput
   * @param {{onchange: () => void, onproblem: (message: string) => void, onfailed: (error: unknown) => void}} hooks
   *   onchange(): there is something new; onproblem(message): something of the stream cannot be shown;
   *   onfailed(error): the server, or a bug
   */
  constructor(source, decoder, throughput, hooks) {
    this.source = source;
    this.decoder = decoder;
    this.throughput = throughput;
    this.hooks = hooks;
  }

  /** The entry of a segment, or null if nothing was tried yet.
   * @param {Segment} segment
   * @returns {Entry | null} */
  get(segment) {
    const entry = this.#entries.get(segment.number);
    return entry && (entry.decoded || entry.error) ? entry : null;
  }

  /** The quality that is fetched now. */
  get target() {
    if (this.wanted !== "auto") return this.wanted;
    const { qualities, segments } = this.source;
    const state = {
      rates: qualities.map(({ bandwidth }) => bandwidth),
      segmentSeconds: segments[Math.max(this.#indexAt(this.#position), 0)]?.duration || 1,
      bufferSeconds: this.bufferedAhead(this.#position),
      targetSeconds: AHEAD_S,
      level: this.#level,
    };
    return choose(this.adaptation, state, this.throughput);
  }

  /** Seconds from a time on that are decoded without a hole.
   * @param {number} time */
  bufferedAhead(time) {
    let end = time;
    for (const segment of this.source.segments) {
      if (segment.start + segment.duration <= time) continue;
      if (!this.get(segment)) break;
      end = segment.start + segment.duration;
    }
    return end - time;
  }

  /** Parts of the timeline, as [start, end] in seconds, that are decoded. */
  buffered() {
    /** @type {[number, number][]} */
    const ranges = [];
    for (const segment of this.source.segments) {
      if (!this.get(segment)) continue;
      const last = ranges.at(-1);
      if (last && Math.abs(last[1] - segment.start) < 1e-6) last[1] = segment.start + segment.duration;
      else ranges.push([segment.start, segment.start + segment.duration]);
    }
    return ranges;
  }

  /** Tells the play position; fetches what it needs. `urgent`: what is being fetched for another place is given up.
   * @param {number} time
   * @param {boolean} urgent */
  aim(time, urgent = false) {
    this.#position = time;
    if (urgent) this.#abort?.abort();
    this.#run();
  }

  /** A segment decoded beside what is played; not kept.
   * @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} [signal]
   * @returns {Promise<Decoded>} */
  async loadOnce(segment, quality, signal) {
    const loaded = await this.source.load(segment, quality, signal);
    this.fetchedBytes += loaded.numBytes;
    if (!this.#entries.has(segment.number)) this.source.forget(segment);
    return this.decoder.decode(loaded.sequenceUnit, loaded.units, loaded.maxLayers);
  }

  dispose() {
    this.#abort?.abort();
    this.#entries.clear();
  }

  async #run() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let job; (job = this.#nextJob());) {
        this.#abort = new AbortController();
        await this.#fetch(job.segment, job.quality, this.#abort.signal);
      }
    } catch (error) {
      this.hooks.onfailed(error);
    } finally {
      this.#busy = false;
    }
  }

  /** What to fetch next: {segment, quality}, or null. */
  #nextJob() {
    const { segments } = this.source;
    const current = this.#indexAt(this.#position);
    if (current < 0) return null;
    this.#evict(current);
    const target = this.target;
    let ahead = 0;
    /** @type {Segment[]} */
    const near = [];
    for (const segment of segments.slice(current)) {
      if (segment.start > this.#position + AHEAD_S) break;
      if (!this.get(segment)) {
        // enough is there: what is poor comes first, then what lies far ahead
        if (ahead < UPGRADE_S || !near.some((other) => this.#improves(other, target)))
          return { segment, quality: target };
        break;
      }
      ahead = segment.start + segment.duration - this.#position;
      near.push(segment);
    }
    const poor = near.find((segment) => this.#improves(segment, target));
    return poor ? { segment: poor, quality: target } : null;
  }

  /** @param {Segment} segment
   * @param {number} target */
  #improves(segment, target) {
    const entry = this.#entries.get(segment.number);
    if (!entry || entry.error || entry.quality === target) return false;
    if (this.wanted !== "auto") return true;
    const left = segment.start + segment.duration - this.#position;
    return entry.quality < target && (this.still || left > TOO_LATE_S);
  }

  /** @param {number} time */
  #indexAt(time) {
    const { segments } = this.source;
    const index = segments.findIndex((segment) => time < segment.start + segment.duration);
    return index < 0 ? segments.length - 1 : index;
  }

  /** @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} signal */
  async #fetch(segment, quality, signal) {
    try {
      const loaded = await this.source.load(segment, quality, signal);
      this.fetchedBytes += loaded.numBytes;
      const decoded = await this.decoder.decode(loaded.sequenceUnit, loaded.units, loaded.maxLayers);
      this.#keep(segment, quality, decoded, loaded.size);
    } catch (error) {
      if (signal.aborted) return;
      const gone = error instanceof NetworkError && (error.status === 404 || error.status === 410);
      if (!(error instanceof BitstreamError || error instanceof ContainerError || gone)) throw error;
      const entry = this.#entryOf(segment);
      this.source.forget(segment);
      if (entry.decoded)
        entry.quality = quality; // what is there stays; the better one cannot be had
      else entry.error = error;
      const what = entry.decoded ? "stays as it is" : "cannot be shown";
      this.hooks.onproblem(`Segment ${segment.number} ${what} (${error.message})`);
      this.hooks.onchange();
    }
  }

  /** @param {Segment} segment
   * @param {number} quality
   * @param {Decoded} decoded
   * @param {number} numBytes */
  #keep(segment, quality, decoded, numBytes) {
    const entry = this.#entryOf(segment);
    if (entry.decoded && quality > entry.quality) this.upgrades++;
    Object.assign(entry, { quality, decoded, numBytes, error: null });
    this.#level = quality;
    this.lastDecodeMs = decoded.milliseconds;
    if (decoded.problem) {
      this.hooks.onproblem(`Segment ${segment.number} is shown without its upper layers (${decoded.problem})`);
    }
    segment.numFrames = decoded.header.numFrames;
    this.hooks.onchange();
  }

  /** @param {Segment} segment
   * @returns {Entry} */
  #entryOf(segment) {
    const entry = this.#entries.get(segment.number) ?? new Entry();
    this.#entries.set(segment.number, entry);
    return entry;
  }

  /** Forgets segments far from the current one; errors too, so that a later visit tries again.
   * @param {number} current */
  #evict(current) {
    const { segments } = this.source;
    const near = new Set();
    for (let i = Math.max(current - KEPT_BEHIND, 0); i < segments.length; i++) {
      if (segments[i].start > this.#position + 2 * AHEAD_S) break;
      near.add(segments[i].number);
    }
    for (const number of this.#entries.keys()) {
      if (near.has(number)) continue;
      this.#entries.delete(number);
      this.source.forget({ number });
    }
  }
}
