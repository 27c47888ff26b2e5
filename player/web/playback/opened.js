/** An opened stream: its source, header, timeline and decoded segments, and what of it is there at a time. */

import { parseSequenceUnit } from "../codec/headers.js";
import { keepFresh } from "./live.js";
import { SegmentStore } from "./store.js";
import { Timeline, frameAt } from "./timeline.js";

/** @import { DecoderClient } from "../codec/client.js" */
/** @import { Position, Source } from "../types/internal.d.ts" */
/** @import { Throughput } from "./abr.js" */

/** Playing goes on after a wait when this much is there. */
const RESUME_S = 0.3;

export class OpenedStream {
  /**
   * @param {Source} source
   * @param {DecoderClient} decoder
   * @param {Throughput} throughput
   * @param {{onchange: () => void, onproblem: (message: string) => void, onfailed: (error: unknown) => void}} hooks
   *   as those of SegmentStore
   */
  constructor(source, decoder, throughput, hooks) {
    this.source = source;
    this.sequence = parseSequenceUnit(source.sequenceUnit);
    this.timeline = new Timeline(source, this.sequence);
    this.store = new SegmentStore(source, decoder, throughput, hooks);
    this.hooks = hooks;
  }

  /** Reads a live stream as it grows, until the signal; answers the second where playing it begins. Null for others.
   * @param {AbortSignal} signal
   * @returns {number | null} */
  follow(signal) {
    const { source, hooks } = this;
    if (!source.live) return null;
    keepFresh(source, signal, { onchange: hooks.onchange, onerror: hooks.onfailed });
    return this.edge;
  }

  /** Where a live stream is played by one who follows its end. */
  get edge() {
    const { source, timeline } = this;
    return source.live ? Math.max(timeline.start, timeline.end - source.liveDelay) : timeline.end;
  }

  /** Whether one who follows the end of a live stream in parts has fallen behind it, as by standing still.
   * @param {number} time */
  isLate(time) {
    return this.source.live && this.source.inParts && time < this.edge - this.source.liveDelay;
  }

  /** What is there at a time; decoded is null as long as it is not there.
   * @param {number} time
   * @returns {Position} */
  place(time) {
    const segment = this.timeline.segmentAt(time);
    const entry = this.store.get(segment);
    const decoded = entry?.decoded ?? null;
    const frame = decoded ? frameAt(decoded, time - segment.start) : 0;
    return { segment, decoded, frame, error: entry?.error ?? null };
  }

  /** Number of the frame on screen at a time.
   * @param {number} time */
  frameAt(time) {
    const { segment, frame } = this.place(time);
    return this.timeline.firstFrame(segment) + frame;
  }

  /** Where a frame begins. Frames may differ in length, so this is known once its segment was decoded: until then
   * exact is false, and time the start of the segment.
   * @param {number} number
   * @throws RangeError outside */
  locate(number) {
    const { segment, offset } = this.timeline.locate(number);
    const decoded = this.store.get(segment)?.decoded;
    if (!decoded) return { time: segment.start, exact: false };
    const { ticks } = decoded;
    const seconds = ticks[Math.min(offset, ticks.length - 2)] / this.sequence.timescale;
    return { time: segment.start + seconds, exact: true };
  }

  /** Whether playing can go on after a wait.
   * @param {number} time */
  enoughAhead(time) {
    const left = this.timeline.end - time;
    return this.store.bufferedAhead(time) >= Math.min(RESUME_S, left) - 1e-3;
  }

  /** Fetches what a sought time needs, before all else if nothing of it is there.
   * @param {number} time */
  seek(time) {
    this.store.aim(time, !this.store.get(this.timeline.segmentAt(time)));
  }

  /** Frames that pass in a second at a speed.
   * @param {number} speed */
  frameRate(speed) {
    return (speed * this.sequence.timescale) / this.sequence.frameDuration;
  }

  dispose() {
    this.store.dispose();
  }
}
