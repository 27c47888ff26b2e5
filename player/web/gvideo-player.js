/**
 * Gaussian video on a canvas: the player that other pages can embed.
 *
 *     import { GVideoPlayer } from "./gvideo-player.js";
 *     const player = new GVideoPlayer(document.querySelector("canvas"), "clip.gsv");   // or master.m3u8, or a File
 *     player.addEventListener("ready", () => player.play());
 *
 * Events: ready · durationchange · timeupdate · play · pause · waiting · playing · seeked · ended · qualitychange ·
 * notice (detail: {message}, something was skipped) · recovered · error (detail: {message}; retry() goes on).
 * Times are seconds from the stream's start, frames are counted from 0, frame n is always frame n.
 */

import { DecoderClient } from "./codec/client.js";
import { describe } from "./codec/errors.js";
import { parseSequenceUnit } from "./codec/headers.js";
import { Throughput } from "./playback/abr.js";
import { CaptionTrack } from "./playback/captions.js";
import { Clock } from "./playback/clock.js";
import { keepFresh } from "./playback/live.js";
import { Sound } from "./playback/sound.js";
import { collect } from "./playback/statistics.js";
import { SegmentStore } from "./playback/store.js";
import { Timeline, frameAt, modelTimeAt } from "./playback/timeline.js";
import { Screen, displaySize } from "./render/screen.js";
import { Http } from "./source/http.js";
import { openSource } from "./source/open.js";

const ERRANDS_MS = 200; // how often what lies ahead is looked after
const RESUME_S = 0.3; // playing goes on after a wait when this much is there
const LIVE_DELAY = 3; // target durations behind the end of a live stream, where playing begins
const SMOOTH_BELOW = 1; // at speeds below this, pictures between frames are drawn

