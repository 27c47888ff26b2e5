/** Types that modules of the player share; nothing of this is loaded by the page. */

import type { GsvSource } from "../source/gsv.js";
import type { HlsSource } from "../source/hls.js";
import type { Segment, SequenceHeader, StepRules, Variant } from "./gvideo-player.js";

// --- codec

/** Start states of the contexts. */
export interface States {
  probability: Uint16Array;
  seen: Uint8Array;
}

export interface Codebook {
  entries: number[][];
  residual: boolean;
  indexBits: number;
}

/** What a sequence says to the coding of its segments. */
export interface Sequence {
  header: SequenceHeader;
  rules: StepRules;
  codebooks: Codebook[];
  states: States;
}

/** A unit's place in the data that it was read from, in bytes. */
export interface Unit {
  kind: number;
  payloadStart: number;
  payloadEnd: number;
  end: number;
}

/** A segment's header (SYNTAX.md §4). */
export interface SegmentHeader {
  numFrames: number;
  distortion: number;
  numControl: number;
  refinement: number;
  numPathControl: number;
  numTrajectories: number;
  cellBits: number;
  numLayers: number;
  base: number[];
  margins: number[];
  distortions: number[];
  durations: number[] | null;
  gap: number;
}

/** A segment as the index lists it; times in ticks. */
export interface IndexEntry {
  numBytes: number;
  numFrames: number;
  duration: number;
  gap: number;
}

/** Symbols of a segment: table [N, 12], residual [N, numControl, 2], control [M-1, numPathControl, 6]. */
export interface Symbols {
  header: SegmentHeader;
  table: Int32Array;
  residual: Int32Array;
  control: Int32Array;
  layerEnds: number[];
}

/** A decoded segment, ready to draw. ticks [T+1] and times [T] are those of the frames. */
export interface Decoded {
  sequence: SequenceHeader;
  header: SegmentHeader;
  gaussians: Float32Array<ArrayBuffer>;
  numGaussians: number;
  numLayers: number;
  /** Y', Cb, Cr. */
  base: [number, number, number];
  /** Of the segment unit, for the grain. */
  checksum: number;
  ticks: Float64Array;
  times: Float64Array;
  /** What cost the upper layers. */
  problem: string | null;
  milliseconds: number;
}

// --- source

export type Source = GsvSource | HlsSource;

/** Bytes of a segment. size: of it, container and all; numBytes: fetched for this call. */
export interface Loaded {
  sequenceUnit: Uint8Array;
  units: Uint8Array;
  maxLayers: number;
  size: number;
  numBytes: number;
}

/** A range of a resource in bytes; without an end up to the last byte. */
export interface ByteRange {
  start: number;
  end?: number;
}

export interface InitMap extends ByteRange {
  url: string;
}

/** A segment of a media playlist; discontinuity: the number of its stretch of continuous time. */
export interface Place extends InitMap {
  number: number;
  duration: number;
  discontinuity: number;
  map: InitMap | null;
}

export interface Media {
  sequence: number;
  targetDuration: number;
  ended: boolean;
  segments: Place[];
}

export interface Rendition {
  type: string | undefined;
  group: string | undefined;
  name: string;
  language: string;
  isDefault: boolean;
  url: string | null;
}

/** A rendition with files of its own. */
export type Track = Rendition & { url: string };

export interface Master {
  variants: Variant[];
  renditions: Rendition[];
}

/** A box of a file: its content is data[start:end], offset its first byte. */
export interface Box {
  type: string;
  start: number;
  end: number;
  offset: number;
}

/** A track of an init segment. */
export interface InitTrack {
  timescale: number;
  format: string;
  defaults: { duration: number; size: number };
  sequenceUnit: Uint8Array | null;
}

/** A sample of a track, time and duration in the track's ticks. */
export interface Sample {
  trackId: number;
  time: number;
  duration: number;
  data: Uint8Array;
}

// --- playback

/** What is there at a time. */
export interface Position {
  segment: Segment;
  decoded: Decoded | null;
  frame: number;
  error: Error | null;
}
