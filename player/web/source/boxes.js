/** ISO base media files as far as a fragmented gsv1 or audio file needs them (ISO/IEC 14496-12).
 *
 *     init:     ftyp moov[ trak[ tkhd mdia[ mdhd minf[ stbl[ stsd[ gsv1|gsve[ gsvC ]]]]]] mvex[ trex ] ]
 *     segment:  styp sidx … (moof[ traf[ tfhd tfdt trun ] ] mdat)+
 *     file:     init sidx segment segment …
 */

import { ContainerError, UnsupportedError } from "../codec/errors.js";

/** @import { Box, InitTrack, Sample } from "../types/internal.d.ts" */

/** {type, start (of its content), end, offset} of the boxes in data[start:end]; one that is cut short ends the list.
 * @param {Uint8Array} data
 * @param {number} start
 * @param {number} end
 * @returns {Generator<Box, void>} */
export function* boxesOf(data, start = 0, end = data.length) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  while (start + 8 <= end) {
    let size = view.getUint32(start);
    let content = start + 8;
    if (size === 1) {
      if (start + 16 > end) return;
      size = Number(view.getBigUint64(start + 8));
      content += 8;
    } else if (size === 0) size = end - start;
    if (size < content - start) throw new ContainerError(`box at byte ${start}: a size of ${size} bytes`);
    if (start + size > end) return;
    yield {
      type: String.fromCharCode(...data.subarray(start + 4, start + 8)),
      start: content,
      end: start + size,
      offset: start,
    };
    start += size;
  }
}

/** @param {Uint8Array} data
 * @param {Box} box
 * @param {string} type */
function child(data, box, type) {
  for (const inner of boxesOf(data, box.start, box.end)) if (inner.type === type) return inner;
  throw new ContainerError(`${box.type}: the box ${type} is missing`);
}

/** @param {Uint8Array} data
 * @param {string} type */
function only(data, type) {
  for (const box of boxesOf(data)) if (box.type === type) return box;
  throw new ContainerError(`the box ${type} is missing`);
}

/** A view of a full box's content: u32(i), u64(i) at byte i behind version and flags.
 * @param {Uint8Array} data
 * @param {Box} box */
function full(data, box) {
  const view = new DataView(data.buffer, data.byteOffset + box.start, box.end - box.start);
  const at = (/** @type {number} */ i, /** @type {number} */ size) => {
    if (i + size > view.byteLength) throw new ContainerError(`${box.type}: ends within its fields`);
    return i;
  };
  const word = view.getUint32(at(0, 4));
  return {
    version: word >>> 24,
    flags: word & 0xffffff,
    u32: (/** @type {number} */ i) => view.getUint32(at(4 + i, 4)),
    i32: (/** @type {number} */ i) => view.getInt32(at(4 + i, 4)),
    u64: (/** @type {number} */ i) => Number(view.getBigUint64(at(4 + i, 8))),
  };
}

/** Gaussian video: its base, and the layers above it, which need the base. */
const SAMPLE_ENTRIES = ["gsv1", "gsve"];
/** Bytes of a VisualSampleEntry before its boxes. */
const VISUAL_ENTRY_BYTES = 78;

/**
 * Tracks of an init segment.
 * @param {Uint8Array} data
 * @returns {Map<number, InitTrack>} by ID
 */
export function parseInit(data) {
  const moov = only(data, "moov");
  /** @type {Map<number, InitTrack>} */
  const tracks = new Map();
  for (const box of boxesOf(data, moov.start, moov.end)) {
    if (box.type !== "trak") continue;
    const tkhd = full(data, child(data, box, "tkhd"));
    const mdia = child(data, box, "mdia");
    const mdhd = full(data, child(data, mdia, "mdhd"));
    const stsd = child(data, child(data, child(data, mdia, "minf"), "stbl"), "stsd");
    const [entry] = boxesOf(data, stsd.start + 8, stsd.end);
    if (!entry) throw new ContainerError("stsd: there is no sample entry");
    let sequenceUnit = null;
    if (SAMPLE_ENTRIES.includes(entry.type)) {
      const gsvC = child(data, { ...entry, start: entry.start + VISUAL_ENTRY_BYTES }, "gsvC");
      const { version } = full(data, gsvC);
      if (version !== 0) throw new UnsupportedError(`gsvC: version ${version}, this player knows 0; update the player`);
      sequenceUnit = data.slice(gsvC.start + 4, gsvC.end);
    }
    const id = tkhd.u32(tkhd.version === 1 ? 16 : 8);
    tracks.set(id, {
      timescale: mdhd.u32(mdhd.version === 1 ? 16 : 8),
      format: entry.type,
      sequenceUnit,
      defaults: { duration: 0, size: 0 },
    });
  }
  for (const mvex of boxesOf(data, moov.start, moov.end)) {
    if (mvex.type !== "mvex") continue;
    for (const box of boxesOf(data, mvex.start, mvex.end)) {
      if (box.type !== "trex") continue;
      const trex = full(data, box);
      const track = tracks.get(trex.u32(0));
      if (track) track.defaults = { duration: trex.u32(8), size: trex.u32(12) };
    }
  }
  if (tracks.size === 0) throw new ContainerError("moov: there is no track");
  return tracks;
}

