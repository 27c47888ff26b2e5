/**
 * Gaussian video on a canvas: the player that other pages can embed.
 *
 *     import { GVideoPlayer } from "./gvideo-player.js";
 *     const player = new GVideoPlayer(document.querySelector("canvas"), "clip.gsv"); // .m3u8, .mpd, or a File
 *     player.addEventListener("ready", () => player.play());
 *
 * Events: ready · durationchange · timeupdate · play · pause · waiting · playing · seeked · ended · qualitychange ·
 * notice (detail: {message}, something was skipped) · recovered · error (detail: {message, error}; retry() goes on).
 * Times are seconds from the stream's start, frames are counted from 0, frame n is always frame n.
 */

import { DecoderClient } from "./codec/client.js";
import { GVideoError, describe } from "./codec/errors.js";
import { Throughput } from "./playback/abr.js";
import { CaptionTrack } from "./playback/captions.js";
import { OpenedStream } from "./playback/opened.js";
import { collect } from "./playback/statistics.js";
import { TimedPlayer } from "./playback/timed.js";
import { modelTimeAt } from "./playback/timeline.js";
import { WHOLE } from "./render/renderer.js";
import { Screen, displaySize } from "./render/screen.js";
import { Http } from "./source/http.js";
import { openSource } from "./source/open.js";

/** @import { Adaptation, PlayerOptions, Resolution } from "./types/gvideo-player.d.ts" */
/** @import { Segment, SequenceHeader, View } from "./types/gvideo-player.d.ts" */

const ERRANDS_MS = 200; // how often what lies ahead is looked after
const NEAR_S = 0.1;
const SMOOTH_BELOW = 1; // at speeds below this, pictures between frames are drawn