export class GVideoPlayer extends EventTarget {
  #clock = new Clock();
  #throughput = new Throughput();
  #abort = new AbortController();
  #http;
  #source = null;
  #store = null;
  #timeline = null;
  #playing = false;
  #waiting = false;
  #failed = false;
  #seeks = [];
  #sound;
  #timers = [];
  #animation = 0;
  #screen = null;
  #resolution;
  #decoder = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string | Blob} url of a .gsv file or an HLS playlist, or a File
   * @param {{resolution?: "display" | "source", autoplay?: boolean}} options resolution: pixels to draw, as many as the
   *   canvas covers on screen (fewer if that is too slow), or the video's own
   */
  constructor(canvas, url, { resolution = "display", autoplay = false } = {}) {
    super();
    this.canvas = canvas;
    this.url = url;
    this.#resolution = resolution;
    /** Pictures between frames: "auto" (in slow motion), true or false. */
    this.smooth = "auto";
    this.captionTracks = [];
    this.captionTrack = null;
    this.element = Object.assign(document.createElement("audio"), { preload: "auto" });
    this.#sound = new Sound(this.element, this.#clock, (error) =>
      this.#emit("notice", { message: `No sound: ${describe(error)}` }),
    );
    this.#http = new Http({
      onreceived: (...it) => this.#throughput.add(...it),
      onretry: (error) => this.#emit("notice", { message: `${describe(error)}; trying again` }),
    });
    this.#playing = autoplay;
    this.#open().catch((error) => this.#fail(error));
  }

  async #open() {
    this.#screen ??= new Screen(this.canvas, this.#resolution);
    this.#decoder ??= new DecoderClient();
    this.#source = await openSource(this.url, this.#http, this.#abort.signal);
    this.sequence = parseSequenceUnit(this.#source.sequenceUnit);
    this.#timeline = new Timeline(this.#source, this.sequence);
    this.#store = new SegmentStore(this.#source, this.#decoder, this.#throughput, {
      onchange: () => this.#changed(),
      onproblem: (message) => this.#emit("notice", { message }),
      onfailed: (error) => this.#fail(error),
    });
    this.captionTracks = this.#source.captions.map((track) => new CaptionTrack(this.#http, track));
    if (this.live) this.#follow();
    this.#timers.push(setInterval(() => this.#errands(), ERRANDS_MS));
    this.#errands();
    this.#animation = requestAnimationFrame(() => this.#tick());
    await this.#sound.open(this.#source);
    this.#emit("ready");
    if (this.#playing) this.#emit("play");
  }

  /** A live stream: begins near its end, and goes on as it grows. */
  #follow() {
    this.#clock.time = Math.max(this.#timeline.start, this.duration - LIVE_DELAY * this.#source.targetDuration);
    const hooks = { onchange: () => this.#changed(), onerror: (error) => this.#fail(error) };
    keepFresh(this.#source, this.#abort.signal, hooks);
  }

  // --- what is played

  /** Seconds, of a live stream: where it ends now. */
  get duration() {
    return this.#timeline?.end ?? NaN;
  }

  /** First and last second that can be sought. */
  get seekable() {
    return this.#timeline ? [this.#timeline.start, this.#timeline.end] : [0, 0];
  }

  get numFrames() {
    return this.#timeline?.numFrames ?? 0;
  }

  get hasSound() {
    return this.#sound.there;
  }

  /** The address of an AVC rendition of the same video ({url, codecs, averageBandwidth, width, height}), or null. */
  get fallback() {
    return this.#source?.fallback ?? null;
  }

  /** The source, for those that play the fallback beside it (playback/feeder.js). */
  get source() {
    return this.#source;
  }

  /** Width and height to show the picture at: upright, with square pixels. */
  get displaySize() {
    return displaySize(this.sequence);
  }

  get buffered() {
    return this.#store?.buffered() ?? [];
  }

  // --- playing

  get paused() {
    return !this.#playing;
  }

  get waiting() {
    return this.#waiting;
  }

  get live() {
    return this.#source?.live ?? false;
  }

  get ended() {
    return !this.live && this.#timeline !== null && this.currentTime >= this.duration;
  }

  get currentTime() {
    const [start, end] = this.seekable;
    return Math.min(Math.max(this.#clock.time, start), end);
  }

  set currentTime(seconds) {
    this.seek(seconds);
  }

  /** Number of the frame on screen. */
  get currentFrame() {
    const place = this.#place(this.currentTime);
    return place ? this.#timeline.firstFrame(place.segment) + place.frame : 0;
  }

  play() {
    if (this.#playing) return;
    if (this.ended) this.seek(this.#timeline.start);
    this.#playing = true;
    this.#emit("play");
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#clock.stop();
    this.#emit("pause");
  }

  /** Goes to a time; resolves when its picture is on the canvas. */
  seek(seconds) {
    const [start, end] = this.seekable;
    const time = Math.min(Math.max(seconds, start), end);
    if (time < end) this.#sound.lead();
    this.#clock.time = time;
    const { segment } = this.#place(time) ?? {};
    this.#store?.aim(time, segment !== undefined && !this.#store.get(segment));
    this.#sound.aim(time);
    return new Promise((resolve) => this.#seeks.push(resolve));
  }

  /** Goes to a frame by number. RangeError outside. */
  async seekFrame(number) {
    const { segment, offset } = this.#timeline.locate(number);
    const entry = this.#store.get(segment);
    if (!entry?.decoded) {
      // frames may differ in length: where one begins is known once the segment is there
      await this.seek(segment.start);
      return this.#store.get(segment)?.decoded ? this.seekFrame(number) : undefined;
    }
    const { ticks } = entry.decoded;
    return this.seek(segment.start + ticks[Math.min(offset, ticks.length - 2)] / this.sequence.timescale);
  }

  /** Pauses and goes so many frames on, or back. */
  step(count) {
    this.pause();
    const last = this.numFrames - 1;
    return this.seekFrame(Math.min(Math.max(this.currentFrame + count, 0), last));
  }

  get playbackRate() {
    return this.#clock.rate;
  }

  set playbackRate(rate) {
    this.#clock.rate = rate;
    this.#emit("ratechange");
  }

  get volume() {
    return this.element.volume;
  }

  set volume(volume) {
    this.element.volume = Math.min(Math.max(volume, 0), 1);
    this.#emit("volumechange");
  }

  get muted() {
    return this.element.muted;
  }

  set muted(muted) {
    this.element.muted = muted;
    this.#emit("volumechange");
  }

  /** Goes on after an error. */
  retry() {
    this.#failed = false;
    this.#emit("recovered");
    if (this.#store) {
      this.#sound.open(this.#source);
      this.#errands();
    } else this.#open().catch((error) => this.#fail(error));
  }

  // --- quality and view

  /** [{label, bandwidth, width, height}], the poorest first. */
  get qualities() {
    return this.#source?.qualities ?? [];
  }

  /** "auto" or the index of a quality. */
  get quality() {
    return this.#store?.wanted ?? "auto";
  }

  set quality(quality) {
    this.#store.wanted = quality;
    this.#store.aim(this.currentTime);
    this.#emit("qualitychange");
  }

  /** The part of the picture that is shown: {x, y, width, height} in [0, 1]; drawn anew at any size. */
  get view() {
    return this.#screen.view;
  }

  set view(view) {
    this.#screen.view = view;
    this.#emit("viewchange");
  }

  /** "display" or "source", as in the constructor. */
  get resolution() {
    return this.#screen.resolution;
  }

  set resolution(resolution) {
    this.#screen.resolution = resolution;
  }

  /** Whether the grain of a stream that has some is drawn. */
  get grain() {
    return this.#screen.grain;
  }

  set grain(grain) {
    this.#screen.grain = grain;
  }

  /** Text of the chosen caption track now, or "". */
  get caption() {
    return this.captionTrack?.textAt(this.currentTime) ?? "";
  }

  /** The picture on the canvas: {width, height, data: Uint8ClampedArray R'G'B'A}. */
  snapshot() {
    this.#screen.invalidate();
    this.#draw();
    return this.#screen.read();
  }

  /** Where segments and frames are (playback/timeline.js); null until "ready". */
  get timeline() {
    return this.#timeline;
  }

  /** A segment as decoded for the screen, or else its poorest quality, for small pictures (playback/preview.js). */
  async loadPreview(segment) {
    const there = this.#store.get(segment)?.decoded;
    return there ?? this.#store.loadOnce(segment, 0, this.#abort.signal);
  }

  /** Numbers for those who look closely (playback/statistics.js). */
  get statistics() {
    const place = this.#timeline && this.#place(this.currentTime);
    return collect({
      frame: place ? this.currentFrame : 0,
      time: this.currentTime,
      place,
      store: this.#store,
      screen: this.#screen,
      throughput: this.#throughput,
    });
  }

  /** Stops everything and frees the graphics and the decoding thread. */
  destroy() {
    this.#abort.abort();
    cancelAnimationFrame(this.#animation);
    this.#timers.forEach(clearInterval);
    this.#clock.follow(null);
    this.#clock.stop();
    this.#sound.dispose();
    this.#store?.dispose();
    this.#decoder?.dispose();
    this.#screen?.dispose();
  }

  // --- inside

  /** {segment, decoded, frame, error} at a time; decoded is null as long as it is not there. */
  #place(time) {
    if (!this.#timeline) return null;
    const segment = this.#timeline.segmentAt(time);
    const entry = this.#store.get(segment);
    const decoded = entry?.decoded ?? null;
    return {
      segment,
      decoded,
      frame: decoded ? frameAt(decoded, time - segment.start) : 0,
      error: entry?.error ?? null,
    };
  }

  #tick() {
    this.#animation = requestAnimationFrame(() => this.#tick());
    if (this.#clock.time < this.#timeline.start) this.#clock.time = this.#timeline.start; // a live window slid past us
    const place = this.#place(this.currentTime);
    const there = place.decoded !== null || place.error !== null;
    const atEnd = this.currentTime >= this.duration;
    this.#setWaiting(this.#playing && (atEnd ? this.live : !there || (this.#waiting && !this.#enoughAhead())));
    if (this.#playing && !this.#waiting && !atEnd) this.#clock.start();
    else this.#clock.stop();
    if (there) this.#draw();
    if (this.#playing && atEnd && !this.live) {
      this.#playing = false;
      this.#clock.stop();
      this.#emit("ended");
      this.#emit("pause");
    }
    if (there && this.#seeks.length > 0) {
      for (const resolve of this.#seeks.splice(0)) resolve();
      this.#emit("seeked");
    }
  }

  #enoughAhead() {
    const left = this.duration - this.currentTime;
    return this.#store.bufferedAhead(this.currentTime) >= Math.min(RESUME_S, left) - 1e-3;
  }

  #setWaiting(waiting) {
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.#emit(waiting ? "waiting" : "playing");
  }

  /** Draws the picture of the current time, unless it is there already. A damaged segment leaves the one before. */
  #draw() {
    const time = this.currentTime;
    const { segment, decoded, frame } = this.#place(time);
    if (!decoded) return;
    const smooth = this.smooth === "auto" ? this.#playing && this.playbackRate < SMOOTH_BELOW : this.smooth;
    try {
      const drawn = this.#screen.draw(
        decoded,
        smooth ? modelTimeAt(decoded, time - segment.start) : decoded.times[frame],
      );
      if (drawn) this.#emit("timeupdate");
    } catch (error) {
      this.#fail(error);
    }
  }

  #changed() {
    this.#screen.invalidate();
    this.#emit("durationchange");
  }

  /** What need not happen for every picture. */
  #errands() {
    if (this.#failed || !this.#store) return;
    const time = this.currentTime;
    this.#store.still = !this.#playing;
    this.#store.aim(time);
    this.#sound.aim(time);
    this.captionTrack?.aim(time).catch((error) => this.#emit("notice", { message: `No captions: ${describe(error)}` }));
    const { timescale, frameDuration } = this.sequence;
    this.#screen.count(Math.min((this.playbackRate * timescale) / frameDuration, 60), this.#clock.running);
  }

  #fail(error) {
    if (this.#abort.signal.aborted) return;
    this.#failed = true;
    this.#emit("error", { message: describe(error) });
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