/**
 * Samples of a media segment, or of a prefix of one, in order.
 * @param {Uint8Array} data
 * @param {Map<number, InitTrack>} tracks
 * @returns {Sample[]}
 */
export function parseSamples(data, tracks) {
  const samples = [];
  for (const moof of boxesOf(data)) {
    if (moof.type !== "moof") continue;
    for (const traf of boxesOf(data, moof.start, moof.end)) {
      if (traf.type === "traf") samples.push(...parseFragment(data, moof, traf, tracks));
    }
  }
  return samples;
}

const TFHD = { offset: 1, description: 2, duration: 8, size: 16 };
const TRUN = { offset: 1, firstFlags: 4, duration: 0x100, size: 0x200, flags: 0x400, composition: 0x800 };

/** @param {Uint8Array} data
 * @param {Box} moof
 * @param {Box} traf
 * @param {Map<number, InitTrack>} tracks
 * @returns {Sample[]} */
function parseFragment(data, moof, traf, tracks) {
  const tfhd = full(data, child(data, traf, "tfhd"));
  const trackId = tfhd.u32(0);
  const track = tracks.get(trackId);
  if (!track) throw new ContainerError(`tfhd: track ${trackId} is not in the init segment`);
  let at = 4;
  let base = moof.offset;
  let { duration, size } = track.defaults;
  if (tfhd.flags & TFHD.offset) [base, at] = [tfhd.u64(at), at + 8];
  if (tfhd.flags & TFHD.description) at += 4;
  if (tfhd.flags & TFHD.duration) [duration, at] = [tfhd.u32(at), at + 4];
  if (tfhd.flags & TFHD.size) [size, at] = [tfhd.u32(at), at + 4];
  const tfdt = full(data, child(data, traf, "tfdt"));
  let time = tfdt.version === 1 ? tfdt.u64(0) : tfdt.u32(0);
  const samples = [];
  for (const box of boxesOf(data, traf.start, traf.end)) {
    if (box.type !== "trun") continue;
    const trun = full(data, box);
    const { flags } = trun;
    let place = 4;
    let position = base;
    if (flags & TRUN.offset) [position, place] = [base + trun.i32(place), place + 4];
    if (flags & TRUN.firstFlags) place += 4;
    for (let k = trun.u32(0); k > 0; k--) {
      let [ownDuration, ownSize] = [duration, size];
      if (flags & TRUN.duration) [ownDuration, place] = [trun.u32(place), place + 4];
      if (flags & TRUN.size) [ownSize, place] = [trun.u32(place), place + 4];
      if (flags & TRUN.flags) place += 4;
      if (flags & TRUN.composition) place += 4;
      // a layer whose bytes were not fetched, or not wholly
      if (position + ownSize > data.length) return samples;
      if (position < 0) throw new ContainerError("trun: a sample begins before its segment");
      // samples without bytes could be without number
      if (samples.length > data.length) throw new ContainerError("trun: more samples than bytes");
      samples.push({ trackId, time, duration: ownDuration, data: data.subarray(position, position + ownSize) });
      position += ownSize;
      time += ownDuration;
    }
  }
  return samples;
}

/** Segments that an index lists, with their places in the file.
 * @param {Uint8Array} data
 * @param {number} end of the index in the file: places count from there
 * @returns {{time: number, seconds: number, start: number, end: number}[]} */
export function parseSegmentIndex(data, end) {
  const sidx = full(data, only(data, "sidx"));
  const wide = sidx.version === 1;
  const scale = sidx.u32(4);
  if (scale === 0) throw new ContainerError("sidx: a timescale of 0");
  let time = wide ? sidx.u64(8) : sidx.u32(8);
  let start = end + (wide ? sidx.u64(16) : sidx.u32(12));
  const count = sidx.u32(wide ? 24 : 16) & 0xffff;
  const listed = [];
  for (let k = 0; k < count; k++) {
    const at = (wide ? 28 : 20) + 12 * k;
    const word = sidx.u32(at);
    if (word >>> 31) throw new UnsupportedError("sidx: an index over other indices, which this player does not read");
    const duration = sidx.u32(at + 4);
    listed.push({ time: time / scale, seconds: duration / scale, start, end: start + word });
    start += word;
    time += duration;
  }
  return listed;
}
