/**
 * A .gsv file as a source: read in ranges over HTTP, or from a File that the user opened.
 *
 *     signature | sequence | [index] | segment layer layer | segment layer … |
 *
 * A source (this one and segmented.js) is what the player knows of a stream:
 *     sequenceUnit             of the first segment
 *     qualities                [{label, bandwidth (bits/s), width, height}], the poorest first
 *     segments                 [{number, start, duration (s), numFrames (null: unknown)}] in order, numbers ascending
 *     live                     whether refresh() may bring more
 *     load(segment, quality, signal) -> {sequenceUnit, units, maxLayers, size (bytes of it, container and all),
 *                              numBytes (fetched for this call)}
 *     refresh(signal)          -> true if anything changed; live only
 *     audio, captions, fallback   from segmented.js; null and [] here
 */

import { BitstreamError, ContainerError } from "../codec/errors.js";
import { Reader } from "../codec/fields.js";
import { parseIndex, parseSegment, parseSequenceUnit } from "../codec/headers.js";
import {
  INDEX,
  LAYER,
  MAX_OVERHEAD,
  SEGMENT,
  SEQUENCE,
  SIGNATURE,
  checkedPayload,
  parseUnitHeader,
} from "../codec/units.js";
import { joined } from "./bytes.js";

/** @import { Http } from "./http.js" */
/** @import { Quality, Segment, SequenceHeader } from "../types/gvideo-player.d.ts" */
/** @import { IndexEntry, Loaded, Track, Unit } from "../types/internal.d.ts" */

/** Bytes that are read first: headers and index of most files, and all of a short one. */
const FIRST_BYTES = 1 << 16;
/** Bytes of a segment unit that hold its header, unless it lists durations. */
const HEADER_BYTES = 64;
const HEADER_BYTES_MOST = HEADER_BYTES + 6 * 4096;
/** HTTP's answer to a range that begins at the end of a file. */
const RANGE_NOT_SATISFIABLE = 416;

/** Bytes of a resource, in ranges. */
export class HttpBytes {
  /** @type {Uint8Array | null} */
  #whole = null;

  /** @param {Http} http
   * @param {string} url */
  constructor(http, url) {
    this.http = http;
    this.url = url;
  }

  /** Bytes start … end-1, fewer at the end of the file.
   * @param {number} start
   * @param {number} end
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array>} */
  async read(start, end, signal) {
    if (!this.#whole) {
      const got = await this.http.bytes(this.url, { start, end, signal }).catch((error) => {
        if (error.status === RANGE_NOT_SATISFIABLE) return { bytes: new Uint8Array(0), whole: false };
        throw error;
      });
      if (!got.whole) return got.bytes;
      this.#whole = got.bytes;
    }
    return this.#whole.subarray(start, end);
  }
}

/** Bytes of a File or Blob. */
export class BlobBytes {
  /** @param {Blob} blob */
  constructor(blob) {
    this.blob = blob;
  }

  /** @param {number} start
   * @param {number} end
   * @returns {Promise<Uint8Array>} */
  async read(start, end) {
    return new Uint8Array(await this.blob.slice(start, end).arrayBuffer());
  }
}

export class GsvSource {
  /** @type {false} */
  live = false;
  /** @type {null} */
  audio = null;
  /** @type {Track[]} */
  captions = [];
  /** @type {null} */
  fallback = null;
  /** Of the first segment.
   * @type {Uint8Array} */
  sequenceUnit = new Uint8Array(0);
  /** @type {Quality[]} */
  qualities = [];
  /** @type {Segment[]} */
  segments = [];
  numBytes = 0;
  #bytes;
  /** @type {Uint8Array} */
  #head = new Uint8Array(0);
  /** @type {{offset: number, numBytes: number}[]} */
  #places = [];
  /** Segment number -> its bytes as far as they were fetched.
   * @type {Map<number, Uint8Array>} */
  #prefixes = new Map();

  /** @param {HttpBytes | BlobBytes} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** @param {HttpBytes | BlobBytes} bytes
   * @param {AbortSignal} [signal] */
  static async open(bytes, signal) {
    const source = new GsvSource(bytes);
    source.#head = await bytes.read(0, FIRST_BYTES, signal);
    await source.#scan(signal);
    return source;
  }

  /** @param {Segment} segment
   * @param {number} quality
   * @param {AbortSignal} [signal]
   * @returns {Promise<Loaded>} */
  async load(segment, quality, signal) {
    const { offset, numBytes } = this.#places[segment.number];
    const maxLayers = quality + 1;
    let units = this.#prefixes.get(segment.number) ?? new Uint8Array(0);
    const had = units.length;
    const wanted = await this.#prefixEnd(offset, numBytes, maxLayers, signal);
    if (wanted > had) {
      const more = await this.#read(offset + had, offset + wanted, signal);
      units = joined([units, more]);
      this.#prefixes.set(segment.number, units);
    }
    return {
      sequenceUnit: this.sequenceUnit,
      units,
      maxLayers,
      size: units.length,
      numBytes: Math.max(wanted - had, 0),
    };
  }

  /** Forgets the bytes of a segment.
   * @param {{number: number}} segment */
  forget(segment) {
    this.#prefixes.delete(segment.number);
  }