export class GVideoPlayer extends TimedPlayer {
  #throughput = new Throughput();
  #abort = new AbortController();
  #http;
  /** @type {OpenedStream | null} */
  #stream = null;
  /** The chosen quality.
   * @type {"auto" | number} */
  #quality = "auto";
  /** @type {Adaptation} */
  #adaptation;
  #playing = false;
  #waiting = false;
  /** Whether the end of a live stream is followed. */
  #follows = true;
  #failed = false;
  /** @type {(() => void)[]} */
  #seeks = [];
  /** @type {ReturnType<typeof setInterval>[]} */
  #timers = [];
  #animation = 0;
  /** @type {Screen | null} */
  #screen = null;
  #resolution;
  #drawing;
  /** @type {DecoderClient | null} */
  #decoder = null;
  /** The header of the first sequence; undefined until it was read.
   * @type {SequenceHeader | undefined} */
  sequence = undefined;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string | Blob} url of a .gsv file, an HLS playlist or a DASH manifest, or a File
   * @param {PlayerOptions} options resolution: pixels to draw, as many as the
   *   canvas covers on screen (fewer if that is too slow), or the video's own;
   *   drawing: by the graphics, the processor, or what is faster
   */
  constructor(canvas, url, options = {}) {
    super();
    const { resolution = "display", drawing = "auto", autoplay = false } = options;
    const { credentials = "same-origin", adaptation } = options;
    this.canvas = canvas;
    this.url = url;
    this.#resolution = resolution;
    this.#drawing = drawing;
    this.#adaptation = adaptation ?? "throughput";
    /** Pictures between frames: "auto" (in slow motion), true or false.
     * @type {"auto" | boolean} */
    this.smooth = "auto";
    /** @type {CaptionTrack[]} */
    this.captionTracks = [];
    /** @type {CaptionTrack | null} */
    this.captionTrack = null;
    this.#http = new Http({
      credentials,
      onreceived: (...it) => this.#throughput.add(...it),
      onretry: (error) => this.notice(`${describe(error)}; trying again`),
    });
    this.#playing = autoplay;
    this.#open().catch((error) => this.#fail(error));
  }

  async #open() {
    this.#screen ??= new Screen(this.canvas, this.#resolution, this.#drawing);
    this.#decoder ??= new DecoderClient();
    const source = await openSource(this.url, this.#http, this.#abort.signal);
    const stream = new OpenedStream(source, this.#decoder, this.#throughput, {
      onchange: () => this.#changed(),
      onproblem: (message) => this.notice(message),
      onfailed: (error) => this.#fail(error),
    });
    Object.assign(stream.store, { wanted: this.#quality, adaptation: this.#adaptation });
    this.sequence = stream.sequence;
    this.#stream = stream;
    this.captionTracks = source.captions.map((track) => new CaptionTrack(this.#http, track));
    const begin = stream.follow(this.#abort.signal);
    if (begin !== null) this.clock.time = begin;
    this.#timers.push(setInterval(() => this.#errands(), ERRANDS_MS));
    this.#errands();
    this.#animation = requestAnimationFrame(() => this.#tick());
    await this.sound.open(source);
    this.emit("ready");
    if (this.#playing) this.emit("play");
  }

  // --- what is played

  /** Seconds, of a live stream: where it ends now. */
  get duration() {
    return this.#stream?.timeline.end ?? NaN;
  }

  /** First and last second that can be sought.
   * @returns {[number, number]} */
  get seekable() {
    const timeline = this.timeline;
    return timeline ? [timeline.start, timeline.end] : [0, 0];
  }

  get numFrames() {
    return this.#stream?.timeline.numFrames ?? 0;
  }

  /** The address of an AVC rendition of the same video ({url, codecs, averageBandwidth, width, height}), or null. */
  get fallback() {
    return this.#stream?.source.fallback ?? null;
  }

  /** The source, for those that play the fallback beside it (playback/feeder.js). */
  get source() {
    return this.#stream?.source ?? null;
  }

  /** Width and height to show the picture at: upright, with square pixels. */
  get displaySize() {
    return displaySize(this.#opened().sequence);
  }

  get buffered() {
    return this.#stream?.store.buffered() ?? [];
  }

  // --- playing

  get paused() {
    return !this.#playing;
  }

  get waiting() {
    return this.#waiting;
  }

  get live() {
    return this.#stream?.source.live ?? false;
  }

  /** Where a live stream is played by one who follows its end, in seconds: as far behind that as its playlist says. */
  get liveEdge() {
    return this.#stream?.edge ?? NaN;
  }

  get ended() {
    return !this.live && this.#stream !== null && this.currentTime >= this.duration;
  }

  get currentTime() {
    const [start, end] = this.seekable;
    return Math.min(Math.max(this.clock.time, start), end);
  }

  set currentTime(seconds) {
    this.seek(seconds);
  }

  /** Number of the frame on screen. */
  get currentFrame() {
    return this.#stream?.frameAt(this.currentTime) ?? 0;
  }

  play() {
    if (this.#playing) return;
    if (this.ended) this.seek(this.seekable[0]);
    this.#playing = true;
    this.emit("play");
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#follows = false; // it goes on where it stands
    this.clock.stop();
    this.emit("pause");
  }

  /** Goes to a time; resolves when its picture is on the canvas.
   * @param {number} seconds
   * @returns {Promise<void>} */
  seek(seconds) {
    const [start, end] = this.seekable;
    const time = Math.min(Math.max(seconds, start), end);
    this.#follows = this.live && time >= this.liveEdge - NEAR_S;
    if (time < end) this.sound.lead();
    this.clock.time = time;
    this.#stream?.seek(time);
    this.sound.aim(time);
    return new Promise((resolve) => this.#seeks.push(resolve));
  }

  /** Goes to a frame by number. RangeError outside.
   * @param {number} number
   * @returns {Promise<void>} */
  async seekFrame(number) {
    const stream = this.#opened();
    const place = stream.locate(number);
    await this.seek(place.time);
    if (!place.exact && stream.locate(number).exact) await this.seekFrame(number);
  }

  /** Pauses and goes so many frames on, or back; as long as nothing is known of the stream there is nowhere to go.
   * @param {number} count */
  async step(count) {
    this.pause();
    if (!this.#stream) return;
    const last = this.numFrames - 1;
    await this.seekFrame(Math.min(Math.max(this.currentFrame + count, 0), last));
  }

  /** Goes on after an error. */
  retry() {
    this.#failed = false;
    this.emit("recovered");
    if (this.#stream) {
      this.sound.open(this.#stream.source);
      this.#errands();
    } else this.#open().catch((error) => this.#fail(error));
  }

  // --- quality and view

  /** [{label, bandwidth, width, height}], the poorest first. */
  get qualities() {
    return this.#stream?.source.qualities ?? [];
  }

  /** "auto" or the index of a quality. */
  get quality() {
    return this.#quality;
  }

  set quality(quality) {
    this.#quality = quality;
    if (this.#stream) {
      this.#stream.store.wanted = quality;
      this.#stream.store.aim(this.currentTime);
    }
    this.emit("qualitychange");
  }

  get adaptation() {
    return this.#adaptation;
  }

  /** The rule that chooses while quality is "auto" (playback/abr.js).
   * @type {Adaptation} */
  set adaptation(adaptation) {
    this.#adaptation = adaptation;
    if (this.#stream) this.#stream.store.adaptation = adaptation;
  }

  /** The part of the picture that is shown: {x, y, width, height} in [0, 1]; drawn anew at any size.
   * @type {View} */
  get view() {
    return this.#screen?.view ?? WHOLE;
  }

  set view(view) {
    if (this.#screen) this.#screen.view = view;
    this.emit("viewchange");
  }

  /** As in the constructor.
   * @type {Resolution} */
  get resolution() {
    return this.#resolution;
  }

  set resolution(resolution) {
    this.#resolution = resolution;
    if (this.#screen) this.#screen.resolution = resolution;
  }

  /** Whether the grain of a stream that has some is drawn. */
  get grain() {
    return this.#screen?.grain ?? true;
  }

  set grain(grain) {
    if (this.#screen) this.#screen.grain = grain;
  }

  /** Text of the chosen caption track now, or "". */
  get caption() {
    return this.captionTrack?.textAt(this.currentTime) ?? "";
  }

  /** The picture on the canvas: {width, height, data: Uint8ClampedArray R'G'B'A}. */
  snapshot() {
    if (!this.#screen) throw new GVideoError("There is no picture: this browser cannot draw it.");
    this.#screen.invalidate();
    this.#draw();
    return this.#screen.read();
  }

  /** Where segments and frames are (playback/timeline.js); null until "ready". */
  get timeline() {
    return this.#stream?.timeline ?? null;
  }

  /** A segment as decoded for the screen, or else its poorest quality, for small pictures (playback/preview.js).
   * @param {Segment} segment */
  async loadPreview(segment) {
    const { store } = this.#opened();
    return store.get(segment)?.decoded ?? store.loadOnce(segment, 0, this.#abort.signal);
  }

  /** Numbers for those who look closely (playback/statistics.js). */
  get statistics() {
    return collect({
      frame: this.currentFrame,
      time: this.currentTime,
      place: this.#stream?.place(this.currentTime) ?? null,
      store: this.#stream?.store ?? null,
      screen: this.#screen,
      throughput: this.#throughput,
    });
  }

  /** Stops everything and frees the graphics and the decoding thread. */
  destroy() {
    this.#abort.abort();
    cancelAnimationFrame(this.#animation);
    this.#timers.forEach(clearInterval);
    this.clock.follow(null);
    this.clock.stop();
    this.sound.dispose();
    this.#stream?.dispose();
    this.#decoder?.dispose();
    this.#screen?.dispose();
  }

  // --- inside

  /** The stream. @throws GVideoError as long as there is none */
  #opened() {
    if (!this.#stream) throw new GVideoError('The stream is not open yet: wait for the event "ready".');
    return this.#stream;
  }

  #tick() {
    this.#animation = requestAnimationFrame(() => this.#tick());
    const [start] = this.seekable;
    if (this.clock.time < start) this.clock.time = start; // a live window slid past us
    const stream = this.#stream;
    if (!stream) return;
    if (this.#follows && this.#playing && this.playbackRate === 1 && stream.isLate(this.currentTime)) {
      this.seek(this.liveEdge);
    }
    const time = this.currentTime;
    const place = stream.place(time);
    const there = place.decoded !== null || place.error !== null;
    const atEnd = time >= this.duration;
    const missing = !there || (this.#waiting && !stream.enoughAhead(time));
    this.#setWaiting(this.#playing && (atEnd ? this.live : missing));
    if (this.#playing && !this.#waiting && !atEnd) this.clock.start();
    else this.clock.stop();
    if (there) this.#draw();
    if (this.#playing && atEnd && !this.live) {
      this.#playing = false;
      this.clock.stop();
      this.emit("ended");
      this.emit("pause");
    }
    if (there && this.#seeks.length > 0) {
      for (const resolve of this.#seeks.splice(0)) resolve();
      this.emit("seeked");
    }
  }

  /** @param {boolean} waiting */
  #setWaiting(waiting) {
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.emit(waiting ? "waiting" : "playing");
  }

  /** Draws the picture of the current time, unless it is there already. A damaged segment leaves the one before. */
  #draw() {
    const time = this.currentTime;
    const place = this.#stream?.place(time);
    if (!place?.decoded || !this.#screen) return;
    const { segment, decoded, frame } = place;
    const smooth = this.smooth === "auto" ? this.#playing && this.playbackRate < SMOOTH_BELOW : this.smooth;
    try {
      const drawn = this.#screen.draw(
        decoded,
        smooth ? modelTimeAt(decoded, time - segment.start) : decoded.times[frame],
      );
      if (drawn) this.emit("timeupdate");
    } catch (error) {
      this.#fail(error);
    }
  }

  #changed() {
    this.#screen?.invalidate();
    if (!this.#failed) this.#stream?.store.aim(this.currentTime); // what is new is fetched at once
    this.emit("durationchange");
  }

  /** What need not happen for every picture. */
  #errands() {
    if (this.#failed || !this.#stream) return;
    const time = this.currentTime;
    this.#stream.store.still = !this.#playing;
    this.#stream.store.aim(time);
    this.sound.aim(time);
    this.captionTrack?.aim(time).catch((error) => this.notice(`No captions: ${describe(error)}`));
    this.#screen?.count(Math.min(this.#stream.frameRate(this.playbackRate), 60), this.clock.running);
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#abort.signal.aborted) return;
    this.#failed = true;
    this.emit("error", { message: describe(error), error });
  }
}
