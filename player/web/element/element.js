/**
 * <gvideo-player src="clip.gsv" controls>: Gaussian video as an element with the interface of <video>.
 *
 *     element: attributes, poster, captions, system controls
 *        └── media: PlayerMedia over a GVideoPlayer (element.player), made by load();
 *                   a <video> with the AVC rung where Gaussians cannot be drawn, or while another device plays it
 *
 * Importing this defines the element.
 */

import { BrowserError, describe } from "../codec/errors.js";
import { GVideoPlayer } from "../gvideo-player.js";
import { playInstead } from "../playback/instead.js";
import { RemoteRung } from "../playback/remote.js";
import { PlayerView } from "../ui/controls.js";
import { make } from "../ui/dom.js";
import { NETWORK, PlayerMedia, READY } from "./media.js";
import { canPlay } from "./playable.js";
import { Ranges } from "./ranges.js";
import { ReflectedElement } from "./reflected.js";
import { follow } from "./session.js";
import { PictureInPicture, streamOf } from "./stream.js";
import { STYLE } from "./style.js";
import { TextTracks } from "./text_tracks.js";

const EVENTS = [
  ...["canplay", "canplaythrough", "durationchange", "ended", "error", "loadeddata", "loadedmetadata", "pause"],
  ...["play", "playing", "progress", "ratechange", "resize", "seeked", "seeking", "timeupdate", "volumechange"],
  "waiting",
];
/** What is heard of the AVC rung on another device: its size stays that of the picture here. */
const REMOTE_EVENTS = EVENTS.filter((type) => !["loadeddata", "loadedmetadata", "resize"].includes(type));

