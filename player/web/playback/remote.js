/**
 * Casting: the AVC rung on another device (Remote Playback API; AirPlay in Safari, Cast in Chromium). The device
 * fetches the HLS playlist itself and plays the variants whose codecs it knows, so what is offered to it is a <video>
 * with that playlist, which fetches nothing until a device is chosen.
 *
 *     player --connect: pause, time--> video on the device --disconnect: time, playing--> player
 */

import { isHls } from "../source/hls.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */

/** What plays here and is told where to go on.
 * @typedef {{currentTime: number, playbackRate: number, play(): Promise<void> | void}} Local */

/** Events: availabilitychange · connect (the video plays now) · disconnect (the player does again). */
export class RemoteRung extends EventTarget {
  connected = false;
  video = document.createElement("video");
  /** What is offered.
   * @type {{player: GVideoPlayer, local: Local} | null} */
  #offered = null;
  #watches = false;
  /** Whether there is a device, as far as the browser says it. */
  #isDevice = false;

  constructor() {
    super();
    Object.assign(this.video, { className: "remote", controls: true, playsInline: true, preload: "none" });
    this.api?.addEventListener("connect", () => this.#connect());
    this.api?.addEventListener("disconnect", () => this.#disconnect());
  }

  /** Undefined in a browser without the interface.
   * @returns {RemotePlayback} */
  get api() {
    return this.video.remote;
  }

  /** Whether something is offered and there is a device for it. */
  get available() {
    return this.#isDevice && this.#offered !== null;
  }

  /** Offers the AVC rung of what a player has opened, if there is one in an HLS playlist.
   * @param {GVideoPlayer} player
   * @param {Local} local what goes on when the device has done */
  offer(player, local = player) {
    this.withdraw();
    const { url, fallback } = player;
    if (!this.api || this.video.disableRemotePlayback || !fallback || typeof url !== "string") return;
    const { href } = new URL(url, document.baseURI);
    if (!isHls(href)) return;
    this.#offered = { player, local };
    this.video.src = href;
    this.#announce();
    this.#watch();
  }

  /** Nothing is offered any more; a device that plays stops. */
  withdraw() {
    if (!this.#offered) return;
    this.#offered = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.#announce();
    if (this.connected) this.#end();
  }

  /** @param {boolean} allowed whether anything may be offered, from the next one on */
  allow(allowed) {
    this.video.disableRemotePlayback = !allowed;
    if (!allowed) this.withdraw();
  }

  /** Has the user choose a device, or take the video back. Needs a click or a key.
   * @returns {Promise<void>}
   * @throws DOMException as RemotePlayback.prompt */
  async prompt() {
    await this.api?.prompt();
  }

  // --- inside

  async #watch() {
    if (this.#watches) return;
    this.#watches = true;
    try {
      await this.api.watchAvailability((isDevice) => this.#found(isDevice));
    } catch {
      // a browser that does not look for devices by itself looks when it is asked to show them
      this.#found(true);
    }
  }

  /** @param {boolean} isDevice */
  #found(isDevice) {
    this.#isDevice = isDevice;
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event("availabilitychange"));
  }

  #connect() {
    if (!this.#offered || this.connected) return;
    const { player } = this.#offered;
    const { paused, currentTime, live, seekable, playbackRate } = player;
    this.connected = true;
    this.dispatchEvent(new Event("connect"));
    player.pause();
    this.video.playbackRate = playbackRate;
    // the device counts from the start of the playlist, and of a live one it knows the end itself
    if (!live) this.video.currentTime = currentTime - seekable[0];
    if (!paused) this.video.play().catch(() => {}); // the browser says it by events
  }

  #disconnect() {
    if (!this.#offered || !this.connected) return;
    const { player, local } = this.#offered;
    const { paused, ended, currentTime, playbackRate } = this.video;
    this.#end();
    this.video.pause();
    local.playbackRate = playbackRate;
    local.currentTime = player.live ? player.liveEdge : currentTime + player.seekable[0];
    if (!paused && !ended) local.play();
  }

  #end() {
    this.connected = false;
    this.dispatchEvent(new Event("disconnect"));
  }
}
