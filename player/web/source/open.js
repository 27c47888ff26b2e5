/** The source behind an address or a File. */

import { UnsupportedError } from "../codec/errors.js";
import { BlobBytes, GsvSource, HttpBytes } from "./gsv.js";
import { HlsSource } from "./hls.js";

/** @import { Http } from "./http.js" */
/** @import { Source } from "../types/internal.d.ts" */

/** @param {string | Blob} where
 * @param {Http} http
 * @param {AbortSignal} [signal]
 * @returns {Promise<Source>} */
export async function openSource(where, http, signal) {
  if (where instanceof Blob) return GsvSource.open(new BlobBytes(where), signal);
  const url = new URL(where, globalThis.location?.href).href;
  if (/\.mpd($|\?)/.test(url))
    throw new UnsupportedError("DASH manifests are not read here; open the .m3u8 beside it.");
  if (!/\.m3u8($|\?)/.test(url)) return GsvSource.open(new HttpBytes(http, url), signal);
  return HlsSource.open(http, url, await http.text(url, { signal }), signal);
}
