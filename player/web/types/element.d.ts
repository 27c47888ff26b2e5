/** Types of <gvideo-player>, an element with the interface of <video>. Importing the module defines it. */

import type { GVideoPlayer } from "./gvideo-player.js";

export interface TimeRangesOf {
  readonly length: number;
  /** Seconds. @throws DOMException IndexSizeError outside */
  start(index: number): number;
  end(index: number): number;
}

/** A caption track; the element puts its text on screen while it is "showing". */
export interface CaptionTextTrack {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  readonly language: string;
  mode: TextTrackMode;
}

/** Events: addtrack, removetrack, change. */
export interface CaptionTextTracks extends EventTarget {
  readonly length: number;
  getTrackById(id: string): CaptionTextTrack | null;
  [Symbol.iterator](): Iterator<CaptionTextTrack>;
}

export class GVideoElement extends HTMLElement {
  /** The player behind it: qualities, zoom, frames by number, statistics. Null until load() made it. */
  readonly player: GVideoPlayer | null;

  /** Absolute; a .gsv file, an HLS playlist or a DASH manifest. */
  src: string;
  readonly currentSrc: string;
  poster: string;
  autoplay: boolean;
  loop: boolean;
  controls: boolean;
  defaultMuted: boolean;
  /** "none", "metadata" or "auto"; "none" fetches nothing before play(). */
  preload: string;
  crossOrigin: string | null;
  disableRemotePlayback: boolean;
  /** Other devices that play the AVC rung instead; undefined in a browser that knows none. */
  readonly remote: RemotePlayback;

  /** HTMLMediaElement.HAVE_NOTHING … HAVE_ENOUGH_DATA. */
  readonly readyState: number;
  /** HTMLMediaElement.NETWORK_EMPTY … NETWORK_NO_SOURCE. */
  readonly networkState: number;
  /** code: as MediaError has it. */
  readonly error: { code: number; message: string } | null;
  /** Seconds; NaN until it is known, Infinity for a live stream. */
  readonly duration: number;
  readonly videoWidth: number;
  readonly videoHeight: number;
  readonly buffered: TimeRangesOf;
  readonly seekable: TimeRangesOf;
  readonly textTracks: CaptionTextTracks;

  readonly paused: boolean;
  readonly ended: boolean;
  readonly seeking: boolean;
  currentTime: number;
  playbackRate: number;
  defaultPlaybackRate: number;
  volume: number;
  muted: boolean;

  load(): void;
  /** Resolves when it plays. */
  play(): Promise<void>;
  pause(): void;
  fastSeek(seconds: number): void;
  canPlayType(type: string): CanPlayTypeResult;
  /** Picture and sound. @throws DOMException InvalidStateError before there is a picture */
  captureStream(frameRate?: number): MediaStream;
  requestPictureInPicture(): Promise<PictureInPictureWindow>;
}

declare global {
  interface HTMLElementTagNameMap {
    "gvideo-player": GVideoElement;
  }
}
