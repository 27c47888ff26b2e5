/** The picture and sound of a player as a MediaStream, and in a window over all others (picture in picture). */

import { make } from "../ui/dom.js";

/** @import { GVideoPlayer } from "../gvideo-player.js" */
/** @import { GVideoElement } from "./element.js" */

/** What is on the canvas, and the sound if the browser gives the sound of an element away.
 * @param {GVideoPlayer} player
 * @param {number} [frameRate] frames/s; without one every new picture
 * @returns {MediaStream} */
export function streamOf(player, frameRate) {
  const stream = player.canvas.captureStream(frameRate);
  if (player.hasSound) {
    /** @type {HTMLMediaElement & {captureStream?: () => MediaStream, mozCaptureStream?: () => MediaStream}} */
    const element = player.element;
    const sound = (element.captureStream ?? element.mozCaptureStream)?.call(element);
    for (const track of sound?.getAudioTracks() ?? []) stream.addTrack(track);
    sound?.addEventListener("addtrack", ({ track }) => track.kind === "audio" && stream.addTrack(track));
  }
  return stream;
}

/** Shows an element's picture in a window of its own, through a hidden video that plays its stream. */
export class PictureInPicture {
  /** @type {HTMLVideoElement | null} */
  #video = null;
  #shown = false;
  #ends = new AbortController();

  /** @param {GVideoElement} element
   * @param {ShadowRoot} root where the video is hidden */
  constructor(element, root) {
    this.element = element;
    this.root = root;
  }

  /** @param {GVideoPlayer} player
   * @returns {Promise<PictureInPictureWindow>}
   * @throws DOMException as HTMLVideoElement.requestPictureInPicture */
  async request(player) {
    this.close();
    const { element } = this;
    const video = make("video", { muted: true, playsInline: true, className: "hidden", "aria-hidden": "true" });
    if (!video.requestPictureInPicture)
      throw new DOMException("This browser has no picture in picture.", "NotSupportedError");
    this.#video = video;
    this.#ends = new AbortController();
    const { signal } = this.#ends;
    this.root.append(video);
    video.srcObject = player.canvas.captureStream();
    try {
      player.snapshot(); // a stream begins with the next picture that is drawn
      await video.play();
      const shown = await video.requestPictureInPicture();
      this.#shown = true;
      // the window's own buttons
      video.addEventListener("pause", () => element.pause(), { signal });
      video.addEventListener("play", () => element.play().catch(() => {}), { signal });
      element.addEventListener("pause", () => video.pause(), { signal });
      element.addEventListener("play", () => video.play().catch(() => {}), { signal });
      video.addEventListener("leavepictureinpicture", () => this.close(), { signal });
      if (element.paused) video.pause();
      element.dispatchEvent(new Event("enterpictureinpicture"));
      return shown;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close() {
    const video = this.#video;
    if (!video) return;
    const shown = this.#shown;
    this.#shown = false;
    this.#ends.abort();
    this.#video = null;
    if (this.root.pictureInPictureElement === video) document.exitPictureInPicture().catch(() => {});
    for (const track of /** @type {MediaStream} */ (video.srcObject).getTracks()) track.stop();
    video.remove();
    if (shown) this.element.dispatchEvent(new Event("leavepictureinpicture"));
  }
}
