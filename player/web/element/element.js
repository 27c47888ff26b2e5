/**
 * <gvideo-player src="clip.gsv" controls>: Gaussian video as an element with the interface of <video>.
 *
 *     element: attributes, poster, captions, system controls
 *        └── media: PlayerMedia over a GVideoPlayer (element.player), made by load();
 *                   a <video> with the AVC rung where Gaussians cannot be drawn
 *
 * Importing this defines the element.
 */

import { BrowserError, describe } from "../codec/errors.js";
import { GVideoPlayer } from "../gvideo-player.js";
import { playInstead } from "../playback/instead.js";
import { PlayerView } from "../ui/controls.js";
import { make } from "../ui/dom.js";
import { NETWORK, PlayerMedia, READY } from "./media.js";
import { Ranges } from "./ranges.js";
import { ReflectedElement } from "./reflected.js";
import { follow } from "./session.js";
import { PictureInPicture, streamOf } from "./stream.js";
import { TextTracks } from "./text_tracks.js";

const EVENTS = [
  ...["canplay", "canplaythrough", "durationchange", "ended", "error", "loadeddata", "loadedmetadata", "pause"],
  ...["play", "playing", "progress", "ratechange", "resize", "seeked", "seeking", "timeupdate", "volumechange"],
  "waiting",
];
/** Names and types that canPlayType answers for. */
const PLAYED = /^(application\/vnd\.apple\.mpegurl|application\/x-mpegurl|application\/dash\+xml|video\/(mp4|x-gsv))$/i;
const CODECS = /^(gsv1|gsve|mp4a|opus)\b/i;
const STYLE = `
:host { display: inline-block; position: relative; max-width: 100%; background: #000; overflow: hidden; }
:host([hidden]) { display: none; }
:host > *, canvas { display: block; }
.picture, .picture > canvas, .picture > video { width: 100%; height: 100%; object-fit: contain; }
.picture.player { border-radius: 0; min-width: 0; width: 100%; }
.poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; pointer-events: none; }
.poster[hidden], .caption:empty { display: none; }
.caption { position: absolute; inset: auto 5% 6%; margin: auto; width: fit-content; padding: 0.1em 0.5em;
  white-space: pre-line; text-align: center; font: 1.1em system-ui, sans-serif; color: #fff;
  background: rgb(0 0 0 / 70%); }
video.hidden { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
`;

export class GVideoElement extends ReflectedElement {
  static observedAttributes = ["src", "controls", "loop", "muted", "poster", "autoplay", "crossorigin"];
  /** @type {PlayerMedia | HTMLVideoElement | null} */
  #media = null;
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
      this.#view = new PlayerView(shown, this.#src, options);
    } else {
      const canvas = make("canvas", { role: "img", "aria-label": this.getAttribute("aria-label") ?? "Video" });
      this.#picture.append(canvas);
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
    return this.#use(new PlayerMedia(player));
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
    for (const type of EVENTS) media.addEventListener(type, () => media === this.#media && this.#heard(type));
    return media;
  }

  /** The AVC rung in place of what cannot be drawn.
   * @param {string} why
   * @param {RequestCredentials} credentials */
  async #playInstead(why, credentials) {
    const plays = !this.paused;
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
    return this.#media instanceof PlayerMedia ? this.#media.player : null;
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
    return this.#media?.videoWidth ?? 0;
  }

  get videoHeight() {
    return this.#media?.videoHeight ?? 0;
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

  /** "probably" if a type names codecs that are known, "maybe" if it names none, "" if it is not played.
   * @param {string} type
   * @returns {CanPlayTypeResult} */
  canPlayType(type) {
    const [mime, ...parameters] = type.split(";").map((part) => part.trim());
    if (!PLAYED.test(mime)) return "";
    const codecs = parameters.find((part) => part.startsWith("codecs="))?.slice(7).replaceAll('"', "");
    if (!codecs) return "maybe";
    return codecs.split(",").every((codec) => CODECS.test(codec.trim())) ? "probably" : "";
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