export class GVideoElement extends ReflectedElement {
  static observedAttributes = [
    ...["src", "controls", "loop", "muted", "poster", "autoplay", "crossorigin", "disableremoteplayback"],
  ];
  /** @type {PlayerMedia | HTMLVideoElement | null} */
  #media = null;
  /** What waits here while another device plays.
   * @type {PlayerMedia | null} */
  #waiting = null;
  #remote = new RemoteRung();
  /** Why there is nothing, not even a <video>.
   * @type {{code: number, message: string} | null} */
  #hopeless = null;
  #ends = new AbortController();
  /** @type {PlayerView | null} */
  #view = null;
  #root;
  #size = make("style");
  #picture = make("div", { className: "picture", part: "picture" });
  #poster = make("img", { className: "poster", part: "poster", alt: "", hidden: true });
  #caption = make("div", { className: "caption", part: "caption" });
  #tracks = new TextTracks();
  #window;
  #src = "";
  #queued = false;
  /** What was set before there was anything to set it on. */
  #wished = { volume: 1, muted: false, playbackRate: 1, currentTime: 0 };
  defaultPlaybackRate = 1;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open" });
    this.#root.append(make("style", {}, STYLE), this.#size, this.#picture, this.#poster, this.#caption);
    this.#window = new PictureInPicture(this, this.#root);
    this.#tracks.addEventListener("change", () => this.#choose());
    this.#remote.addEventListener("connect", () => this.#handOver());
    this.#remote.addEventListener("disconnect", () => this.#takeBack());
    this.#listen(this.#remote.video, REMOTE_EVENTS);
    follow(this);
  }

  connectedCallback() {
    this.#wished.muted ||= this.hasAttribute("muted");
    if (!this.#media) this.#queue();
  }

  disconnectedCallback() {
    // moving it within the page is no end
    queueMicrotask(() => {
      if (!this.isConnected) this.#unload();
    });
  }

  /** @param {string} name
   * @param {string | null} before
   * @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === "src" || name === "crossorigin") this.#queue();
    else if (name === "poster") this.#showPoster();
    else if (name === "loop" && this.#media) this.#media.loop = now !== null;
    else if (name === "disableremoteplayback") this.#remote.allow(now === null);
    else if (name === "autoplay" && now !== null && this.#media?.readyState) this.play().catch(() => {});
    else if (name === "controls" && this.#media) {
      Object.assign(this.#wished, { currentTime: this.currentTime });
      const plays = !this.paused;
      this.load();
      if (plays) this.play().catch(() => {});
    }
  }

  // --- loading

  /** Begins anew with what src names. */
  load() {
    this.#queued = false;
    this.#unload();
    const { src } = this;
    if (!src) return;
    this.#src = src;
    this.dispatchEvent(new Event("loadstart"));
    if (this.preload !== "none" || this.autoplay) this.#open();
  }

  #queue() {
    if (this.#queued || !this.isConnected) return;
    this.#queued = true;
    // attributes come one after another
    queueMicrotask(() => this.#queued && this.load());
  }

  #unload() {
    this.#remote.withdraw();
    const had = this.#media;
    this.#window.close();
    this.#media = null;
    this.#hopeless = null;
    this.#ends.abort();
    this.#ends = new AbortController();
    if (had instanceof PlayerMedia) had.dispose();
    this.#view?.dispose();
    this.#view = null;
    this.#picture.replaceWith((this.#picture = make("div", { className: "picture", part: "picture" })));
    this.#caption.textContent = "";
    this.#tracks.replace([]);
    this.#src = "";
    this.#showPoster();
    if (had) this.dispatchEvent(new Event("emptied"));
  }

  #open() {
    const credentials = this.crossOrigin === "use-credentials" ? "include" : "same-origin";
    const options = { autoplay: this.autoplay, credentials: /** @type {RequestCredentials} */ (credentials) };
    if (this.controls) {
      const href = new URL("../style.css", import.meta.url).href;
      const shown = make("div");
      this.#picture.append(make("link", { rel: "stylesheet", href }), shown);
      this.#view = new PlayerView(shown, this.#src, { ...options, remote: this.#remote });
    } else {
      const canvas = make("canvas", { role: "img", "aria-label": this.getAttribute("aria-label") ?? "Video" });
      this.#picture.append(canvas, this.#remote.video);
    }
    const canvas = /** @type {HTMLCanvasElement} */ (this.#picture.querySelector("canvas"));
    const player = this.#view?.player ?? new GVideoPlayer(canvas, this.#src, options);
    player.addEventListener("error", (event) => {
      const { error } = /** @type {CustomEvent} */ (event).detail;
      if (!(error instanceof BrowserError)) return;
      event.stopImmediatePropagation();
      this.#playInstead(error.message, options.credentials);
    });
    player.addEventListener("timeupdate", () => this.#showCaption());
    const media = this.#use(new PlayerMedia(player));
    player.addEventListener("ready", () => this.#remote.offer(player, media));
    return media;
  }

  /** @template {PlayerMedia | HTMLVideoElement} T
   * @param {T} media
   * @returns {T} */
  #use(media) {
    this.#media = media;
    media.loop = this.loop;
    const { volume, muted, playbackRate, currentTime } = this.#wished;
    Object.assign(media, { volume, muted, playbackRate });
    if (currentTime > 0) media.currentTime = currentTime;
    this.#wished.currentTime = 0;
    this.#listen(media, EVENTS);
    return media;
  }

  /** @param {PlayerMedia | HTMLVideoElement} media
   * @param {string[]} types of events */
  #listen(media, types) {
    for (const type of types) media.addEventListener(type, () => media === this.#media && this.#heard(type));
  }

  /** From now on another device plays. */
  #handOver() {
    const { video } = this.#remote;
    if (this.#media instanceof PlayerMedia) this.#waiting = this.#media;
    Object.assign(video, { loop: this.loop, muted: this.muted });
    this.#media = video;
  }

  #takeBack() {
    if (this.#waiting) this.#waiting.loop = this.loop;
    this.#media = this.#waiting;
    this.#waiting = null;
  }

  /** The AVC rung in place of what cannot be drawn.
   * @param {string} why
   * @param {RequestCredentials} credentials */
  async #playInstead(why, credentials) {
    const plays = !this.paused;
    this.#remote.withdraw();
    const had = this.#media;
    if (had instanceof PlayerMedia) {
      this.#wished.currentTime = had.currentTime;
      had.dispose();
    }
    this.#view?.dispose();
    this.#view = null;
    const { signal } = this.#ends;
    const video = make("video", { controls: this.controls, playsInline: true, preload: "auto" });
    this.#picture.replaceChildren(video);
    this.#use(video);
    try {
      await playInstead(video, this.#src, { why, signal, credentials });
      if (plays) await video.play();
    } catch (error) {
      if (signal.aborted || !(error instanceof BrowserError)) return; // of play: the browser says it by events
      this.#media = null;
      this.#hopeless = { code: MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED, message: describe(error) };
      this.dispatchEvent(new Event("error"));
    }
  }

  /** @param {string} type of an event of the media */
  #heard(type) {
    if (type === "resize") this.#size.textContent = this.#sizeRule();
    if (type === "loadedmetadata" && this.player) this.#tracks.replace(this.player.captionTracks);
    if (["playing", "seeked"].includes(type) || (type === "loadeddata" && !this.poster)) this.#poster.hidden = true;
    this.dispatchEvent(new Event(type));
  }

  // --- what there is

  /** The player behind it: qualities, zoom, frames by number, statistics. Null until load() made it.
   * @returns {GVideoPlayer | null} */
  get player() {
    const local = this.#local;
    return local instanceof PlayerMedia ? local.player : null;
  }

  /** Other devices that play the AVC rung instead; undefined in a browser that knows none.
   * @returns {RemotePlayback} */
  get remote() {
    return this.#remote.api;
  }

  get currentSrc() {
    return this.#src;
  }

  get readyState() {
    return this.#media?.readyState ?? READY.NOTHING;
  }

  get networkState() {
    if (!this.#src) return NETWORK.EMPTY;
    if (this.#hopeless) return NETWORK.NO_SOURCE;
    return this.#media?.networkState ?? NETWORK.IDLE;
  }

  get error() {
    return this.#hopeless ?? this.#media?.error ?? null;
  }

  get duration() {
    return this.#media?.duration ?? NaN;
  }

  get videoWidth() {
    return this.#local?.videoWidth ?? 0;
  }

  get videoHeight() {
    return this.#local?.videoHeight ?? 0;
  }

  get buffered() {
    return this.#media?.buffered ?? new Ranges([]);
  }

  get seekable() {
    return this.#media?.seekable ?? new Ranges([]);
  }

  get textTracks() {
    return this.#tracks;
  }

  // --- playing

  get paused() {
    return this.#media?.paused ?? true;
  }

  get ended() {
    return this.#media?.ended ?? false;
  }

  get seeking() {
    return this.#media?.seeking ?? false;
  }

  get currentTime() {
    return this.#media?.currentTime ?? this.#wished.currentTime;
  }

  set currentTime(seconds) {
    if (this.#media) this.#media.currentTime = seconds;
    else this.#wished.currentTime = seconds;
  }

  get playbackRate() {
    return this.#media?.playbackRate ?? this.#wished.playbackRate;
  }

  set playbackRate(rate) {
    this.#wished.playbackRate = rate;
    if (this.#media) this.#media.playbackRate = rate;
    else this.dispatchEvent(new Event("ratechange"));
  }

  get volume() {
    return this.#media?.volume ?? this.#wished.volume;
  }

  set volume(volume) {
    if (this.#media) this.#media.volume = volume;
    this.#wished.volume = volume;
    if (!this.#media) this.dispatchEvent(new Event("volumechange"));
  }

  get muted() {
    return this.#media?.muted ?? this.#wished.muted;
  }

  set muted(muted) {
    this.#wished.muted = muted;
    if (this.#media) this.#media.muted = muted;
    else this.dispatchEvent(new Event("volumechange"));
  }

  /** Resolves when it plays.
   * @returns {Promise<void>} */
  async play() {
    if (this.#queued) this.load();
    const why = this.#hopeless?.message ?? (this.#src ? null : "There is no src to play.");
    if (why) throw new DOMException(why, "NotSupportedError");
    return (this.#media ?? this.#open()).play();
  }

  pause() {
    this.#media?.pause();
  }

  /** @param {number} seconds */
  fastSeek(seconds) {
    this.currentTime = seconds;
  }

  /** @param {string} type
   * @returns {CanPlayTypeResult} */
  canPlayType(type) {
    return canPlay(type);
  }

  /** Picture and sound as a stream. @throws DOMException InvalidStateError before there is a picture
   * @param {number} [frameRate] frames/s; without one every new picture */
  captureStream(frameRate) {
    const shown = this.#shown();
    if (!(shown instanceof HTMLVideoElement)) return streamOf(shown, frameRate);
    const video = /** @type {HTMLVideoElement & {captureStream?: () => MediaStream}} */ (shown);
    if (!video.captureStream) throw new DOMException("This browser gives no stream away.", "NotSupportedError");
    return video.captureStream();
  }

  /** Shows the picture in a window over all others.
   * @returns {Promise<PictureInPictureWindow>} */
  async requestPictureInPicture() {
    const shown = this.#shown();
    return shown instanceof HTMLVideoElement ? shown.requestPictureInPicture() : this.#window.request(shown);
  }

  // --- inside

  /** What is shown here, whoever plays. */
  get #local() {
    return this.#waiting ?? this.#media;
  }

  /** The player, or the video in its place, once there is a picture. */
  #shown() {
    if (!this.#media || this.readyState < READY.CURRENT)
      throw new DOMException("There is no picture yet: wait for loadeddata.", "InvalidStateError");
    return this.#media instanceof PlayerMedia ? this.#media.player : this.#media;
  }

  #showPoster() {
    this.#poster.hidden = !this.poster || !this.paused;
    if (this.poster) this.#poster.src = this.poster;
  }

  #sizeRule() {
    const { videoWidth, videoHeight } = this;
    return `:host { width: ${videoWidth}px; aspect-ratio: ${videoWidth} / ${videoHeight}; }`;
  }

  #choose() {
    if (this.player) this.player.captionTrack = this.#tracks.showing;
    this.#showCaption();
  }

  #showCaption() {
    const text = this.#view ? "" : (this.player?.caption ?? "");
    if (this.#caption.textContent !== text) this.#caption.textContent = text;
  }
}

customElements.define("gvideo-player", GVideoElement);