  /** Bytes of the first maxLayers layers of a segment at offset.
   * @param {number} offset
   * @param {number} numBytes
   * @param {number} maxLayers
   * @param {AbortSignal} [signal] */
  async #prefixEnd(offset, numBytes, maxLayers, signal) {
    if (maxLayers >= this.qualities.length) return numBytes;
    let end = 0;
    let found = 0;
    while (end < numBytes) {
      const unit = parseUnitHeader(await this.#read(offset + end, offset + end + MAX_OVERHEAD, signal));
      if (unit.kind === SEGMENT || unit.kind === LAYER) found++;
      if (found > maxLayers) break;
      end += unit.end;
    }
    return Math.min(end, numBytes);
  }

  /** @param {number} start
   * @param {number} end
   * @param {AbortSignal} [signal] */
  async #read(start, end, signal) {
    if (end <= this.#head.length || this.#head.length < FIRST_BYTES) return this.#head.subarray(start, end);
    return this.#bytes.read(start, end, signal);
  }

  /** @param {AbortSignal} [signal] */
  async #scan(signal) {
    if (!SIGNATURE.every((byte, i) => byte === this.#head[i])) {
      throw new ContainerError("This is not a gvideo stream: its first bytes are others.");
    }
    let offset = SIGNATURE.length;
    let first = await this.#unitAt(offset, signal);
    while (first && ![SEQUENCE, INDEX, SEGMENT, LAYER].includes(first.kind)) {
      offset += first.end;
      first = await this.#unitAt(offset, signal);
    }
    if (first?.kind !== SEQUENCE) throw new BitstreamError("sequence: the stream begins with another unit");
    this.sequenceUnit = (await this.#read(offset, offset + first.end, signal)).slice();
    const sequence = parseSequenceUnit(this.sequenceUnit);
    offset += first.end;
    /** @type {IndexEntry[] | null} */
    let entries = null;
    /** @type {IndexEntry[]} */
    const scanned = [];
    let firstSegment = 0;
    for (let unit; (unit = await this.#unitAt(offset, signal)); offset += unit.end) {
      if (unit.kind === INDEX && !entries && scanned.length === 0) {
        const found = parseIndex(checkedPayload(await this.#read(offset, offset + unit.end, signal), unit));
        if (found.length > 0) entries = found;
      } else if (unit.kind === SEGMENT) {
        firstSegment ||= offset;
        if (entries) break;
        scanned.push(await this.#entryAt(offset, unit, sequence, signal));
      } else if (scanned.length > 0) {
        scanned[scanned.length - 1].numBytes += unit.end;
      }
    }
    this.#place(entries ?? scanned, firstSegment, sequence);
    await this.#findQualities(sequence, signal);
  }

  /** @param {number} offset
   * @param {AbortSignal} [signal] */
  async #unitAt(offset, signal) {
    const data = await this.#read(offset, offset + MAX_OVERHEAD, signal);
    return data.length > 0 ? parseUnitHeader(data) : null;
  }

  /** @param {number} offset
   * @param {Unit} unit
   * @param {SequenceHeader} sequence
   * @param {AbortSignal} [signal]
   * @returns {Promise<IndexEntry>} */
  async #entryAt(offset, unit, sequence, signal) {
    const payload = offset + unit.payloadStart;
    const most = unit.payloadEnd - unit.payloadStart;
    const read = async (/** @type {number} */ size) =>
      parseSegment(new Reader(await this.#read(payload, payload + Math.min(size, most), signal)));
    const header = await read(HEADER_BYTES).catch((error) => {
      if (most <= HEADER_BYTES) throw error;
      return read(HEADER_BYTES_MOST);
    });
    const duration = header.durations
      ? header.durations.reduce((a, b) => a + b)
      : header.numFrames * sequence.frameDuration;
    return { numBytes: unit.end, numFrames: header.numFrames, duration, gap: header.gap };
  }

  /** Segments of index entries; the timeline starts at 0 with the first one.
   * @param {IndexEntry[]} entries
   * @param {number} offset
   * @param {SequenceHeader} sequence */
  #place(entries, offset, { timescale }) {
    if (entries.length === 0) throw new BitstreamError("segment: the stream has none");
    let ticks = 0;
    this.segments = entries.map((entry, number) => {
      if (number > 0) ticks += entry.gap;
      const segment = {
        number,
        start: ticks / timescale,
        duration: entry.duration / timescale,
        numFrames: entry.numFrames,
      };
      this.#places.push({ offset, numBytes: entry.numBytes });
      ticks += entry.duration;
      offset += entry.numBytes;
      return segment;
    });
    this.numBytes = offset;
  }

  /** One quality a layer; rates of the lower ones in proportion to the first segment's layers.
   * @param {SequenceHeader} sequence
   * @param {AbortSignal} [signal] */
  async #findQualities(sequence, signal) {
    const { offset, numBytes } = this.#places[0];
    /** @type {number[]} */
    const sizes = [];
    for (let end = 0; end < numBytes;) {
      const unit = await this.#unitAt(offset + end, signal);
      if (!unit) throw new BitstreamError("segment: the file ends before its first segment does");
      end += unit.end;
      if (unit.kind === SEGMENT || unit.kind === LAYER) sizes.push(end);
    }
    const last = this.segments[this.segments.length - 1];
    const rate = (8 * this.numBytes) / (last.start + last.duration);
    this.qualities = sizes.map((size, k) => ({
      label: sizes.length === 1 ? "Source" : `Layer ${k + 1} of ${sizes.length}`,
      bandwidth: (rate * size) / sizes[sizes.length - 1],
      width: sequence.width,
      height: sequence.height,
    }));
  }
}
