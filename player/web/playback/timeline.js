/** Where moments and frames are in a list of segments; seconds from the stream's start, frames counted from 0. */

/** @import { Segment, SequenceHeader } from "../types/gvideo-player.d.ts" */
/** @import { Decoded, Source } from "../types/internal.d.ts" */

/** Ticks that a time may lie before a frame's start and still mean it: times in seconds are rounded. */
const GRACE_TICKS = 0.25;

export class Timeline {
  /** @param {Source} source @param {SequenceHeader} sequence header of the first segment */
  constructor(source, sequence) {
    this.source = source;
    this.sequence = sequence;
  }

  get start() {
    return this.source.segments[0].start;
  }

  get end() {
    const { segments } = this.source;
    const last = segments[segments.length - 1];
    return last.start + last.duration;
  }

  /** The segment on screen at a time: in a gap the one before it.
   * @param {number} time */
  segmentAt(time) {
    const { segments } = this.source;
    const grace = GRACE_TICKS / this.sequence.timescale;
    let low = 0;
    for (let high = segments.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1;
      if (segments[middle].start <= time + grace) low = middle;
      else high = middle - 1;
    }
    return segments[low];
  }

  /** Frames of a segment; estimated from its duration until it was decoded.
   * @param {Segment} segment */
  framesOf(segment) {
    const { timescale, frameDuration } = this.sequence;
    return segment.numFrames ?? Math.max(1, Math.round((segment.duration * timescale) / frameDuration));
  }

  /** Number of a segment's first frame, counted from the first segment of the list.
   * @param {Segment} segment */
  firstFrame(segment) {
    let frames = 0;
    for (const other of this.source.segments) {
      if (other === segment) return frames;
      frames += this.framesOf(other);
    }
    return frames;
  }

  get numFrames() {
    return this.source.segments.reduce((sum, segment) => sum + this.framesOf(segment), 0);
  }

  /** {segment, offset} of a frame by number.
   * @param {number} number */
  locate(number) {
    let left = number;
    for (const segment of this.source.segments) {
      const frames = this.framesOf(segment);
      if (left < frames) return { segment, offset: left };
      left -= frames;
    }
    throw new RangeError(`frame ${number} is outside 0..${this.numFrames - 1}`);
  }
}

/** Which frame of a decoded segment is on screen `seconds` after its start.
 * @param {Decoded} decoded
 * @param {number} seconds */
export function frameAt(decoded, seconds) {
  const ticks = seconds * decoded.sequence.timescale + GRACE_TICKS;
  let low = 0;
  for (let high = decoded.times.length - 1; low < high;) {
    const middle = (low + high + 1) >> 1;
    if (decoded.ticks[middle] <= ticks) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Model time of any moment of a decoded segment, between frames too.
 * @param {Decoded} decoded
 * @param {number} seconds */
export function modelTimeAt(decoded, seconds) {
  const last = decoded.times.length - 1;
  if (last < 1) return 0;
  const place = (seconds * decoded.sequence.timescale) / decoded.ticks[last];
  return Math.min(Math.max(place, 0), 1) * last;
}
