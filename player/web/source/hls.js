/** HLS with gsv1 in fragmented MP4: what its playlists offer, as rungs of a source (segmented.js). */

import { ContainerError, UnsupportedError } from "../codec/errors.js";
import { shortName } from "./http.js";
import { parsePlaylist } from "./playlist.js";
import { linesOf, wholePlaylist } from "./playlist_text.js";
import { FALLBACK_CODEC, OWN_CODEC, SegmentedSource, usesCodec } from "./segmented.js";

/** @import { Http } from "./http.js" */
/** @import { Master, Media, Offer, Track } from "../types/internal.d.ts" */

/** A media playlist that is fetched when it is needed, and again while it grows. */
export class MediaPlaylist {
  /** As it was fetched last.
   * @type {Media | null} */
  media = null;
  /** @type {Promise<Media> | null} */
  #fetching = null;
  /** Its lines as they were fetched last, and when.
   * @type {string[]} */
  #copy = [];
  #readAt = -Infinity;

  /** @param {Http} http
   * @param {string} url
   * @param {Map<string, string>} variables that it may import */
  constructor(http, url, variables = new Map()) {
    this.http = http;
    this.url = url;
    this.variables = variables;
  }

  /** The playlist; fetched once unless `again`: then as it is once it has more, where its server waits for that.
   * @param {AbortSignal} [signal]
   * @param {boolean} again
   * @returns {Promise<Media>} */
  async get(signal, again = false) {
    if (this.media && !again) return this.media;
    this.#fetching ??= this.#fetch(signal).finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  /** @param {AbortSignal} [signal] */
  async #fetch(signal) {
    const { lines, url } = (await this.#following(signal)) ?? (await this.#whole(this.url, { signal }));
    const { media } = parsePlaylist(lines, url, this.variables);
    if (!media) throw new ContainerError(`${shortName(this.url)}: a media playlist is wanted here`);
    this.#copy = lines;
    this.#readAt = performance.now();
    this.media = media;
    return media;
  }

  /** What there is once there is more, null where that does not come.
   * @param {AbortSignal} [signal] */
  async #following(signal) {
    const { following, skipSeconds = 0 } = this.media ?? {};
    if (!following) return null;
    const url = new URL(this.url);
    url.search += (url.search ? "&" : "?") + following;
    const address = url.href;
    // so old a copy may lack what is left out of an answer
    const skips = performance.now() - this.#readAt < 500 * skipSeconds;
    try {
      const found = await this.#whole(skips ? `${address}&_HLS_skip=YES` : address, { signal, once: true });
      const lines = wholePlaylist(found.lines, this.#copy);
      return lines ? { ...found, lines } : await this.#whole(address, { signal, once: true });
    } catch (error) {
      if (signal?.aborted) throw error; // else what was waited for did not come
      return null;
    }
  }

  /** @param {string} url
   * @param {{signal?: AbortSignal, once?: boolean}} options */
  async #whole(url, options) {
    const found = await this.http.document(url, options);
    return { lines: linesOf(found.text), url: found.url };
  }
}

/** Whether an address is taken for that of an HLS playlist.
 * @param {string} url
 * @returns {boolean} */
export const isHls = (url) => /\.m3u8($|[?#])/.test(url);

/** The source of a playlist, master or media.
 * @param {Http} http
 * @param {string} url
 * @param {AbortSignal} [signal] */
export async function openHls(http, url, signal) {
  const found = await http.document(url, { signal });
  const { master, media } = parsePlaylist(found.text, found.url);
  return SegmentedSource.open(http, url, master ? ofMaster(http, url, master) : ofMedia(http, url, media), signal);
}

/** @param {Http} http
 * @param {string} url
 * @param {Master} master
 * @returns {Offer} */
function ofMaster(http, url, master) {
  const own = master.variants.filter((variant) => usesCodec(variant, OWN_CODEC));
  if (own.length === 0) throw new UnsupportedError(`${shortName(url)}: none of its variants is ${OWN_CODEC} video`);
  const others = master.variants.filter((variant) => usesCodec(variant, FALLBACK_CODEC));
  own.sort((a, b) => (a.score ?? 0) - (b.score ?? 0) || a.bandwidth - b.bandwidth);
  const { audio: audioGroup, subtitles: subtitleGroup } = own[0];
  const codecs = own[0].codecs.filter((name) => !name.startsWith(OWN_CODEC));
  /** @param {string} type
   * @param {string | null} group */
  const renditions = (type, group) =>
    master.renditions.flatMap((r) =>
      r.type === type && r.group === group && r.url
        ? [{ ...r, codecs, playlist: new MediaPlaylist(http, r.url, master.variables) }]
        : [],
    );
  const audio = renditions("AUDIO", audioGroup);
  const rungs = [...own, ...others.slice(0, 1)].map((v) => ({
    ...v,
    playlist: new MediaPlaylist(http, v.url, master.variables),
  }));
  return {
    rungs: rungs.slice(0, own.length),
    audio: audio.find((rendition) => rendition.isDefault) ?? audio[0] ?? null,
    captions: renditions("SUBTITLES", subtitleGroup),
    fallback: rungs[own.length] ?? null,
  };
}

/** @param {Http} http
 * @param {string} url
 * @param {Media | undefined} media
 * @returns {Offer} */
function ofMedia(http, url, media) {
  const playlist = new MediaPlaylist(http, url);
  playlist.media = media ?? null;
  return { rungs: [{ playlist }], audio: null, captions: [], fallback: null };
}
