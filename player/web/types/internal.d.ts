/** Types that modules of the player share; nothing of this is loaded by the page. */

import type { GsvSource } from "../source/gsv.js";
import type { SegmentedSource } from "../source/segmented.js";
import type { Segment, SequenceHeader, StepRules, Variant } from "./gvideo-player.js";

// --- codec

/** Start states of the contexts. */
export interface States {
  probability: Uint16Array;
  seen: Uint8Array;
}

/** Contexts in use: a fast and a slow estimate of the probability of a 0 bit, and bits seen. */
export interface Contexts {
  fast: Uint16Array;
  slow: Uint16Array;
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

export type Source = GsvSource | SegmentedSource;

/** Bytes of a segment. size: of it, container and all; numBytes: fetched for this call. */
export interface Loaded {
  sequenceUnit: Uint8Array;
  units: Uint8Array;
  maxLayers: number;
  size: number;
  numBytes: number;
}

/** An answer: where its bytes begin, and whether they are everything. */
export interface Received {
  bytes: Uint8Array<ArrayBuffer>;
  start: number;
  whole: boolean;
}

/** A range of a resource in bytes; without an end up to the last byte. */
export interface ByteRange {
  start: number;
  end?: number;
}

export interface InitMap extends ByteRange {
  url: string;
}

/** A segment of a playlist; discontinuity: the number of its stretch of continuous time. gap: seconds without a picture
 * before it. origin: the stretch's own time, in seconds, that is its zero (0 unless a manifest says otherwise). parts:
 * what it is offered in besides, as places of their own (pieces.js tells their numbers); isPart: of such a one. */
export interface Place extends InitMap {
  number: number;
  duration: number;
  discontinuity: number;
  gap?: number;
  origin?: number;
  map: InitMap | null;
  parts?: Place[];
  isPart?: boolean;
}

/** What a playlist lists at a time. sequence: the number of its first segment. Where it says so: seconds until it should
 * be read again, and behind its end where playing begins; and for sound, which segment of the picture the first segment
 * lies in, and how many seconds behind its start (else the one of the same number). open: of the segment that is not whole
 * yet, the parts that are there. following: query of a request that the server answers once there is more. hint: address
 * of the part that comes next. skipSeconds: what is older may be left out of an answer to those who have it. */
export interface Media {
  sequence: number;
  targetDuration: number;
  ended: boolean;
  segments: Place[];
  updateSeconds?: number;
  delaySeconds?: number;
  anchor?: { number: number; seconds: number };
  open?: Place[];
  following?: string;
  hint?: string;
  skipSeconds?: number;
}

/** Segments of one rendition, as they were read last or, with `again`, as they are now. */
export interface Playlist {
  /** As it was read last. */
  readonly media?: Media | null;
  get(signal?: AbortSignal, again?: boolean): Promise<Media>;
}

export type Rung = Variant & { playlist: Playlist };

/** Sound or captions. */
export interface Track {
  name: string;
  language: string;
  codecs: string[];
  playlist: Playlist;
}

/** What a manifest offers: rungs of Gaussian video, the poorest first, and what goes with them. */
export interface Offer {
  rungs: (Partial<Variant> & { playlist: Playlist })[];
  audio: Track | null;
  captions: Track[];
  fallback: Rung | null;
}

export interface Rendition {
  type: string | undefined;
  group: string | undefined;
  name: string;
  language: string;
  isDefault: boolean;
  url: string | null;
}

export interface Master {
  variants: Variant[];
  renditions: Rendition[];
  variables: Map<string, string>;
}

/** Seconds: now since the presentation's zero, null for one that does not grow; depth: what stays on offer, null: all. */
export interface MpdClock {
  now: number | null;
  depth: number | null;
}

/** A period in seconds; seconds null while it is open. */
export interface MpdSpan {
  start: number;
  seconds: number | null;
}

/** A segment of a representation. time, seconds: its own time and length; origin: its time at the period's start. */
export interface MpdSegment extends InitMap {
  time: number;
  seconds: number;
  origin: number;
  map: InitMap | null;
}

/** Where the index is that lists the segments of a file (`sidx`). */
export interface MpdIndex extends InitMap {
  end: number;
  map: InitMap;
  origin: number;
}

export interface Representation {
  /** "video", "audio", "text", "image". */
  kind: string;
  id: string;
  mime: string;
  codecs: string[];
  bandwidth: number;
  averageBandwidth: number;
  width: number;
  height: number;
  score: number | null;
  language: string;
  name: string;
  isMain: boolean;
  isProtected: boolean;
  segments(): { segments: MpdSegment[] } | { index: MpdIndex };
}

export interface MpdPeriod {
  id: string;
  representations: Representation[];
}

/** updateSeconds: null if the manifest stays as it is; longest: a segment, in seconds; location: where it is read again. */
export interface Manifest {
  ended: boolean;
  updateSeconds: number | null;
  delaySeconds: number | null;
  longest: number | null;
  location: string | null;
  clocks: MpdClockPlace[];
  periods: MpdPeriod[];
}

/** A clock that a manifest names: the URL of one, or of kind "direct" the time itself. */
export interface MpdClockPlace {
  kind: string;
  value: string;
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

/** What rules of adaptation know. rates in bits/s, the poorest quality first; bufferSeconds: what is there, targetSeconds:
 * what may be; level: quality of the segment before, -1 without one. */
export interface AdaptationState {
  rates: number[];
  segmentSeconds: number;
  bufferSeconds: number;
  targetSeconds: number;
  level: number;
}

/** What is there at a time. */
export interface Position {
  segment: Segment;
  decoded: Decoded | null;
  frame: number;
  error: Error | null;
}
