/**
 * What plays where Gaussians cannot be drawn: the AVC rung of the same HLS playlist, in a <video>, by hls.js if the
 * page has it (window.Hls), else by the browser itself.
 */

import { BrowserError, NetworkError } from "../codec/errors.js";
import { isHls } from "../source/hls.js";
import { Http, shortName } from "../source/http.js";
import { parsePlaylist } from "../source/playlist.js";
import { FALLBACK_CODEC, usesCodec } from "../source/segmented.js";

/** What this needs of hls.js.
 * @typedef {{loadSource(url: string): void, attachMedia(video: HTMLVideoElement): void, destroy(): void}} HlsJs */
/** @typedef {{new (): HlsJs, isSupported(): boolean}} HlsJsClass */

/** Has a video play the AVC rung until the signal; it need not be able to play yet when this resolves.
 * @param {HTMLVideoElement} video
 * @param {string | Blob} where
 * @param {{why: string, signal: AbortSignal, credentials?: RequestCredentials}} options why: what the browser lacks
 * @throws BrowserError in one line if there is nothing to play, or nothing to play it with */
export async function playInstead(video, where, { why, signal, credentials = "same-origin" }) {
  if (where instanceof Blob) throw new BrowserError(why);
  const url = new URL(where, globalThis.location?.href).href;
  if (!(await hasFallback(url, signal, credentials)))
    throw new BrowserError(`${why} There is no AVC rung of ${shortName(url)} to play instead.`);
  const { Hls } = /** @type {{Hls?: HlsJsClass}} */ (/** @type {unknown} */ (globalThis));
  if (Hls?.isSupported()) {
    const hls = new Hls();
    signal.addEventListener("abort", () => hls.destroy(), { once: true });
    hls.loadSource(url);
    hls.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    if (credentials === "include") video.crossOrigin = "use-credentials";
    signal.addEventListener("abort", () => video.removeAttribute("src"), { once: true });
    video.src = url;
  } else {
    throw new BrowserError(`${why} To play the AVC rung of ${shortName(url)} instead the page needs hls.js.`);
  }
}

/** @param {string} url
 * @param {AbortSignal} signal
 * @param {RequestCredentials} credentials */
async function hasFallback(url, signal, credentials) {
  if (!isHls(url)) return false;
  try {
    const found = await new Http({ credentials }).document(url, { signal });
    const { master } = parsePlaylist(found.text, found.url);
    return master?.variants.some((variant) => usesCodec(variant, FALLBACK_CODEC)) ?? false;
  } catch (error) {
    if (signal.aborted || error instanceof NetworkError) throw error;
    return false; // it is no playlist
  }
}
