/** The source behind an address or a File. */

import { openDash } from "./dash.js";
import { BlobBytes, GsvSource, HttpBytes } from "./gsv.js";
import { isHls, openHls } from "./hls.js";

/** @import { Http } from "./http.js" */
/** @import { Source } from "../types/internal.d.ts" */

/** @param {string | Blob} where
 * @param {Http} http
 * @param {AbortSignal} [signal]
 * @returns {Promise<Source>} */
export async function openSource(where, http, signal) {
  if (where instanceof Blob) return GsvSource.open(new BlobBytes(where), signal);
  const url = new URL(where, globalThis.location?.href).href;
  if (/\.mpd($|[?#])/.test(url)) return openDash(http, url, signal);
  if (isHls(url)) return openHls(http, url, signal);
  return GsvSource.open(new HttpBytes(http, url), signal);
}
