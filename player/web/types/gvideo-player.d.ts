/** Types of the player for other pages (docs/player.md). tests/players/declarations.ts holds the code to them. */

export interface PlayerOptions {
  /** Pixels to draw: as many as the canvas covers on screen, fewer where that is too slow, or the video's own. */
  resolution?: Resolution;
  /** What adds up Gaussians: the graphics, the processor, or ("auto") the processor where it does the graphics' work. */
  drawing?: Drawing;
  /** Plays as soon as it can. */
  autoplay?: boolean;
  /** Whether requests carry cookies, as fetch has it: "same-origin" (what it is unless given), "include" or "omit". */
  credentials?: RequestCredentials;
  /** The rule that chooses qualities while quality is "auto". */
  adaptation?: Adaptation;
}

/** By the rate of the network, by the buffer (BOLA-BASIC), or by planning with both (RobustMPC). */
export type Adaptation = "throughput" | "bola-basic" | "mpc";

export type Drawing = "auto" | "graphics" | "processor";

export type Resolution = "display" | "source";

/** What there is to choose from. Bandwidth in bits/s, 0 if unknown; width and height in pixels, 0 if unknown. */
export interface Quality {
  label: string;
  bandwidth: number;
  width: number;
  height: number;
}

/** A part of the picture as it is displayed, in [0, 1]; x, y: its top left corner. */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  width: number;
  height: number;
}

/** Pixels R'G'B'A, 8 bits each, top row first. */
export interface Picture extends Size {
  data: Uint8ClampedArray;
}

/** Another rendition of the same video. Bandwidths in bits/s, size in pixels. */
export interface Variant extends Size {
  url: string;
  bandwidth: number;
  averageBandwidth: number;
  score: number | null;
  codecs: string[];
  audio: string | null;
  subtitles: string | null;
}

/** A segment of the stream; start and duration in seconds, numFrames null until it is known. */
export interface Segment {
  number: number;
  start: number;
  duration: number;
  numFrames: number | null;
}

/** Offsets of the quantiser steps (SYNTAX.md §7). */
export interface StepRules {
  position: number;
  angle: number;
  centre: number;
  chroma: number;
  residual: number;
  trajectory: number;
}

/** Noise that is added when drawing (SYNTAX.md §8.4). */
export interface Grain {
  seed: number;
  strengths: number[];
  kernel: number[];
}

/** The header of a sequence (SYNTAX.md §4); times in ticks of 1/timescale s, rotation in degrees clockwise. */
export interface SequenceHeader extends Size {
  timescale: number;
  frameDuration: number;
  start: number;
  chromaFormat: string;
  bitDepth: number;
  rotation: number;
  fullRange: boolean;
  primaries: number;
  transfer: number;
  matrix: number;
  sampleAspect: number;
  rules: StepRules;
  codebooks: Uint8Array | null;
  priors: Uint8Array | null;
  grain: Grain | null;
}

/** Where moments and frames are; seconds from the stream's start, frames from 0. */
export interface Timeline {
  readonly start: number;
  readonly end: number;
  readonly numFrames: number;
  segmentAt(seconds: number): Segment;
  framesOf(segment: Segment): number;
  firstFrame(segment: Segment): number;
  locate(frame: number): { segment: Segment; offset: number };
}

export interface CaptionTrack {
  readonly name: string;
  readonly language: string;
  textAt(seconds: number): string;
}

/** Sizes in bytes, rates in bits/s, times as named. */
export interface Statistics extends Size {
  frame: number;
  segment: number | null;
  gaussians: number;
  layers: string;
  quality: number | null;
  segmentBytes: number;
  segmentRate: number;
  throughput: number;
  bufferedSeconds: number;
  fetchedBytes: number;
  upgrades: number;
  decodeMs: number;
  drawMs: number;
  drawnPerSecond: number;
  format: string;
  device: string;
}

export interface PlayerEvents {
  ready: CustomEvent;
  durationchange: CustomEvent;
  /** A new picture is on the canvas. */
  timeupdate: CustomEvent;
  play: CustomEvent;
  pause: CustomEvent;
  waiting: CustomEvent;
  playing: CustomEvent;
  seeked: CustomEvent;
  ended: CustomEvent;
  qualitychange: CustomEvent;
  ratechange: CustomEvent;
  volumechange: CustomEvent;
  viewchange: CustomEvent;
  /** Something was left out. */
  notice: CustomEvent<{ message: string }>;
  /** It cannot go on; retry() tries again. */
  error: CustomEvent<{ message: string; error: unknown }>;
  recovered: CustomEvent;
}

export class GVideoPlayer extends EventTarget {
  /** @param url of a .gsv file, an HLS playlist or a DASH manifest, or a File */
  constructor(canvas: HTMLCanvasElement, url: string | Blob, options?: PlayerOptions);

  readonly canvas: HTMLCanvasElement;
  readonly url: string | Blob;
  /** Plays the sound. */
  readonly element: HTMLAudioElement;
  /** The header of the first sequence; undefined until it was read. */
  readonly sequence: SequenceHeader | undefined;
  /** Null until the stream was opened. */
  readonly timeline: Timeline | null;

  play(): void;
  pause(): void;
  readonly paused: boolean;
  readonly ended: boolean;
  readonly waiting: boolean;
  readonly live: boolean;
  /** Where one who follows the end of a live stream is, in seconds. */
  readonly liveEdge: number;

  /** Goes to a time in seconds; resolves when its picture is on the canvas. */
  seek(seconds: number): Promise<void>;
  /** Goes to a frame by number. @throws RangeError outside */
  seekFrame(frame: number): Promise<void>;
  /** Pauses and goes so many frames on, or back. */
  step(count: number): Promise<void>;
  /** Seconds from the stream's start. */
  currentTime: number;
  readonly currentFrame: number;
  /** Seconds; NaN until it is known. */
  readonly duration: number;
  readonly numFrames: number;
  /** First and last second that can be sought. */
  readonly seekable: [number, number];
  /** Parts that are decoded, as [start, end] in seconds. */
  readonly buffered: [number, number][];

  playbackRate: number;
  /** Pictures between frames: "auto" (below speed 1), always or never. */
  smooth: "auto" | boolean;

  /** The poorest first. */
  readonly qualities: Quality[];
  /** "auto" or the index of a quality. */
  quality: "auto" | number;
  /** The rule that chooses while quality is "auto". */
  adaptation: Adaptation;
  /** The part of the picture that is shown; drawn anew at any size. */
  view: View;
  resolution: Resolution;
  /** Whether the grain of a stream that has some is drawn. */
  grain: boolean;

  /** In [0, 1]. */
  volume: number;
  muted: boolean;
  readonly hasSound: boolean;

  readonly captionTracks: CaptionTrack[];
  captionTrack: CaptionTrack | null;
  /** Text of the chosen track now, or "". */
  readonly caption: string;

  /** An AVC rendition of the same video, or null. */
  readonly fallback: Variant | null;
  readonly displaySize: Size;
  readonly statistics: Statistics;
  snapshot(): Picture;

  /** Goes on after an error. */
  retry(): void;
  /** Stops everything and frees the graphics and the decoding thread. */
  destroy(): void;

  addEventListener<K extends keyof PlayerEvents>(
    type: K,
    listener: (event: PlayerEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof PlayerEvents>(
    type: K,
    listener: (event: PlayerEvents[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
